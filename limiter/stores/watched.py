"""A store that may be away: found out by one call, watched by a task until it is back and has all that it is owed.

The call that finds out pays the timeout. From then on calls fail at once, and every second the task asks whether the
store takes bookings again. When it does, it is handed what it is owed, in batches between which new calls pass, and
counts as back with the first exchange that it takes: the disk may have room for a probe and for nothing else.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import batched
from typing import Any

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Clock, Store, StoreError, UnsoundError
from limiter.stores.outages import Outage, Tally
from limiter.stores.owed import Owed
from limiter.stores.timely import Timely

FEW, MANY = 8, 64
"""Exchanges that are handed over at once: at first, and when some of those were taken."""
STUBBORN = 60
"""Times in a row that the store books the probe and nothing that it is owed; then it is not the store that fails."""
RENEWED = 1000
"""Holds that are renewed at once."""
PROBE = Charge("ai-limit.probe:{ai-limit}", limit=1, need=0, take=1, ttl=10_000, blocks=False)
"""Booked to see whether the store can write. The key lies where the native dialect's do, see redis_keys.py."""

log = logging.getLogger(__name__)


class Watched:
    """A `Store` that fails at once while the one behind it is away, and books later what could not be booked then.

    Args:
        instead: what is done while it is away, for the log.
        timeout: seconds that a call may take.
        retry: seconds between two questions whether it is back.
    """

    def __init__(self, store: Store, instead: str, clock: Clock, timeout: float, retry: float) -> None:
        self._store = Timely(store, timeout)
        self._retry = retry
        self._outage = Outage(instead, clock)
        self.owed = Owed(self._store, self._outage, clock)
        self._unrenewed: set[str] = set()
        """Ids that the store knows and could not renew."""
        self._watch: asyncio.Task[None] | None = None
        self._stubborn = 0

    @property
    def away(self) -> bool:
        return self._outage.away

    @property
    def tally(self) -> Tally:
        return self._outage.tally

    def adjust(self, instead: str, timeout: float) -> None:
        """Other settings, the same store and the same debts."""
        self._outage.instead = instead
        self._store.timeout = timeout

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        return await self._ask(self._store.acquire, id, charges, lease)

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        """What fails is done again when the store is back. Holds that it does not know of yet are passed over."""
        if booked := self.owed.booked(ids):
            try:
                await self._ask(self._store.renew, booked, lease)
            except StoreError:
                self._unrenewed.update(booked)
                raise

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        """What fails is done again when the store is back."""
        if id in self.owed:
            self.owed.settled(id, corrections)
            self._keep_watch()
            return
        try:
            await self._ask(self._store.settle, *self.owed.restated(id, corrections))
        except UnsoundError:
            self.tally.lost += 1
            raise
        except StoreError as problem:
            self.owed.settled(id, corrections)
            raise StoreError(f"{problem}; to be booked when it is back") from problem

    async def close(self) -> None:
        """Hands over what is owed as far as that takes no longer than one call may, and closes the store."""
        if self._watch:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        with suppress(TimeoutError):
            async with asyncio.timeout(self._store.timeout):
                while self.owed and await self.owed.pay(MANY):
                    pass
        if self.owed:
            self.owed.give_up()
            log.warning("the store is closed before it has learned of everything: %s", str(self.tally))
        await self._store.close()

    async def _ask[**Arguments, Answer](
        self, call: Callable[Arguments, Coroutine[Any, Any, Answer]], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Answer:
        if self.away:
            self._keep_watch()
            raise StoreError(f"away: {self._outage.problem}")
        try:
            return await call(*args, **kwargs)
        except UnsoundError as problem:
            self.tally.failures += 1
            self._outage.unsound(problem)
            raise
        except StoreError as problem:
            self.tally.failures += 1
            self._outage.failed(problem)
            self._keep_watch()
            raise

    def _keep_watch(self) -> None:
        # A task of its own: no call is held up by asking, and none that is cancelled takes the asking with it.
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._until_even())

    async def _until_even(self) -> None:
        while self.away or self.owed:
            await asyncio.sleep(self._retry)
            try:
                await self._probe()
            except StoreError as problem:
                self._outage.failed(problem)
            else:
                await self._hand_over()

    async def _probe(self) -> None:
        """Renews what should stand, before any acquire can reap it, and writes something.

        Nothing that is owed is sent before this is answered: a store that is slow, but books, would be sent the same
        again and again until it has forgotten the ids.

        Raises:
            StoreError: it is away.
        """
        wanted = [*self._unrenewed, *self.owed.booked(self.owed)]
        for ids in batched(wanted, RENEWED, strict=False):
            await self._store.renew(ids)
        self._unrenewed.difference_update(wanted)
        # A new id each time, or it would be answered without a write.
        await self._store.acquire(f"ai-limit.probe {secrets.token_hex(8)}", [PROBE])

    async def _hand_over(self) -> None:
        self._stubborn = self._stubborn + 1 if self.owed else 0
        while self.owed and await self.owed.pay(FEW if self.away else MANY):
            self._outage.away = False
            self._stubborn = 0
        if not self.owed or self._stubborn >= STUBBORN:
            self._outage.away = False
        self._outage.announce()
