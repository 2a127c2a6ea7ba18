"""Admissions of several engines in turn, so that what else the machine does meets them alike."""

import time
from collections.abc import Awaitable, Callable, Mapping

from limiter.usage.forecast import Forecast

Admit = Callable[[], Awaitable[object]]
"""One admission."""


async def unforeseen() -> Forecast:
    raise AssertionError("no limit of the benchmark reserves")


async def alternate(admits: Mapping[str, Admit], batches: int, calls: int) -> dict[str, list[float]]:
    """Microseconds of one admission, one number for each batch; batches of all take turns. One before them warms up."""
    found: dict[str, list[float]] = {name: [] for name in admits}
    for batch in range(batches + 1):
        for name, admit in admits.items():
            began = time.perf_counter()
            for _ in range(calls):
                await admit()
            if batch:
                found[name].append((time.perf_counter() - began) / calls * 1e6)
    return found
