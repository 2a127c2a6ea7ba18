"""One SQLite transaction that serves many calls.

Reads every row that the calls name with a few statements, decides one call after the other in Python
(`limiter.counters`), and writes what changed at the end, so nothing is written when a decision fails.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from limiter import counters
from limiter.counters import Acquired, Charge, Correction, Counter, Release
from limiter.stores.contract import REMEMBERED
from limiter.stores.sqlite_file import read, spelled

WIDTH = 64
"""Values of one `IN (…)`. Shorter lists are padded to a power of two, so that few statements are ever compiled."""


@dataclass(frozen=True, slots=True)
class Acquire:
    """A call of `Store.acquire`."""

    id: str
    charges: Sequence[Charge]
    lease: int


@dataclass(frozen=True, slots=True)
class Renew:
    """A call of `Store.renew`."""

    ids: Sequence[str]
    lease: int


@dataclass(frozen=True, slots=True)
class Settle:
    """A call of `Store.settle`."""

    id: str
    corrections: Sequence[Correction]


Call = Acquire | Renew | Settle


@dataclass(frozen=True, slots=True)
class Exchange:
    """A row of `exchanges`."""

    held: bool
    due: int
    settled: bool
    answer: bytes | str | None
    releases: str | None


class Batch:
    """The rows that some calls work on, inside an open transaction.

    Args:
        now: milliseconds; the time of all calls. Read inside the transaction, so that it never runs backwards between
            processes.
    """

    def __init__(self, connection: sqlite3.Connection, calls: Sequence[Call], now: int) -> None:
        self._connection = connection
        self._now = now
        self._stored: dict[str, Counter] = {}
        """As the file has them."""
        self._book: dict[str, Counter] = {}
        """As the calls so far left them."""
        self._known: set[str] = set()
        """Ids that have a row."""
        self._exchanges: dict[str, Exchange] = {}
        self._touched: dict[str, None] = {}
        """Ids whose row changed."""
        self.created = 0
        """Rows that `write` added."""
        if any(isinstance(call, Acquire) for call in calls):
            self._reap()
        self._load_exchanges(_ids(calls))
        self._load_counters(counters.keys(_charges(calls)))

    def run(self, call: Call) -> Acquired | None:
        """The answer to a call; changes rows in memory only."""
        match call:
            case Acquire():
                return self._acquire(call)
            case Settle():
                self._settle(call)
            case Renew():
                self._renew(call)
        return None

    def write(self) -> None:
        """Puts what changed into the file."""
        updated, inserted = [], []
        for key, counter in self._book.items():
            before = self._stored.get(key)
            if before is None or before.expires_at != counter.expires_at:
                inserted.append((spelled(key), *counter))
            elif before.value != counter.value:
                # Apart from the insertion, as this leaves the index alone.
                updated.append((counter.value, spelled(key)))
        execute = self._connection.executemany
        if updated:
            execute("UPDATE counters SET value = ? WHERE key = ?", updated)
        if inserted:
            execute("INSERT OR REPLACE INTO counters VALUES (?, ?, ?)", inserted)
        touched = [(name, spelled(name), self._exchanges[name]) for name in self._touched]
        rows = [(spelling, row) for name, spelling, row in touched if name not in self._known]
        if rows:
            execute(
                "INSERT INTO exchanges VALUES (?, ?, ?, ?, ?, ?)",
                [(spelling, row.held, row.due, row.settled, row.answer, row.releases) for spelling, row in rows],
            )
        self.created = len(inserted) + len(rows)
        rows = [(spelling, row) for name, spelling, row in touched if name in self._known]
        if rows:
            execute(
                "UPDATE exchanges SET held = ?, due = ?, settled = ?, answer = ?, releases = ? WHERE id = ?",
                [(row.held, row.due, row.settled, row.answer, row.releases, spelling) for spelling, row in rows],
            )

    def sweep(self, limit: int) -> None:
        """Deletes up to `limit` counters that are over and as many exchanges to forget."""
        for table, key, over in (("counters", "key", "expires_at <= ?"), ("exchanges", "id", "held = 0 AND due <= ?")):
            self._connection.execute(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {over} LIMIT ?)",  # noqa: S608
                (self._now, limit),
            )

    def _acquire(self, call: Acquire) -> Acquired:
        if not call.charges:
            return Acquired(True, self._now, ())
        known = self._exchanges.get(call.id)
        if known and known.answer is not None:
            return msgspec.json.decode(known.answer, type=Acquired)
        acquired, changes = counters.acquire(self._book, call.charges, self._now)
        releases = counters.releases(call.charges, acquired) if acquired.admitted else ()
        self._book.update(changes)
        self._exchanges[call.id] = Exchange(
            held=bool(releases),
            due=self._now + (call.lease if releases else REMEMBERED),
            settled=known is not None and known.settled,
            answer=msgspec.json.encode(acquired).decode(),
            releases=json.dumps(releases) if releases else None,
        )
        self._touched[call.id] = None
        return acquired

    def _settle(self, call: Settle) -> None:
        known = self._exchanges.get(call.id)
        if known and known.settled:
            return
        changes = counters.settle(self._book, call.corrections, self._now, held=known is not None and known.held)
        self._book.update(changes)
        self._exchanges[call.id] = Exchange(
            held=False, due=self._now + REMEMBERED, settled=True, answer=known.answer if known else None, releases=None
        )
        self._touched[call.id] = None

    def _renew(self, call: Renew) -> None:
        for name in call.ids:
            known = self._exchanges.get(name)
            if known and known.held:
                self._exchanges[name] = replace(known, due=self._now + call.lease)
                self._touched[name] = None

    def _reap(self) -> None:
        due = self._connection.execute(
            "SELECT releases FROM exchanges WHERE held = 1 AND due <= ?", (self._now,)
        ).fetchall()
        if not due:
            return
        reaped = [Release(*item) for (text,) in due for item in json.loads(text)]
        self._load_counters({item.key for item in reaped})
        self._book.update(counters.release(self._book, reaped, self._now))
        self._connection.execute(
            "UPDATE exchanges SET held = 0, due = ?, releases = NULL WHERE held = 1 AND due <= ?",
            (self._now + REMEMBERED, self._now),
        )

    def _load_counters(self, keys: Iterable[str]) -> None:
        wanted = [spelled(key) for key in keys if key not in self._stored]
        for key, *state in self._select("SELECT key, value, expires_at FROM counters WHERE key", wanted):
            self._stored[read(key)] = self._book[read(key)] = Counter(*state)

    def _load_exchanges(self, ids: Iterable[str]) -> None:
        query = "SELECT id, held, due, settled, answer, releases FROM exchanges WHERE id"
        for name, held, due, settled, answer, releases in self._select(query, [*map(spelled, ids)]):
            self._exchanges[read(name)] = Exchange(bool(held), due, bool(settled), answer, releases)
        self._known = set(self._exchanges)

    def _select(self, query: str, values: Sequence[str | bytes]) -> Iterator[Any]:
        for start in range(0, len(values), WIDTH):
            chunk = values[start : start + WIDTH]
            width = 1 << (len(chunk) - 1).bit_length()
            marks = ",".join("?" * width)
            padded = (*chunk, *[None] * (width - len(chunk)))
            yield from self._connection.execute(f"{query} IN ({marks})", padded)


def _ids(calls: Iterable[Call]) -> Iterable[str]:
    found: dict[str, None] = {}
    for call in calls:
        match call:
            case Renew():
                found.update(dict.fromkeys(call.ids))
            case _:
                found[call.id] = None
    return found


def _charges(calls: Iterable[Call]) -> Iterator[Charge]:
    for call in calls:
        match call:
            case Acquire():
                yield from call.charges
            case Settle():
                for correction in call.corrections:
                    yield correction.charge
