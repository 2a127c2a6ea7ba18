"""Processes that use a store, and a look at what they did."""

import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from itertools import count
from pathlib import Path

from limiter.counters import Charge
from limiter.stores.contract import Store

ROOT = Path(__file__).parents[2]
_looks = count()


async def worker(mode: str, url: str, count: int, name: str) -> Process:
    """Runs `tests.stores.worker`."""
    return await create_subprocess_exec(
        sys.executable, "-m", "tests.stores.worker", mode, url, str(count), name, stdout=PIPE, cwd=ROOT
    )


async def used(store: Store, charge: Charge) -> int:
    """What is on a counter. As any acquire does, it reaps."""
    acquired = await store.acquire(f"look {next(_looks)}", [charge._replace(need=0, take=0, hold=False)])
    return acquired.readings[0].used
