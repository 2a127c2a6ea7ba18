"""An SQLite store under several processes, and under their sudden end."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from limiter.counters import Charge
from limiter.stores.contract import LEASE
from limiter.stores.sqlite import SqliteStore
from tests.contract.backends import Time
from tests.contract.sqlite_rows import rows
from tests.stores.sqlite_worker import HELD, SHARED, STORM

ROOT = Path(__file__).parents[2]


async def worker(mode: str, path: Path, count: int, name: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stores.sqlite_worker", mode, str(path), str(count), name, stdout=PIPE, cwd=ROOT
    )


async def used(path: Path, clock: Time, charge: Charge) -> int:
    store = SqliteStore(path, clock)
    acquired = await store.acquire(f"peek {charge.key} {clock.now}", [charge._replace(need=0, take=0, hold=False)])
    await store.close()
    return acquired.readings[0].used


async def test_processes_share_a_limit_exactly(path: Path, clock: Time) -> None:
    processes = [await worker("spend", path, 120, name) for name in ("first", "second", "third")]
    printed = [(await process.communicate())[0] for process in processes]
    assert sum(map(int, printed)) == SHARED.limit
    assert await used(path, clock, SHARED) == SHARED.limit
    # Who was refused is remembered like who was admitted.
    assert rows(path, "exchanges") == 361


async def test_holds_of_a_killed_process_end_with_their_lease(path: Path, clock: Time) -> None:
    process = await worker("hold", path, 20, "killed")
    assert process.stdout
    assert await process.stdout.readline() == b"held\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    assert await used(path, clock, HELD) == 200
    clock.advance(LEASE)
    assert await used(path, clock, HELD) == 20


async def test_what_was_acknowledged_survives_a_kill(path: Path, clock: Time) -> None:
    """And no half of a batch does: the common counter has exactly as much as the counters of the single bookings."""
    acknowledged: list[str] = []
    for attempt in range(2):
        process = await worker("storm", path, 16, f"storm {attempt}")
        assert process.stdout
        lines = [await process.stdout.readline() for _ in range(300 + 200 * attempt)]
        process.kill()
        lines += (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()
        acknowledged += [line.decode().strip() for line in lines if line.endswith(b"\n")]
    total = await used(path, clock, STORM)
    assert total >= len(acknowledged) >= 800
    assert rows(path, "counters") == total + 1
    store = SqliteStore(path, clock)
    single = [Charge(name, 1, 1, 0, 0, STORM.expires_at) for name in acknowledged]
    assert not any(reading.fits for reading in (await store.acquire("all", single)).readings)
    assert (await store.acquire(acknowledged[0], [STORM])).admitted
    await store.close()
    assert await used(path, clock, STORM) == total


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
