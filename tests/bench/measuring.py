"""How often a second something can be done, and what it costs in processor time, here and in a server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache
from itertools import count
from typing import NamedTuple

from limiter.counters import Charge
from limiter.stores.contract import Store

CONCURRENCIES = (1, 16, 64)
HOUR = 3_600_000
CONSUMERS = 1000
ROUNDS = 3
Job = Callable[[int], Awaitable[object]]
"""Takes a number that is another each time."""
_tags = count()


class Measured(NamedTuple):
    rate: float
    """A second."""
    client_us: float
    """Microseconds of processor time of this process, for each."""
    server_us: float
    """The same of the server."""


async def best(jobs: Callable[[int], Job], times: int, concurrency: int, cpu: Callable[[], float]) -> Measured:
    """The fastest of a few rounds: others on the machine only ever make it slower.

    Args:
        jobs: makes a job that has nothing to do with those of other rounds, of which each has its number.
        cpu: seconds that the server has run.
    """
    return max([await _measure(jobs(next(_tags)), times, concurrency, cpu) for _ in range(ROUNDS)])


async def _measure(job: Job, times: int, concurrency: int, server_cpu: Callable[[], float]) -> Measured:
    numbers = iter(range(times))

    async def worker() -> None:
        for number in numbers:
            await job(number)

    before, cpu, began = server_cpu(), time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Measured(times / wall, cpu / times * 1e6, (server_cpu() - before) / times * 1e6)


def decisions(store: Store, consumers: int = CONSUMERS, *, hold: bool = True) -> Callable[[int], Job]:
    """Acquires of three limits, one of them sliding."""
    return lambda tag: lambda number: store.acquire(f"{tag}:{number}", charges(number % consumers, hold=hold))


@cache
def charges(consumer: int, *, hold: bool = True) -> list[Charge]:
    """Three limits. Made once, since what that takes is not the store's."""
    start = int(time.time() * 1000) // HOUR * HOUR
    name = f"{consumer:032x}"
    tokens = "{ai-limit}:tokens:1h~"
    return [
        Charge(f"{{ai-limit}}:requests:1h:{start}:{name}", 10**12, 1, 1, 0, start + HOUR),
        Charge(f"{{ai-limit}}:daily:1d:{start}:{name}", 10**15, 50, 50, 0, start + 24 * HOUR, hold=hold),
        Charge(
            f"{tokens}:{start}:{name}", 10**15, 9, 9, 0, start + 2 * HOUR,
            f"{tokens}:{start - HOUR}:{name}", start, HOUR, hold=hold,
        ),
    ]  # fmt: skip
