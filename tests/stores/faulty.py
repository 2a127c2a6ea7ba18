"""A store that fails when told, and what tests of outages do with it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Store, StoreError, UnsoundError
from limiter.stores.fallback import FallbackStore, OnError
from tests.contract.backends import NOON

CHARGE = Charge("key", 5, 1, 1, 0, NOON + 10**9)
HELD = Charge("held", 100, 30, 30, 0, NOON + 10**9, hold=True, keep=10)
AFTER = Charge("after", 10**6, 1, 0, 0, NOON + 10**9)
"""Paid after, as tokens are."""
MODES: tuple[OnError, ...] = ("local", "allow", "deny")
SUBSTITUTES: tuple[OnError, ...] = ("local", "allow")
Make = Callable[[OnError], FallbackStore]


class Primary:
    """A store that can fail, before or after it has booked, and hang."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failing = False
        self.forgetful = False
        """Books, and then fails to say so."""
        self.hanging = False
        self.poison: str | None = None
        """An id that it cannot book."""
        self.spoilt: set[str] = set()
        """Keys that hold no counter."""
        self.calls = 0
        self.settled: list[str] = []
        self.running = self.most = 0
        self.closed = False
        self._called = asyncio.Event()
        self._peeks = 0

    async def until(self, calls: int) -> None:
        """Waits for that many calls in all."""
        async with asyncio.timeout(10):
            while self.calls < calls:
                self._called.clear()
                await self._called.wait()

    async def _begin(self, id: str, charges: Iterable[Charge] = ()) -> None:
        self.calls += 1
        self._called.set()
        if self.hanging:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.running -= 1
        if self.failing or id == self.poison:
            raise StoreError("out of order")
        if not self.spoilt.isdisjoint(charge.key for charge in charges):
            raise UnsoundError("no counter")

    def _end(self) -> None:
        if self.forgetful:
            raise StoreError("out of order")

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        await self._begin(id, charges)
        acquired = await self.store.acquire(id, charges, lease)
        self._end()
        return acquired

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._begin("")
        await self.store.renew(ids, lease)
        self._end()

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._begin(id, [item.charge for item in corrections])
        await self.store.settle(id, corrections)
        self.settled.append(id)
        self._end()

    async def close(self) -> None:
        self.closed = True
        await self.store.close()

    async def used(self, charge: Charge) -> int:
        """What is on a counter, asked for behind the back of what fails."""
        self._peeks += 1
        peek = charge._replace(need=0, take=0, blocks=False, hold=False)
        return (await self.store.acquire(f"peek {self._peeks}", [peek])).readings[0].used


class Kept:
    """A store that stays open."""

    def __init__(self, store: Store) -> None:
        self.acquire, self.renew, self.settle = store.acquire, store.renew, store.settle

    async def close(self) -> None:
        pass


async def even(store: FallbackStore) -> None:
    """Waits until the primary is back and has learned of everything."""
    while store.away or store.owed:
        watch = store._primary._watch
        assert watch
        done, _ = await asyncio.wait([watch], timeout=10)
        assert done


async def settle(store: FallbackStore, id: str, *corrections: Correction) -> None:
    """As the engine does: what fails is nobody's business."""
    with suppress(StoreError):
        await store.settle(id, corrections)
