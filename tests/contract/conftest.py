"""The store under test: every backend in turn."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from limiter.stores.contract import Store
from tests.contract.backends import BACKENDS, Backend, Time


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
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
