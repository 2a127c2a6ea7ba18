"""Memory that live counters take up in the fastest store, with their keys."""

import asyncio
import gc
import resource
from pathlib import Path

from limiter.counters import Charge
from limiter.stores.memory import MemoryStore, Recent
from tests.bench.table import head, row, show, verdict

COUNTERS = 1_000_000
BOUND = 250.0
"""Bytes of one."""
NOW = 1_700_000_000_000
AT_ONCE = 1000


def room() -> None:
    """Prints bytes for each counter, as the process grows by a million of them."""
    each = asyncio.run(bytes_for_each(COUNTERS))
    show(head("counters in memory", "counters", "bytes each", "bound"))
    show(row("memory", f"{COUNTERS:,}", f"{each:.0f}", verdict(each, BOUND, least=False, form=".0f")))


async def bytes_for_each(count: int) -> float:
    """Of counters that end at fifty different moments, under keys of 57 characters."""
    store = MemoryStore(lambda: NOW)
    gc.collect()
    before = _resident()
    for start in range(0, count, AT_ONCE):
        keys = [f"ai-limit:daily:1d:1700000000:{start + number:028x}" for number in range(AT_ONCE)]
        ends = [NOW + 10**7 + number % 50 for number in range(AT_ONCE)]
        batch = [Charge(key, 10**9, 1, start, 0, end) for key, end in zip(keys, ends, strict=True)]
        await store.acquire(f"{start}", batch)
        # Answers are forgotten after a while, and are not what is measured.
        store._answers = Recent()
    gc.collect()
    return (_resident() - before) / store.size


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
