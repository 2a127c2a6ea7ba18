"""Bookings over several stores: all or none, whichever stores the limits of one request are kept in."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from limiter.counters import Acquired, Correction, Reading
from limiter.ledgers import Ledger
from limiter.plans import Planned
from limiter.rules import Policy, Rule
from limiter.stores.contract import LEASE, Clock, Store, StoreError

logger = logging.getLogger(__name__)


class Booked(NamedTuple):
    """The answer of the stores to one batch."""

    acquired: Acquired
    """Its time is that of the first charge's store."""
    late: bool
    """A window ended on the way to its store: what was booked there counts for nothing."""


class UnservedError(StoreError):
    """The store of a rule could not answer, and the rule says to wait for it."""

    def __init__(self, rule: Rule, problem: StoreError) -> None:
        super().__init__(str(problem))
        self.rule = rule


class _Account:
    """One store, and how far its clock is ahead of ours."""

    __slots__ = ("_mark", "offset", "store")

    def __init__(self, store: Store, mark: str) -> None:
        self.store = store
        self._mark = mark
        self.offset = 0
        """Milliseconds, as of its last answer."""

    def id(self, batch: str) -> str:
        """The id of the account's part of a batch: two ledgers may lead to one server, for which equal ids are one."""
        return batch + self._mark


class Bookings:
    """The stores of a policy.

    A batch whose limits lie in several stores is acquired in all of them side by side. If one refuses, what the others
    booked is given back; in between, others may be refused for it.

    Args:
        stores: for each ledger of the policy, and for None.
    """

    def __init__(self, policy: Policy, stores: Mapping[Ledger | None, Store], clock: Clock) -> None:
        self._clock = clock
        ordered = sorted(stores.items(), key=lambda pair: pair[0] is not None)
        accounts = {
            ledger: _Account(store, f".{index}" if index else "") for index, (ledger, store) in enumerate(ordered)
        }
        self._own = accounts[None]
        # By identity, as rules are asked for it with every request and a ledger has many parts to compare.
        self._accounts = {id(rule.ledger): accounts[rule.ledger] for rule in policy.rules}

    def now(self, rule: Rule | None = None) -> int:
        """Milliseconds on the clock of the rule's store; of that of the native dialect for None."""
        return self._clock() + (self._account(rule) if rule else self._own).offset

    async def acquire(self, id: str, planned: Sequence[Planned]) -> Booked:
        """Books all takes if all needs fit, else nothing (bar penalties).

        Raises:
            UnservedError: a store could not answer and is to be waited for.
        """
        first = planned[0].plan.rule.ledger
        if all(item.plan.rule.ledger is first for item in planned):
            return await self._acquire_in(self._account(planned[0].plan.rule), id, planned)
        parts = self._parts(range(len(planned)), lambda index: planned[index].plan.rule)
        answers = await asyncio.gather(
            *(self._acquire_in(account, id, [planned[index] for index in part]) for account, part in parts),
            return_exceptions=True,
        )
        readings: dict[int, Reading] = {}
        admitted, late = True, False
        problem: BaseException | None = None
        for (_, part), answer in zip(parts, answers, strict=True):
            if isinstance(answer, BaseException):
                problem = answer
                continue
            readings.update(zip(part, answer.acquired.readings, strict=True))
            admitted = admitted and answer.acquired.admitted
            late = late or answer.late
        if problem or not admitted:
            try:
                await self.give_back(id, _admitted(planned, parts, answers))
            except StoreError as failed:
                # Nobody waits for it: what is booked stays until its window, or its hold, ends.
                logger.warning("ai-limit: what a refused request had booked could not be given back: %s", failed)
        if problem:
            raise problem
        now = self.now(planned[0].plan.rule)
        return Booked(Acquired(admitted, now, tuple(readings[index] for index in range(len(planned)))), late)

    async def settle(self, id: str, corrections: Sequence[tuple[Rule, Correction]]) -> None:
        """Books corrections, each in the store of its rule.

        Raises:
            StoreError: of one of the stores; the others have booked theirs.
        """
        parts = self._parts(corrections, lambda pair: pair[0])
        calls = [
            account.store.settle(account.id(id), [correction for _, correction in part]) for account, part in parts
        ]
        if len(calls) == 1:
            await calls[0]
            return
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def give_back(self, id: str, booked: Iterable[tuple[Planned, Reading]]) -> None:
        """Undoes what a batch booked. Windows that are over by now are left alone.

        Raises:
            StoreError: as `settle`.
        """
        corrections = [
            (item.plan.rule, Correction(item.charge, 0, reading.expires_at))
            for item, reading in booked
            if item.charge.take
        ]
        if corrections:
            await self.settle(id, corrections)

    async def renew(self, held: Iterable[tuple[str, Sequence[Planned]]]) -> None:
        """Extends the leases of batches, given by id and charges.

        Raises:
            StoreError: of one of the stores.
        """
        ids: defaultdict[_Account, list[str]] = defaultdict(list)
        for batch, planned in held:
            for account in {self._account(item.plan.rule) for item in planned if item.charge.hold}:
                ids[account].append(account.id(batch))
        problem: StoreError | None = None
        for account, ours in ids.items():
            try:
                await account.store.renew(ours, LEASE)
            except StoreError as failed:
                problem = failed  # The others' leases must not run out for it.
        if problem:
            raise problem

    @property
    def own(self) -> Store:
        """The store of the native dialect."""
        return self._own.store

    def _account(self, rule: Rule) -> _Account:
        return self._accounts[id(rule.ledger)]

    def _parts[Item](self, items: Iterable[Item], rule_of: Callable[[Item], Rule]) -> list[tuple[_Account, list[Item]]]:
        parts: defaultdict[_Account, list[Item]] = defaultdict(list)
        for item in items:
            parts[self._account(rule_of(item))].append(item)
        return list(parts.items())

    async def _acquire_in(self, account: _Account, id: str, planned: Sequence[Planned]) -> Booked:
        charges = [item.charge for item in planned]
        try:
            acquired = await account.store.acquire(account.id(id), charges)
        except StoreError as problem:
            raise UnservedError(planned[0].plan.rule, problem) from problem
        account.offset = acquired.now - self._clock()
        return Booked(acquired, any(0 < charge.expires_at <= acquired.now for charge in charges))


def _admitted(
    planned: Sequence[Planned],
    parts: Sequence[tuple[_Account, list[int]]],
    answers: Sequence[Booked | BaseException],
) -> Iterator[tuple[Planned, Reading]]:
    """What was booked by the stores that admitted their part."""
    for (_, part), answer in zip(parts, answers, strict=True):
        if not isinstance(answer, BaseException) and answer.acquired.admitted:
            yield from zip([planned[index] for index in part], answer.acquired.readings, strict=True)
