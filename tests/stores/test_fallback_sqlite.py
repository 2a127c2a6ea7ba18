"""A file that is locked, or on a disk that is full, is an outage as any other."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from limiter.counters import Charge, Correction
from limiter.stores.contract import StoreError
from limiter.stores.fallback import FallbackStore, OnError
from limiter.stores.sqlite import SqliteStore
from tests.contract.backends import NOON, Time
from tests.stores.faulty import AFTER, CHARGE, HELD, MODES, Primary, even, settle


@pytest.fixture
async def file(path: Path, clock: Time) -> AsyncIterator[Primary]:
    """An SQLite store, and calls to it counted."""
    primary = Primary(SqliteStore(path, clock))
    yield primary
    await primary.close()


@pytest.fixture
def other(file: Primary, path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that uses the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("on_error", MODES)
async def test_a_locked_file_costs_no_settlement(
    file: Primary, other: sqlite3.Connection, clock: Time, caplog: pytest.LogCaptureFixture, on_error: OnError
) -> None:
    caplog.set_level(logging.INFO)
    store = FallbackStore(file, on_error, clock, timeout=0.05, retry=0.01)
    batch = [CHARGE, AFTER]
    for name in ("a", "b", "c"):
        await store.acquire(name, batch)
    other.execute("BEGIN IMMEDIATE")
    # The first runs into the timeout: it is booked later by the writer, and then sent again.
    for name in ("a", "b", "c"):
        await settle(store, name, Correction(AFTER, 10_000))
    with suppress(StoreError):
        await store.acquire("during", batch)
        await store.settle("during", [Correction(AFTER, 5)])
    await file.until(file.calls + 2)
    assert store.away
    other.execute("ROLLBACK")
    await even(store)
    substituted = on_error != "deny"
    assert await file.used(AFTER) == 30_000 + 5 * substituted
    assert await file.used(CHARGE) == 3 + substituted
    assert caplog.records[-1].getMessage() == (
        f"the store answers again; so far 1 failures, {1 * substituted} substituted, {3 + substituted} replayed, 0 lost"
    )
    await store._primary.close()


@pytest.mark.parametrize("on_error", MODES)
async def test_a_full_disk_is_one_outage(
    file: Primary, clock: Time, caplog: pytest.LogCaptureFixture, on_error: OnError
) -> None:
    """It answers questions all the time; it counts as back when it can write."""
    caplog.set_level(logging.INFO)
    store = FallbackStore(file, on_error, clock, timeout=5, retry=0.001)
    await store.acquire("before", [CHARGE, HELD])
    assert isinstance(file.store, SqliteStore)
    connection = file.store._work.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    wide = [CHARGE, *(Charge(f"{number}:{'x' * 900}", 9, 1, 1, 0, NOON + 10**9) for number in range(20))]
    with suppress(StoreError):
        for number in range(1000):
            await file.store.acquire(f"filler {number}", [AFTER])
    with suppress(StoreError):
        await store.acquire("wide", wide)
    await settle(store, "before", Correction(HELD, 12))
    await file.until(file.calls + 100)
    assert store.away
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    connection.execute("PRAGMA max_page_count = 1000000")
    await even(store)
    substituted = on_error != "deny"
    assert await file.used(CHARGE) == 1 + substituted
    assert await file.used(wide[-1]) == 1 * substituted
    assert await file.used(HELD) == 12
    assert store.tally.lost == 0
