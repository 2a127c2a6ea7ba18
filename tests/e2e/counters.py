"""The counters of a proxy under test, read from its SQLite file as a difference to an earlier look."""

import sqlite3
import time
from contextlib import closing

from tests.e2e.proxy import Proxy

PATIENCE = 10.0
"""Seconds: settling goes on when the client already has its answer."""

QUIET = 0.05
"""Seconds without a change after which nothing more is expected."""


class Counters:
    """Remembers what each limit's counters amount to when it is made."""

    def __init__(self, proxy: Proxy) -> None:
        self._file = proxy.data_dir / "counters.db"
        self._before = self._settled()

    def _settled(self) -> dict[str, int]:
        """What they amount to when nothing moves any more: an earlier exchange may still be settling."""
        found = self.read()
        while True:
            time.sleep(QUIET)
            if found == (found := self.read()):
                return found

    def read(self) -> dict[str, int]:
        """Totals by limit, over all windows and keys."""
        totals: dict[str, int] = {}
        if self._file.exists():
            with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as connection:
                for key, value in connection.execute("SELECT key, value FROM counters"):
                    name = key.split(":")[1]
                    totals[name] = totals.get(name, 0) + value
        return totals

    def grown(self, limit: str) -> int:
        """What the limit's counters have grown by."""
        return self.read().get(limit, 0) - self._before.get(limit, 0)

    def expect(self, **grown: int) -> None:
        """Waits until the limits have grown by exactly this."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = {name: self.grown(name) for name in grown}
            if found == grown:
                return
            if time.monotonic() > deadline:
                assert grown == found
            time.sleep(0.01)
