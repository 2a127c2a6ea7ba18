"""A gateway over each kind of store, with a clock that tests set."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from limiter.stores.contract import Store
from tests.contract.backends import BACKENDS, Backend, Time
from tests.kong.quota.gateway import Gateway, plugin

POLICIES: Mapping[str, str] = {"memory": "local", "sqlite": "cluster", "redis": "redis", "postgresql": "cluster"}
"""Store → the plugin's policy that leads to it."""

GatewayFactory = Callable[[Mapping[str, Any]], Gateway]
"""Takes the configuration of one global instance; its policy is that of the store under test."""


def _parameter(backend: Backend) -> object:
    marks = [pytest.mark.xdist_group(backend.group)] if backend.group else []
    return pytest.param(backend, marks=marks, id=backend.name)


@pytest.fixture
def clock() -> Time:
    return Time(1_700_000_040_000)  # a minute begins


@pytest.fixture(params=[_parameter(backend) for backend in BACKENDS if backend.name in POLICIES])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
async def store(backend: Backend, clock: Time, tmp_path: Path) -> AsyncIterator[Store]:
    store = backend.open(tmp_path, clock)
    yield store
    await store.close()


@pytest.fixture
def policy(backend: Backend) -> Mapping[str, Any]:
    """The part of a configuration that leads to the store."""
    name = POLICIES[backend.name]
    return {"policy": name, "redis": {"host": "127.0.0.1"}} if name == "redis" else {"policy": name}


@pytest.fixture
def gateway(store: Store, clock: Time, policy: Mapping[str, Any]) -> GatewayFactory:
    return lambda config: Gateway.over(store, clock, plugin({**policy, **config}))
