"""Batches over several stores: all or none, each on its own clock."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest

from limiter.bookings import Bookings, UnservedError
from limiter.counters import Acquired, Charge, Correction
from limiter.facts import Facts
from limiter.ledgers import Ledger
from limiter.plans import NOTHING_HELD, Plan, Planned
from limiter.rules import Limit, Policy, Rule
from limiter.stores.contract import LEASE, StoreError
from limiter.stores.memory import MemoryStore
from limiter.windows import Window

NOW = 1_795_639_680_000
AHEAD = 7_000
"""Milliseconds that the other store's clock is ahead."""
OTHER = Ledger(store="redis://counters.example")
FACTS = Facts()


def rule(name: str, amount: int, ledger: Ledger | None = None) -> Rule:
    return Rule((Limit(name, "requests", amount, Window("fixed", 1, "minute")),), ledger=ledger)


class Away(MemoryStore):
    """Answers no acquire."""

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        raise StoreError("away")


class Desk:
    """Bookings over two stores."""

    def __init__(self, *rules: Rule, other: MemoryStore | None = None) -> None:
        self.own = MemoryStore(lambda: NOW)
        self.other = other or MemoryStore(lambda: NOW + AHEAD)
        self.rules = rules
        self.bookings = Bookings(Policy(rules), {None: self.own, OTHER: self.other}, lambda: NOW)
        self._ids = map(str, count())

    def planned(self) -> tuple[Planned, ...]:
        plans = [Plan(each, limit) for each in self.rules for limit in each.limits]
        return tuple(Planned(plan, plan.charge(FACTS, NOTHING_HELD, self.bookings.now(plan.rule))) for plan in plans)

    async def acquire(self) -> bool:
        booked = await self.bookings.acquire(next(self._ids), self.planned())
        return booked.acquired.admitted

    async def used(self) -> list[int]:
        """By rule."""
        found = []
        for each, planned in zip(self.rules, self.planned(), strict=True):
            store = self.own if each.ledger is None else self.other
            asked = planned.charge._replace(need=0, take=0)
            found.append((await MemoryStore.acquire(store, f"look {each.limits[0].name}", [asked])).readings[0].used)
        return found


async def test_each_limit_is_counted_in_its_store() -> None:
    desk = Desk(rule("a", 5), rule("b", 5, OTHER), rule("c", 5))
    assert await desk.acquire()
    assert await desk.acquire()
    assert await desk.used() == [2, 2, 2]


@pytest.mark.parametrize("amounts", [(1, 5), (5, 1)])
async def test_when_one_store_refuses_the_other_gives_back(amounts: tuple[int, int]) -> None:
    desk = Desk(rule("a", amounts[0]), rule("b", amounts[1], OTHER))
    assert await desk.acquire()
    assert not await desk.acquire()
    assert await desk.used() == [1, 1]


async def test_when_one_store_is_away_the_other_gives_back() -> None:
    desk = Desk(rule("a", 5), rule("b", 5, OTHER), other=Away(lambda: NOW))
    with pytest.raises(StoreError, match="away"):
        await desk.acquire()
    assert await desk.used() == [0, 0]


async def test_each_store_has_its_own_time() -> None:
    desk = Desk(rule("a", 5), rule("b", 5, OTHER))
    await desk.acquire()
    assert [desk.bookings.now(each) for each in desk.rules] == [NOW, NOW + AHEAD]


async def test_corrections_go_where_the_charge_was_booked() -> None:
    desk = Desk(rule("a", 9), rule("b", 9, OTHER))
    planned = desk.planned()
    booked = await desk.bookings.acquire("x", planned)
    corrections = [
        (item.rule, Correction(item.charge, actual, reading.expires_at))
        for item, reading, actual in zip(planned, booked.acquired.readings, (4, 7), strict=True)
    ]
    await desk.bookings.settle("x", corrections)
    assert await desk.used() == [4, 7]


async def test_parallel_batches_never_pass_either_limit() -> None:
    desk = Desk(rule("a", 30), rule("b", 20, OTHER))
    admitted = sum(await asyncio.gather(*(desk.acquire() for _ in range(60))))
    assert admitted <= 20
    assert await desk.used() == [admitted, admitted]


async def test_a_store_that_does_not_answer_is_told_with_a_rule_of_it() -> None:
    desk = Desk(rule("a", 1), rule("b", 1, OTHER), other=Away())

    with pytest.raises(UnservedError, match="away") as problem:
        await desk.acquire()

    assert problem.value.rule is desk.rules[1]


async def test_two_ledgers_that_lead_to_one_store_are_counted_apart() -> None:
    store = MemoryStore(lambda: NOW)
    rules = (rule("a", 5), rule("b", 3, OTHER), rule("c", 3, OTHER))
    desk = Desk(*rules, other=store)
    desk.own = store
    desk.bookings = Bookings(Policy(rules), {OTHER: store, None: store}, lambda: NOW)

    assert [await desk.acquire() for _ in range(4)] == [True, True, True, False]
    assert await desk.used() == [3, 3, 3]


async def test_a_store_that_is_away_is_named_also_when_nothing_can_be_given_back() -> None:
    class Deaf(MemoryStore):
        async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
            raise StoreError("deaf")

    rules = (rule("a", 5), rule("b", 5, OTHER))
    bookings = Bookings(Policy(rules), {None: Deaf(lambda: NOW), OTHER: Away(lambda: NOW)}, lambda: NOW)
    desk = Desk(*rules)
    with pytest.raises(UnservedError, match="away") as raised:
        await bookings.acquire("x", desk.planned())
    assert raised.value.rule is rules[1]
