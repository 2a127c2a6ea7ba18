"""Counting here and exchanging differences with a shared store now and then, as Kong's `sync_rate` does.

Each node decides on its own view of the counters: what all had booked when it last heard, and what it has booked since.
Every interval it tells the shared store, in one batch, by how much it has moved which counters, and the answer brings
what the others have booked. So no request waits for the shared store, but for the first on a counter that was not asked
for since the last exchange: that one is read.

What that costs in accuracy: a node does not know of what others admit within an interval and a round trip. With n nodes
that spend r units a second each, a limit is passed by up to (n - 1) × r × interval, and never by more than n - 1 times
what was free at the last exchange. `scripts/bench sync` measures it. With a `sync_rate` of 0, which is no matter
of this module, a limit is never passed; with a negative one nothing is exchanged, and each node spends all of it.

Reservations of this node stand at the shared store as one hold, which every exchange replaces: it vanishes with its
lease if the node is killed. In the moment between the two steps of an exchange it is missing there. So what an exchange
costs grows with what is reserved on the node at the time.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Clock, Store, StoreError, UnsoundError, wall_clock
from limiter.stores.dispatch import Dispatch
from limiter.stores.line import Line
from limiter.stores.memory import MemoryStore
from limiter.stores.outages import Outage, Tally
from limiter.stores.timely import Timely
from limiter.stores.view import Part, View, peek

LEAST_INTERVAL = 0.02
"""Seconds."""
log = logging.getLogger(__name__)


class SyncedStore:
    """A `Store` that counts in this process and exchanges differences with a shared one.

    While the shared store is away it goes on with what it knows and has booked itself, and tells the rest afterwards.

    What is not exact:

    - Lost: differences of the last interval when the process is killed, and of windows that are over when they would be
      told. Lost and counted as such: those that cannot be told within `timeout` at closing, those of a key that holds
      no counter there, or one that cannot grow any more, and a batch that the store does not take though it answers
      otherwise.
    - An anchored window that two nodes begin within an interval ends for each when it thinks, until both are over.
    - Counted twice: a batch that was booked unheard, if the store then was away for longer than it remembers ids
      (`contract.REMEMBERED`).

    Args:
        interval: seconds between two exchanges, at least 0.02.
        timeout: seconds that a call of the shared store may take.
        retry: seconds until it is asked again while it is away.

    Raises:
        ValueError: the interval is too short.
    """

    def __init__(
        self,
        shared: Store,
        interval: float,
        clock: Clock = wall_clock,
        timeout: float = 1.0,
        retry: float = 1.0,
    ) -> None:
        if interval < LEAST_INTERVAL:
            raise ValueError(f"sync_rate: found {interval}, expected at least {LEAST_INTERVAL} seconds")
        self._shared = Timely(shared, timeout)
        self._line = Line(self._shared, clock)
        self._interval = interval
        self._retry = retry
        self._view = View()
        self._local = MemoryStore(self._line.now, self._view)
        self._outage = Outage("what this process counts", clock)
        self._dispatch = Dispatch(self._line, self._view, self._outage, LEASE + int(2000 * interval))
        self._exchanging = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def away(self) -> bool:
        """The shared store does not answer at present."""
        return self._outage.away

    @property
    def owed(self) -> int:
        """Counters that were moved here and not there yet."""
        return len(self._dispatch.waiting | self._view.moved)

    @property
    def tally(self) -> Tally:
        return self._outage.tally

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        self._keep_exchanging()
        if not self.away:
            await self._look(charges)
        if self.away:
            self.tally.substituted += 1
        return await self._local.acquire(id, charges, lease)

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._local.renew(ids, lease)

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        self._keep_exchanging()
        await self._local.settle(id, corrections)

    async def close(self) -> None:
        """Tells what is left to tell, for as long as a call may take, and closes the shared store."""
        if self._closed:
            return
        self._closed = True
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(TimeoutError):
            async with asyncio.timeout(self._shared.timeout):
                # The second tells what was booked after the first was begun, should that have failed before.
                await self.exchange()
                await self.exchange()
        if left := self.owed:
            self.tally.lost += left
            log.warning("the store is closed before it has learned of everything: %s", str(self.tally))
        await self._shared.close()
        await self._local.close()

    async def exchange(self) -> None:
        """Tells what was booked here and learns what others have booked. Done every interval, and once at the end."""
        async with self._exchanging:
            if self._dispatch.is_done:
                # Reaps what is overdue, or it would be renewed there for ever.
                await self._local.acquire("", [])
                self._dispatch.load(self._local.held)
            was_away = self.away
            try:
                confirmed = await self._dispatch.deliver()
                if was_away:
                    self.tally.replayed += confirmed
                    # There may have been nothing to tell.
                    await self._line.ask([])
            except StoreError as problem:
                self._failed(problem)
                return
            self._view.round += 1
            self._outage.away = False
            self._outage.announce()

    async def _look(self, charges: Sequence[Charge]) -> None:
        """Sees to it that these counters are fresh, and stay so."""
        now = self._line.now()
        ends: dict[str, int] = {}
        for charge in charges:
            ends[charge.key] = charge.expires_at or now + charge.ttl
            if charge.previous:
                ends[charge.previous] = charge.start + charge.size
        view = self._view
        stale = [Part(key, end, 0, 0) for key, end in ends.items() if not view.is_fresh(key)]
        if stale or not self._line.was_heard:
            try:
                await self._learn(stale)
            except StoreError as problem:
                self._failed(problem)
                return
        for key, end in ends.items():
            view.touch(key, end, now)

    async def _learn(self, parts: Sequence[Part]) -> None:
        """Asks for all at once, or one by one if there is one among them that is no counter."""
        try:
            acquired = await self._line.ask([peek(part.key) for part in parts])
        except UnsoundError as problem:
            if len(parts) > 1:
                for part in parts:
                    await self._learn([part])
                return
            self.tally.failures += 1
            self._outage.unsound(problem)
            for part in parts:
                self._view.leave(part, self._line.now())
            return
        for part, reading in zip(parts, acquired.readings, strict=True):
            # If it was asked about otherwise meanwhile, that is the later word.
            if part.key not in self._dispatch and not self._view.is_fresh(part.key):
                self._view.learn(part, reading, acquired.now)

    def _failed(self, problem: StoreError) -> None:
        self.tally.failures += 1
        self._outage.failed(problem)
        self._hurry.set()

    def _keep_exchanging(self) -> None:
        if self._closed:
            raise StoreError("the synced store is closed")
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._exchange_for_ever())

    async def _exchange_for_ever(self) -> None:
        while True:
            if self.away:
                await asyncio.sleep(self._retry)
            else:
                self._hurry.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._hurry.wait()
                if self.away:
                    continue
            was_away = self.away
            await self.exchange()
            if was_away and not self.away:
                # What was booked since the last attempt before the outage.
                await self.exchange()
