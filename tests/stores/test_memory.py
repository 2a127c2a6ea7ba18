"""Counters in this process take up little room, and none when they are over."""

import subprocess
import sys
from pathlib import Path

from limiter.counters import Charge
from limiter.stores.memory import MemoryStore
from tests.bench.room import BOUND
from tests.contract.backends import NOON, Time

ROOT = Path(__file__).parents[2]
MEASURE = "import asyncio, tests.bench.room as room; print(asyncio.run(room.bytes_for_each(100_000)))"


def test_a_live_counter_takes_less_than_250_bytes_with_its_key() -> None:
    """Measured in a process of its own, which nothing else makes grow."""
    measured = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, check=True, capture_output=True)

    assert 100 < float(measured.stdout) < BOUND


async def test_what_is_over_leaves_without_a_scan(clock: Time) -> None:
    """A few with each call, however many there are."""
    store = MemoryStore(clock)
    ended = [Charge(f"key {number}", 9, 1, 1, 0, NOON + 1000) for number in range(10_000)]
    await store.acquire("all", ended)
    clock.advance(3000)
    for number in range(100):
        await store.acquire(f"{number}", [Charge("other", 1000, 1, 1, 0, NOON + 10**9)])

    assert 10_000 - 100 * 4 <= store.size < 10_000
