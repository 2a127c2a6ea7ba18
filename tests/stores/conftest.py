"""Clocks and files for the tests of single stores."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from limiter.stores.fallback import FallbackStore, OnError
from limiter.stores.memory import MemoryStore
from tests.contract.backends import Time
from tests.stores.faulty import Make, Primary


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an SQLite store may put its file."""
    return tmp_path / "counters.db"


@pytest.fixture
def primary(clock: Time) -> Primary:
    return Primary(MemoryStore(clock))


@pytest.fixture
async def make(primary: Primary, clock: Time) -> AsyncIterator[Make]:
    """Opens a store over the primary that asks for it every 10 ms."""
    made: list[FallbackStore] = []

    def make(on_error: OnError) -> FallbackStore:
        made.append(FallbackStore(primary, on_error, clock, timeout=0.02, retry=0.01))
        return made[-1]

    yield make
    for store in made:
        await store.close()
