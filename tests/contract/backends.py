"""Every store that the contract is tested on. A new store is one entry more."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limiter.stores.contract import Clock, Store
from limiter.stores.memory import MemoryStore
from limiter.stores.sqlite import SqliteStore
from limiter.stores.synced import SyncedStore
from tests.contract.sqlite_rows import rows
from tests.stores import postgres_backends, redis_backends

NOON = 1_700_000_000_000
"""Milliseconds; when the tests' clock starts."""


class Time:
    """A clock that moves only when told."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds


@dataclass(frozen=True)
class Backend:
    """A store as the tests know it."""

    name: str
    open: Callable[[Path, Clock], Store]
    """The folder is the test's own."""
    size: Callable[[Any, Path], int]
    """Counters that take up room, dead or alive."""
    group: str = ""
    """Tests of one group share a worker, and so the servers that it starts."""


def _seen(store: SyncedStore, _folder: Path) -> int:
    view = store._view
    return max(len(view), len(view._learned), len(view._touched))


BACKENDS = (
    Backend("memory", lambda _folder, clock: MemoryStore(clock), lambda store, _folder: store.size),
    # Alone on what it shares, so that it is to answer as if it did not.
    Backend("synced", lambda _folder, clock: SyncedStore(MemoryStore(clock), 3600, clock), _seen),
    Backend(
        "sqlite",
        lambda folder, clock: SqliteStore(folder / "counters.db", clock),
        lambda _store, folder: rows(folder / "counters.db", "counters"),
    ),
    Backend("redis", lambda _folder, clock: redis_backends.standalone(clock), redis_backends.size, "redis"),
    Backend("redis-cluster", lambda _folder, clock: redis_backends.cluster(clock), redis_backends.size, "redis"),
    Backend("redis-sentinel", lambda _folder, clock: redis_backends.sentinel(clock), redis_backends.size, "redis"),
    Backend(
        "postgresql", lambda _folder, clock: postgres_backends.OwnStore(clock), postgres_backends.size, "postgresql"
    ),
)
