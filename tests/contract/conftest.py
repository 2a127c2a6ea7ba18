"""The store under test: every backend in turn."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from limiter.stores.contract import Store
from tests.contract.backends import BACKENDS, Backend, Time


@pytest.fixture
def clock() -> Time:
    return Time()


def _parameter(backend: Backend) -> object:
    marks = [pytest.mark.xdist_group(backend.group)] if backend.group else []
    return pytest.param(backend, marks=marks, id=backend.name)


@pytest.fixture(params=map(_parameter, BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture
async def store(backend: Backend, clock: Time, tmp_path: Path) -> AsyncIterator[Store]:
    store = backend.open(tmp_path, clock)
    yield store
    await store.close()


@pytest.fixture
def size(backend: Backend, store: Store, tmp_path: Path) -> Callable[[], int]:
    """Counts the counters that take up room."""
    return lambda: backend.size(store, tmp_path)
