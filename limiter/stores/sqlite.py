"""Counters in an SQLite file, shared by the processes of one machine and kept over restarts.

All calls that wait run in one transaction (`writer`, `sqlite_batch`). What was answered is in the file's log: it
survives `kill -9` at once, a power cut after the next checkpoint.
"""

from collections.abc import Sequence
from pathlib import Path

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Clock, StoreError, wall_clock
from limiter.stores.sqlite_batch import Acquire, Call, Renew, Settle
from limiter.stores.sqlite_work import SqliteWork
from limiter.stores.writer import Writer


class SqliteStore:
    """A `Store` in a file.

    Raises:
        StoreError: the file cannot be used; the message names it.
    """

    def __init__(self, path: str | Path, clock: Clock = wall_clock) -> None:
        self._path = Path(path)
        self._work = SqliteWork(self._path, clock)
        self._writer: Writer[Call, Acquired | None] = Writer(self._work, str(path))

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        acquired = await self._writer.submit(Acquire(id, charges, lease), droppable=True)
        if acquired is None:
            raise StoreError(f"{self._path}: an acquire was answered as another call")
        return acquired

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._writer.submit(Renew(ids, lease))

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._writer.submit(Settle(id, corrections))

    async def close(self) -> None:
        await self._writer.close()
