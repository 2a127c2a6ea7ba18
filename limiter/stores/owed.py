"""What a store is owed: bookings that were made while it did not answer, kept until it has them all.

Every exchange is handed over by its own id, which makes it safe to send what may have been booked already: first the
acquire, if that was answered in the store's place, then the settlement. A late acquire refuses nothing: what it counts
has happened. When the store turns out to have refused that id itself, before its answer was lost, another is taken.

What was consumed in windows that are over belongs to nobody any more. The keys of windows with a fixed end say so
themselves. An anchored window that something was to be booked on is over when its length has passed since.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import Clock, Store, StoreError, UnsoundError
from limiter.stores.outages import Outage

MOST = 100_000
"""Exchanges that are owed; of more, the oldest are lost."""
TRIES = 1000
"""Times that one exchange is sent to a store that takes other bookings: it may need more room than a disk that is full
has left."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Debt:
    """Of one exchange."""

    charges: Sequence[Charge]
    """Of its acquire; none: the store has booked that."""
    lease: int
    corrections: Sequence[Correction] | None
    """None: the exchange runs."""
    since: int
    """Milliseconds; when the acquire was answered in the store's place, or else when the settlement came."""
    settled: int = 0
    """Milliseconds; when the settlement came."""
    tries: int = 0


class _Carried(NamedTuple):
    """How the store has booked an acquire that came late."""

    id: str
    anchors: dict[str, int]
    """By key, the ends of anchored windows: they differ from those that the exchange was told at first."""


class Owed:
    """Exchanges that a store has to learn of, those that have waited longest first.

    Args:
        clock: about that of the store.
    """

    def __init__(self, store: Store, outage: Outage, clock: Clock) -> None:
        self._store = store
        self._outage = outage
        self._tally = outage.tally
        self._clock = clock
        self._debts: OrderedDict[str, _Debt] = OrderedDict()
        self._carried: OrderedDict[str, _Carried] = OrderedDict()
        """Those that are not booked as they were told; they may still run."""

    def __len__(self) -> int:
        return len(self._debts)

    def __contains__(self, id: str) -> bool:
        return id in self._debts

    def __iter__(self) -> Iterator[str]:
        return iter(self._debts)

    def acquired(self, id: str, charges: Sequence[Charge], lease: int) -> None:
        """The exchange was admitted in the store's place. If it took nothing, all of it will be in its settlement."""
        if any(charge.take for charge in charges):
            self._add(id, _Debt(charges, lease, None, self._clock()))

    def settled(self, id: str, corrections: Sequence[Correction]) -> None:
        """The settlement waits, behind what else is owed of the exchange. As with a store, the first one counts."""
        debt = self._debts.get(id)
        if debt is None:
            now = self._clock()
            self._add(id, _Debt((), 0, corrections, now, now))
        elif debt.corrections is None:
            debt.corrections = corrections
            debt.settled = self._clock()

    def restated(self, id: str, corrections: Sequence[Correction]) -> tuple[str, Sequence[Correction]]:
        """The settlement as it fits what the store has booked."""
        carried = self._carried.get(id)
        if carried is None:
            return id, corrections
        return carried.id, [
            item._replace(anchor=carried.anchors.get(item.charge.key, item.anchor)) for item in corrections
        ]

    def booked(self, ids: Iterable[str]) -> list[str]:
        """The ids of exchanges whose acquire the store has, as it knows them."""
        debts, carried = self._debts, self._carried
        return [
            carried[name].id if name in carried else name
            for name in ids
            if name not in debts or not debts[name].charges
        ]

    async def pay(self, most: int) -> bool:
        """Hands over up to `most` exchanges at once; whether the store took any, or what is left could never be booked.

        To be called when it has just answered: what fails `TRIES` times is lost, and at once what no store can book.
        """
        batch = list(islice(self._debts.items(), most))
        problems = await asyncio.gather(*(self._pay(name, debt) for name, debt in batch))
        for (name, debt), problem in zip(batch, problems, strict=True):
            if problem is None:
                self._tally.replayed += 1
            elif self._debts.get(name) is debt:
                self._failed(name, debt, problem)
        return any(problem is None or isinstance(problem, UnsoundError) for problem in problems)

    def give_up(self) -> None:
        """All that is owed is lost."""
        self._tally.lost += len(self._debts)
        self._debts.clear()

    async def _pay(self, id: str, debt: _Debt) -> StoreError | None:
        try:
            if debt.charges:
                if charges := _alive(debt.charges, debt.since, self._clock()):
                    self._carry(id, await self._acquire(id, charges, debt.lease), charges)
                debt.charges = ()
            # It may have come just now; after this look nothing is awaited unless it has.
            if debt.corrections is not None:
                name, corrections = self.restated(id, debt.corrections)
                await self._store.settle(name, _still_due(corrections, debt.settled, self._clock()))
        except StoreError as problem:
            return problem
        if self._debts.get(id) is debt:
            del self._debts[id]
        return None

    async def _acquire(self, id: str, charges: Sequence[Charge], lease: int) -> tuple[str, Acquired]:
        forced = [charge._replace(blocks=False) for charge in charges]
        acquired = await self._store.acquire(id, forced, lease)
        if acquired.admitted:
            return id, acquired
        other = f"{id}'"
        return other, await self._store.acquire(other, forced, lease)

    def _carry(self, id: str, booked: tuple[str, Acquired], charges: Sequence[Charge]) -> None:
        name, acquired = booked
        if name == id and all(charge.expires_at for charge in charges):
            return
        anchors = {charge.key: item.expires_at for charge, item in zip(charges, acquired.readings, strict=True)}
        self._carried[id] = _Carried(name, anchors)
        if len(self._carried) > MOST:
            self._carried.popitem(last=False)

    def _failed(self, id: str, debt: _Debt, problem: StoreError) -> None:
        if isinstance(problem, UnsoundError):
            del self._debts[id]
            self._tally.lost += 1
            self._outage.unsound(problem)
            return
        debt.tries += 1
        if debt.tries < TRIES:
            self._debts.move_to_end(id)
            return
        del self._debts[id]
        self._tally.lost += 1
        log.warning("an exchange could not be booked in %d tries and is lost: %s", TRIES, problem)

    def _add(self, id: str, debt: _Debt) -> None:
        self._debts[id] = debt
        if len(self._debts) > MOST:
            self._debts.popitem(last=False)
            self._tally.lost += 1


def _alive(charges: Sequence[Charge], since: int, now: int) -> list[Charge]:
    """Those whose window, if it is anchored, may not be over."""
    return [charge for charge in charges if charge.expires_at or now < since + charge.ttl]


def _still_due(corrections: Sequence[Correction], since: int, now: int) -> list[Correction]:
    """As `_alive`. A window that was begun with the late acquire lasts as long as that says."""
    return [
        item for item in corrections if item.charge.expires_at or now < since + item.charge.ttl or now < item.anchor
    ]
