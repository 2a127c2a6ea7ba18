"""An SQLite store under several processes, and under their sudden end."""

import time
from pathlib import Path

import pytest

from limiter.counters import Charge
from limiter.stores.sqlite import SqliteStore
from tests.contract.backends import Time
from tests.contract.sqlite_rows import rows
from tests.stores.processes import used, worker
from tests.stores.worker import SHARED, STORM


async def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    """And no half of a batch does: the common counter has exactly as much as the counters of the single bookings."""
    acknowledged: list[str] = []
    for attempt in range(2):
        process = await worker("storm", f"sqlite:///{path}", 16, f"storm {attempt}")
        assert process.stdout
        lines = [await process.stdout.readline() for _ in range(300 + 200 * attempt)]
        process.kill()
        lines += (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()
        acknowledged += [line.decode().strip() for line in lines if line.endswith(b"\n")]
    store = SqliteStore(path)
    total = await used(store, STORM)
    assert total >= len(acknowledged) >= 800
    assert rows(path, "counters") == total + 1
    single = [Charge(name, 1, 1, 0, 0, STORM.expires_at) for name in acknowledged]
    assert not any(reading.fits for reading in (await store.acquire("all", single)).readings)
    assert (await store.acquire(acknowledged[0], [STORM])).admitted
    assert await used(store, STORM) == total
    await store.close()


async def test_a_process_that_stops_inside_a_transaction_holds_others_up_for_a_bounded_time(
    path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limiter.stores.sqlite_work.PATIENCE", 0.05)
    one, other = SqliteStore(path, clock), SqliteStore(path, clock)
    one._work.connection.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(Exception, match=r"counters\.db: database is locked"):
        await other.acquire("a", [SHARED])
    assert time.monotonic() - began < 2
    one._work.connection.execute("ROLLBACK")
    assert (await other.acquire("a", [SHARED])).admitted
    await one.close()
    await other.close()
