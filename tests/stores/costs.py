"""Prints what the local stores cost: `python -m tests.stores.costs [CALLS]`.

Microseconds for each call with three charges, one of them sliding, on a thousand consumers; without the time that
making the charges takes. And the bytes that a million counters occupy in memory.
"""

import asyncio
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from limiter.counters import Charge, Correction
from limiter.stores.contract import Store
from limiter.stores.memory import MemoryStore, Recent
from limiter.stores.urls import open_store

HOUR = 3_600_000


def _charges(number: int, *, hold: bool) -> list[Charge]:
    start = int(time.time() * 1000) // HOUR * HOUR
    consumer = f"{number % 1000:032x}"
    tokens = "ai-limit:tokens:1h~"
    return [
        Charge(f"ai-limit:requests:1h:{start}:{consumer}", 10**12, 1, 1, 0, start + HOUR),
        Charge(f"ai-limit:daily:1d:{start}:{consumer}", 10**15, 50, 50, 0, start + 24 * HOUR, hold=hold),
        Charge(
            f"{tokens}:{start}:{consumer}", 10**15, 9, 9, 0, start + 2 * HOUR,
            f"{tokens}:{start - HOUR}:{consumer}", start, HOUR, hold,
        ),
    ]  # fmt: skip


async def _measure(name: str, calls: list[Callable[[], Awaitable[object]]], concurrency: int) -> None:
    waiting = iter(calls)

    async def worker() -> None:
        for call in waiting:
            await call()

    gc.collect()
    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    each = 1e6 / len(calls)
    _say(f"{name:22} c={concurrency:<3}{wall * each:8.1f} µs wall{cpu * each:8.1f} µs CPU{len(calls) / wall:10.0f}/s")


async def _calls(title: str, store: Store, count: int) -> None:
    for hold in (False, True):
        kind = "held" if hold else "plain"
        for concurrency in (1, 64):
            batches = [(f"{kind}:{concurrency}:{number}", _charges(number, hold=hold)) for number in range(count)]
            acquires = [partial(store.acquire, name, batch) for name, batch in batches]
            await _measure(f"{title} acquire {kind}", acquires, concurrency)
            corrected = [(name, [Correction(item, 7) for item in batch]) for name, batch in batches]
            settles = [partial(store.settle, name, items) for name, items in corrected]
            await _measure(f"{title} settle  {kind}", settles, concurrency)
    await store.close()


async def _room(count: int) -> None:
    store = MemoryStore(lambda: 1_700_000_000_000)
    gc.collect()
    before = _resident()
    for start in range(0, count, 1000):
        ends = [1_700_010_000_000 + number % 50 for number in range(1000)]
        keys = [f"ai-limit:daily:1d:1700000000:{start + number:031x}" for number in range(1000)]
        batch = [Charge(keys[i], 10**9, 1, 999 + i, 0, ends[i]) for i in range(1000)]
        await store.acquire("an id that is forgotten at once, since answers are not what is measured", batch)
        store._answers = Recent()
    size = len(batch[0].key)
    gc.collect()
    each = (_resident() - before) / store.size
    _say(f"memory: {each:.0f} bytes for each of {store.size:,} live counters, with keys of {size} characters")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    asyncio.run(_room(1_000_000))
    asyncio.run(_calls("memory", MemoryStore(), count))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_calls("sqlite", open_store(f"sqlite:///{folder}/costs.db"), count))


if __name__ == "__main__":
    main()
