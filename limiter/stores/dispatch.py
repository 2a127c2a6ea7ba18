"""What a node has to tell a shared store: batches that are sent again, under the same id, until they are confirmed."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from limiter.counters import Charge, Correction, Release
from limiter.stores.contract import StoreError, UnsoundError
from limiter.stores.line import Line
from limiter.stores.outages import Outage
from limiter.stores.timely import LateError
from limiter.stores.view import Part, View, peek

MOST = 500
"""Counters of one batch; of more, there are several batches, so that others are not kept waiting for long."""
TRIES = 300
"""Times, one a second, that a batch is sent to a store that answers otherwise. It may lie in a slot of a cluster that
is on the move."""

log = logging.getLogger(__name__)


class _Batch(NamedTuple):
    """Parts that the shared store books at once."""

    id: str
    parts: Sequence[Part]

    @property
    def charges(self) -> list[Charge]:
        return [charge for part in self.parts for charge in part.charges]

    @property
    def reserved(self) -> list[Part]:
        return [part for part in self.parts if part.held]

    def releases(self, now: int) -> list[Correction]:
        """What takes its reservations back, in windows that are not over."""
        return [part.release for part in self.reserved if part.end > now]


class Dispatch:
    """Batches on their way, and reservations that stand at the shared store.

    Args:
        lease: milliseconds for which a reservation stands.
    """

    def __init__(self, line: Line, view: View, outage: Outage, lease: int) -> None:
        self._line = line
        self._view = view
        self._outage = outage
        self._lease = lease
        self._outgoing: deque[_Batch] = deque()
        """Not confirmed."""
        self._keys: set[str] = set()
        """Counters that the present exchange is about."""
        self._withdrawn: deque[_Batch] = deque()
        """Those whose reservations have to be taken back before."""
        self._standing: list[_Batch] = []
        """Those whose reservations stand."""
        self._tries = 0
        """Of the first outgoing batch."""

    def __contains__(self, key: str) -> bool:
        """Whether a counter is being told of or asked about."""
        return key in self._keys

    @property
    def waiting(self) -> set[str]:
        """Counters of which something is not confirmed."""
        return {part.key for batch in self._outgoing for part in batch.parts if part.amount or part.held}

    @property
    def is_done(self) -> bool:
        return not self._outgoing and not self._withdrawn

    def load(self, held: Iterable[Release]) -> None:
        """Begins another exchange. Its batches stay as they are until they are confirmed.

        Args:
            held: reservations of this node.
        """
        reserved = [part for batch in self._standing for part in batch.reserved]
        parts = self._view.take(held, reserved, self._line.now())
        self._withdrawn.extend(self._standing)
        self._standing = []
        self._keys = {part.key for part in parts}
        for start in range(0, len(parts), MOST):
            self._outgoing.append(_Batch(self._line.new_id(), parts[start : start + MOST]))

    async def deliver(self) -> int:
        """Sends what is left of the exchange. The number of batches that were confirmed.

        Raises:
            StoreError: the shared store does not answer.
        """
        confirmed = 0
        while self._withdrawn:
            await self._withdraw(self._withdrawn[0])
            self._withdrawn.popleft()
        while self._outgoing:
            try:
                confirmed += await self._send(self._outgoing[0])
            except UnsoundError as problem:
                self._split(self._outgoing.popleft(), problem)
            else:
                self._outgoing.popleft()
        self._keys.clear()
        return confirmed

    async def _withdraw(self, batch: _Batch) -> None:
        """Takes reservations back. One on a counter that was spoilt since ends with its lease, for what it matters."""
        now = self._line.now()
        try:
            await self._line.settle(batch.id, batch.releases(now))
        except UnsoundError as problem:
            self._outage.unsound(problem)
            sound = await self._sound([part for part in batch.reserved if part.end > now])
            with suppress(UnsoundError):
                await self._line.settle(batch.id, [part.release for part in sound])

    async def _sound(self, parts: Sequence[Part]) -> list[Part]:
        """Those whose counters can be read."""
        try:
            await self._line.ask([peek(part.key) for part in parts])
        except UnsoundError:
            if len(parts) <= 1:
                return []
            middle = len(parts) // 2
            return [*await self._sound(parts[:middle]), *await self._sound(parts[middle:])]
        return [*parts]

    def _split(self, batch: _Batch, problem: UnsoundError) -> None:
        """Has the halves of a batch sent, of which nothing was booked. What cannot be booked alone is lost."""
        self._tries = 0
        if len(batch.parts) > 1:
            middle = len(batch.parts) // 2
            halves = batch.parts[:middle], batch.parts[middle:]
            self._outgoing.extendleft(_Batch(self._line.new_id(), parts) for parts in reversed(halves))
            return
        for part in batch.parts:
            self._outage.tally.lost += part.amount != 0
            self._view.leave(part, self._line.now(), lag=1)
        self._outage.unsound(problem)

    async def _send(self, batch: _Batch) -> bool:
        try:
            acquired = await self._line.acquire(batch.id, batch.charges, self._lease)
        except (LateError, UnsoundError):
            raise
        except StoreError as problem:
            self._tries += 1
            if self._tries < TRIES:
                raise
            await self._line.ask([])
            self._tries = 0
            self._outage.tally.lost += len(batch.parts)
            log.warning("the store answers, but does not take what was booked here: %s", problem)
            return False
        self._tries = 0
        readings = iter(acquired.readings)
        for part in batch.parts:
            before, *_ = [next(readings) for _ in part.charges]
            self._view.learn(part, before, acquired.now, lag=1)
        if batch.reserved:
            self._standing.append(batch)
        return True
