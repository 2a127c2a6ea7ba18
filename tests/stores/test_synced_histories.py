"""After all exchanges the shared counters hold what the nodes have booked, whatever was lost on the way."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Store
from limiter.stores.memory import MemoryStore
from limiter.stores.synced import SyncedStore
from tests.contract.backends import NOON, Time
from tests.stores.faulty import Kept, Primary

FAR = NOON + 10**10
BATCH = (
    Charge("requests", 12, 1, 1, 0, FAR, penalty=1),
    Charge("held", 400, 30, 30, 0, FAR, hold=True, keep=10),
    Charge("sliding", 500, 1, 0, 0, FAR, previous="requests", start=NOON, size=10**9),
    Charge("anchored", 100, 7, 7, 10**10, hold=True, keep=3),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["acquire"] * 5 + ["settle"] * 4 + ["exchange"] * 4 + ["renew", "failing", "forgetful", "well", "wait", ""]
        ),
        st.integers(0, 2),
        st.integers(0, 7),
        st.integers(-5, 90),
    ),
    min_size=20,
    max_size=60,
)
"""What is done, by which node, with which of its exchanges or for how many turns of the loop, and the true amount."""


class Slow(Kept):
    """Every call takes some turns of the loop to get there and back."""

    def __init__(self, store: Primary) -> None:
        super().__init__(store)
        self._acquire, self._settle = store.acquire, store.settle
        self.acquire, self.settle = self._slow_acquire, self._slow_settle

    async def _slow_acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        await _turns(2)
        answer = await self._acquire(id, charges, lease)
        await _turns(2)
        return answer

    async def _slow_settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await _turns(2)
        await self._settle(id, corrections)
        await _turns(2)


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@dataclass
class Node:
    """A node, and a store that is told of the same and of nobody else."""

    store: SyncedStore
    alone: MemoryStore
    known: dict[str, tuple[Acquired, Acquired]] = field(default_factory=dict)
    """By id, the answers of both to what was admitted."""

    async def acquire(self, id: str) -> None:
        if id in self.known:
            return
        answer = await self.store.acquire(id, BATCH)
        forced = [charge._replace(blocks=False) for charge in BATCH]
        if not answer.admitted:
            forced = [charge._replace(take=charge.penalty, blocks=False, hold=False) for charge in BATCH]
        expected = await self.alone.acquire(id, forced)
        if answer.admitted:
            self.known[id] = answer, expected

    async def settle(self, id: str, amount: int) -> None:
        if id in self.known:
            for store, answer in zip((self.store, self.alone), self.known[id], strict=True):
                pairs = zip(BATCH, answer.readings, strict=True)
                await store.settle(id, [Correction(charge, amount, reading.expires_at) for charge, reading in pairs])

    async def renew(self, id: str) -> None:
        await self.store.renew([id])
        await self.alone.renew([id])

    async def exchange(self) -> None:
        await self.alone.acquire("", [])
        await self.store.exchange()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=STEPS)
def test_the_shared_counters_are_the_sum_of_what_the_nodes_booked(steps: list[tuple[str, int, int, int]]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, int, int, int]]) -> None:
    clock = Time()
    shared = Primary(MemoryStore(clock))
    nodes = [Node(SyncedStore(Slow(shared), 3600, clock, 10, 10), MemoryStore(clock)) for _ in range(3)]
    under_way: list[asyncio.Task[None]] = []

    async def all_told() -> None:
        await asyncio.gather(*under_way)
        under_way.clear()
        # The first time tells what was under way, the second what has waited behind it, the third all others.
        for node in nodes * 3:
            await node.exchange()

    for verb, number, exchange, amount in steps:
        node, name = nodes[number], f"{number}:{exchange}"
        match verb:
            case "acquire":
                await node.acquire(name)
            case "settle":
                await node.settle(name, amount)
            case "renew":
                await node.renew(name)
            case "exchange":
                under_way.append(asyncio.create_task(node.exchange()))
            case "failing" | "forgetful" | "well":
                shared.failing, shared.forgetful = verb == "failing", verb == "forgetful"
            case "wait" if not (shared.failing or shared.forgetful):
                # An id is not known for ever, so nothing may be under way.
                await all_told()
                clock.advance(LEASE // 2)
            case _:
                await _turns(exchange)
    shared.failing = shared.forgetful = False
    await all_told()
    peeks = [charge._replace(need=0, take=0, blocks=False, hold=False, previous="") for charge in BATCH]

    async def found(store: Store) -> list[int]:
        return [reading.used for reading in (await store.acquire("the end", peeks)).readings]

    alone = [await found(node.alone) for node in nodes]
    assert await found(shared) == list(map(sum, zip(*alone, strict=True)))
    for node in nodes:
        assert await found(node.store) == await found(shared)
        assert node.store.tally.lost == 0
        await node.store.close()
