"""How far nodes that exchange what they counted now and then pass a limit: ten of them, 1000 requests in 5 seconds.

Time is simulated. Every node is asked at the same pace, and all together for twice what the limit allows; they exchange
at different moments. The bound is what all others can admit while a node does not hear of them.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

from limiter.counters import Acquired, Charge
from limiter.stores.contract import LEASE, Store
from limiter.stores.memory import MemoryStore
from limiter.stores.synced import SyncedStore
from tests.bench.table import head, row, show, verdict
from tests.contract.backends import Time

NODES = 10
LIMIT = 1000
WINDOW = 5000
"""Milliseconds."""
WINDOWS = 6
GAP = 25
"""Milliseconds between two requests to one node."""
RATES = (0.0, 0.02, 0.1, 0.5, 1.0, 5.0, -1.0)
"""Settings of `sync_rate`, in seconds."""


def overshoot() -> None:
    """Prints how far a window was passed at most, and how many calls a decision costs the shared store."""
    show(head("sync_rate", "admitted", "over", "bound", "calls each"))
    for rate in RATES:
        most, bound, calls = asyncio.run(simulate(rate))
        bounded = verdict(most, bound, least=False, form="d")
        show(row(f"{rate:g} s", f"{most}", f"{most / LIMIT - 1:.1%}", bounded, f"{calls:.3f}"))


class Outcome(NamedTuple):
    most: int
    """Requests that were admitted in one window."""
    bound: int
    """What all nodes together should admit at most."""
    calls: float
    """Of the shared store, for each decision."""


class _Counted(MemoryStore):
    """Counts its calls, and stays open."""

    calls = 0

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        self.calls += 1
        return await super().acquire(id, charges, lease)

    async def close(self) -> None:
        pass


async def simulate(rate: float, windows: int = WINDOWS) -> Outcome:
    """Some windows of requests, with one setting of `sync_rate`."""
    clock = Time()
    shared = _Counted(clock)
    # They are told when to exchange.
    synced = [SyncedStore(shared, 3600, clock) for _ in range(NODES)] if rate > 0 else []
    nodes: list[Store] = [*synced] or [MemoryStore(clock) if rate < 0 else shared for _ in range(NODES)]
    chance = random.Random(1)
    period = int(rate * 1000)
    due = [clock.now + chance.randrange(period) for _ in synced]
    asked = [clock.now + chance.randrange(GAP) for _ in nodes]
    admitted: dict[int, int] = {}
    for now in range(clock.now, clock.now + windows * WINDOW):
        clock.now = now
        start = now - now % WINDOW
        charge = Charge(f"{start}", LIMIT, 1, 1, 0, start + WINDOW)
        for place, store in enumerate(nodes):
            if synced and due[place] == now:
                due[place] += period
                await synced[place].exchange()
            if asked[place] == now:
                asked[place] += GAP
                answer = await store.acquire(f"{place}:{now}", [charge])
                admitted[start] = admitted.get(start, 0) + answer.admitted
    for store in synced:
        await store.close()
    unheard = WINDOW if rate < 0 else period
    bound = LIMIT + min((NODES - 1) * unheard // GAP, NODES * WINDOW // GAP - LIMIT)
    return Outcome(max(admitted.values()), bound, shared.calls / (NODES * windows * WINDOW / GAP))
