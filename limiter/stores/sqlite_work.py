"""What an SQLite store's writer does: transactions, and putting the log into the file from time to time."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import uniform
from time import monotonic, sleep

from limiter.counters import Acquired
from limiter.stores.contract import Clock, StoreError, UnsoundError
from limiter.stores.sqlite_batch import Batch, Call
from limiter.stores.sqlite_file import open_file
from limiter.stores.writer import Outcome

PATIENCE = 5.0
"""Seconds that a transaction waits for those of other processes."""
SWEEP_EVERY = 16
"""Rows that are added between two sweeps. A sweep deletes more than that, so that the file cannot grow for ever."""
CHECKPOINT_EVERY = 500
"""Calls between two checkpoints; they log about 4 MB. A checkpoint waits for the disk, a commit does not."""


class SqliteWork:
    """A `writer.Work` on one connection.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self.connection = open_file(path)
        self._added = 0
        """Rows since the last sweep."""
        self._calls = 0
        """Since the last checkpoint."""

    @property
    def untidy(self) -> bool:
        return self._calls >= CHECKPOINT_EVERY

    def tidy(self) -> None:
        """Puts what the log holds into the file, as far as no other process reads it; then the log starts anew."""
        self._calls = 0
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self.connection.close()

    def run(self, calls: Sequence[Call], *, wait: bool) -> Sequence[Outcome[Acquired | None]] | None:
        """All calls in one transaction."""
        try:
            return self._transact(calls) if self._begin(wait=wait) else None
        except sqlite3.OperationalError as problem:
            return [StoreError(f"{self._path}: {problem}") for _ in calls]
        except Exception as problem:  # noqa: BLE001 whatever one call holds, the others are served
            # Not the file's state but one call's content, as a number too large. Alone, each gets what is its own.
            if len(calls) > 1:
                return [outcome for call in calls for outcome in self.run([call], wait=True) or ()]
            kind = UnsoundError if isinstance(problem, OverflowError) else StoreError
            return [kind(f"{self._path}: {type(problem).__name__}: {problem}")]

    def _begin(self, *, wait: bool) -> bool:
        """Begins to write. While another process writes it asks often: SQLite's own waiting sleeps up to 100 ms."""
        limit = monotonic() + PATIENCE
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as problem:
                if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > limit:
                    raise
                if not wait:
                    return False
                sleep(uniform(0.0001, 0.001))  # noqa: S311 no secret
            else:
                return True

    def _transact(self, calls: Sequence[Call]) -> list[Outcome[Acquired | None]]:
        try:
            batch = Batch(self.connection, calls, self._clock())
            outcomes: list[Outcome[Acquired | None]] = [batch.run(call) for call in calls]
            batch.write()
            added = self._added + batch.created
            if added >= SWEEP_EVERY:
                batch.sweep(2 * added)
                added = 0
            self.connection.execute("COMMIT")
        except BaseException:
            # Some errors end the transaction themselves.
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise
        self._added = added
        self._calls += len(calls)
        return outcomes
