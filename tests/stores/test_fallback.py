"""A store that is away, in the three ways to answer for it, and what it learns when it is back."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.counters import Acquired, Charge, Correction, Reading
from limiter.stores import fallback, owed
from limiter.stores.contract import LEASE, Store, StoreError
from limiter.stores.fallback import FallbackStore, OnError
from limiter.stores.memory import MemoryStore
from limiter.stores.owed import Tally
from limiter.stores.sqlite import SqliteStore
from limiter.stores.watched import STUBBORN
from tests.contract.backends import NOON, Time

CHARGE = Charge("key", 5, 1, 1, 0, NOON + 10**9)
HELD = Charge("held", 100, 30, 30, 0, NOON + 10**9, hold=True, keep=10)
AFTER = Charge("after", 10**6, 1, 0, 0, NOON + 10**9)
"""Paid after, as tokens are."""
MODES: tuple[OnError, ...] = ("local", "allow", "deny")
SUBSTITUTES: tuple[OnError, ...] = ("local", "allow")


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

    async def _begin(self, id: str) -> None:
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

    def _end(self) -> None:
        if self.forgetful:
            raise StoreError("out of order")

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        await self._begin(id)
        acquired = await self.store.acquire(id, charges, lease)
        self._end()
        return acquired

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._begin("")
        await self.store.renew(ids, lease)
        self._end()

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._begin(id)
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


@pytest.fixture
def primary(clock: Time) -> Primary:
    return Primary(MemoryStore(clock))


Make = Callable[[OnError], FallbackStore]


@pytest.fixture
async def make(primary: Primary, clock: Time) -> AsyncIterator[Make]:
    """Opens a store over the primary that asks for it every 10 ms."""
    made: list[FallbackStore] = []

    def make(on_error: OnError) -> FallbackStore:
        made.append(FallbackStore(primary, on_error, clock, timeout=0.02, retry=0.01))
        return made[-1]

    yield make
    for store in made:
        await store.close()


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


@pytest.mark.parametrize("on_error", MODES)
async def test_a_primary_that_answers_is_all_there_is(make: Make, primary: Primary, on_error: OnError) -> None:
    store = make(on_error)
    answers = [(await store.acquire(str(number), [CHARGE])).admitted for number in range(7)]
    assert answers == [True] * 5 + [False] * 2
    await store.renew(["1"])
    await store.settle("1", [Correction(CHARGE, 4)])
    assert await primary.used(CHARGE) == 8
    assert (store.tally, store.owed, store.away) == (Tally(), 0, False)


async def test_local_counts_in_this_process(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.failing = True
    answers = [(await store.acquire(str(number), [CHARGE])).admitted for number in range(7)]
    assert answers == [True] * 5 + [False] * 2
    assert store.tally == Tally(failures=1, substituted=7)
    assert primary.calls == 1


async def test_allow_admits_everything_as_if_nothing_were_used(make: Make, primary: Primary) -> None:
    store = make("allow")
    primary.failing = True
    for number in range(7):
        acquired = await store.acquire(str(number), [CHARGE, HELD])
        reading = Reading(0, 0, 0, CHARGE.expires_at, True)
        assert acquired == Acquired(True, NOON, (reading, reading))
    await store.settle("0", [Correction(CHARGE, 9)])
    primary.failing = False
    await even(store)
    assert await primary.used(CHARGE) == 9 + 6
    await store.settle("1", [Correction(CHARGE, 9), Correction(HELD, 0)])
    assert await primary.used(CHARGE) == 9 + 9 + 5
    assert await primary.used(HELD) == 30 + 0 + 5 * 30
    assert store.tally == Tally(failures=1, substituted=7, replayed=7)


async def test_deny_raises(make: Make, primary: Primary) -> None:
    store = make("deny")
    assert (await store.acquire("a", [CHARGE])).admitted
    primary.failing = True
    for call in (
        lambda: store.acquire("b", [CHARGE]),
        lambda: store.acquire("c", [CHARGE]),
        lambda: store.settle("a", []),
        lambda: store.renew(["a"]),
    ):
        with pytest.raises(StoreError, match="out of order"):
            await call()
    assert (primary.calls, store.tally, store.owed) == (2, Tally(failures=1), 1)
    primary.failing = False
    await even(store)
    assert (await store.acquire("b", [CHARGE])).admitted


async def test_a_primary_that_hangs_costs_its_timeout_once(make: Make, primary: Primary) -> None:
    """Also while it is asked whether it is back: that is nobody's call."""
    store = make("local")
    primary.hanging = True
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await store.acquire("first", [CHARGE])).admitted
    assert loop.time() - began >= 0.02
    for number in range(50):
        calls = primary.calls
        await store.acquire(str(number), [CHARGE])
        assert primary.calls == calls
        await asyncio.sleep(0.001)
    assert store.tally.failures == 1
    assert primary.calls > 1


async def test_it_is_asked_by_one_call_at_a_time_and_comes_back(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.hanging = True
    await asyncio.gather(*(store.acquire(str(number), [CHARGE]) for number in range(20)))
    assert store.tally.failures == 20
    assert primary.most == 20
    primary.most = 0
    asked = primary.calls + 3
    await asyncio.gather(primary.until(asked), *(store.acquire(f"later {number}", [CHARGE]) for number in range(20)))
    assert primary.most == 1
    primary.hanging = False
    await even(store)
    assert await primary.used(CHARGE) == 5
    assert not (await store.acquire("new", [CHARGE])).admitted


async def test_a_settlement_goes_where_its_acquire_was_booked(make: Make, primary: Primary, clock: Time) -> None:
    store = make("local")
    await store.acquire("before", [HELD])
    primary.failing = True
    await store.acquire("during", [HELD])
    await store.acquire("also", [HELD])
    await store.renew(["before", "during", "also"], 10 * LEASE)
    clock.advance(LEASE)
    assert (await store.acquire("peek", [HELD._replace(need=0, take=0)])).readings[0].used == 60
    await store.settle("during", [Correction(HELD, 5)])
    await store.settle("before", [Correction(HELD, 7)])
    assert store.owed == 3
    primary.failing = False
    await even(store)
    # Its hold was renewed before anything could reap it.
    assert await primary.used(HELD) == 5 + 7 + 30
    await store.settle("also", [Correction(HELD, 6)])
    assert await primary.used(HELD) == 5 + 7 + 6
    primary.failing = True
    assert (await store.acquire("peek again", [HELD._replace(need=0, take=0)])).readings[0].used == 11


async def test_an_acquire_repeated_is_answered_by_the_store_that_booked_it(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.failing = True
    first = await store.acquire("a", [CHARGE])
    primary.failing = False
    await even(store)
    assert await store.acquire("a", [CHARGE]) == first
    assert await primary.used(CHARGE) == 1


async def test_few_ids_are_remembered(make: Make, primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "REMEMBERED_IDS", 3)
    store = make("local")
    primary.failing = True
    for number in range(10):
        await store.acquire(str(number), [CHARGE])
    assert list(store._substituted) == ["7", "8", "9"]


async def test_a_caller_that_is_cancelled_breaks_nothing(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.hanging = True
    calls = [asyncio.ensure_future(store.acquire(str(number), [CHARGE])) for number in range(4)]
    await asyncio.sleep(0.001)
    calls[0].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert all(isinstance(answer, Acquired) for answer in answers[1:])
    primary.hanging = False
    await even(store)
    assert (await store.acquire("new", [CHARGE])).admitted
    assert await primary.used(CHARGE) == 4


async def test_it_is_said_once_a_minute(
    make: Make, primary: Primary, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = make("local")
    for number in range(5):
        primary.failing = True
        await store.acquire(str(number), [CHARGE])
        primary.failing = False
        await even(store)
        clock.advance(20_000)
    away = "the store does not answer (out of order); until it does: local; so far "
    back = "the store answers again; so far "
    assert [record.getMessage() for record in caplog.records] == [
        away + "1 failures, 0 substituted, 0 replayed, 0 lost",
        back + "1 failures, 1 substituted, 1 replayed, 0 lost",
        away + "4 failures, 3 substituted, 3 replayed, 0 lost",
        back + "4 failures, 4 substituted, 4 replayed, 0 lost",
    ]
    assert store.tally.failures == 5


async def test_an_outage_that_lasts_is_said_every_minute(
    make: Make, primary: Primary, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether anything is called or not."""
    store = make("deny")
    primary.failing = True
    await settle(store, "a", Correction(AFTER, 7))
    for minute in range(1, 4):
        clock.advance(60_000)
        await primary.until(primary.calls + 2)
        assert len(caplog.records) == minute + 1


async def test_closing_ends_the_asking(make: Make, primary: Primary) -> None:
    store = make("allow")
    primary.hanging = True
    await store.acquire("a", [CHARGE])
    await store.close()
    await store.close()
    assert primary.closed
    assert len(asyncio.all_tasks()) == 1


def test_a_loop_that_ended_does_not_end_the_asking(primary: Primary, clock: Time) -> None:
    store = FallbackStore(primary, "local", clock, timeout=0.02, retry=0.01)
    primary.failing = True
    asyncio.run(store.acquire("a", [CHARGE]))
    primary.failing = False

    async def later() -> None:
        await store.acquire("b", [CHARGE])
        await even(store)
        assert await primary.used(CHARGE) == 2
        await store.close()

    asyncio.run(later())
    assert store.tally.substituted == 2


@pytest.mark.parametrize("on_error", MODES)
@pytest.mark.parametrize("forgetful", [False, True])
async def test_settlements_wait_for_the_primary(
    make: Make, primary: Primary, on_error: OnError, *, forgetful: bool
) -> None:
    """In their order, once each, also where only the answer was lost."""
    store = make(on_error)
    ids = [f"{number}" for number in range(200)]
    for name in ids:
        await store.acquire(name, [AFTER, HELD._replace(limit=10**6)])
    primary.failing, primary.forgetful = not forgetful, forgetful
    for name in ids:
        await settle(store, name, Correction(AFTER, 100), Correction(HELD, 7))
        await settle(store, name, Correction(AFTER, 100), Correction(HELD, 8))
    assert store.owed == 200
    primary.failing = primary.forgetful = False
    await even(store)
    assert await primary.used(AFTER) == 20_000
    assert await primary.used(HELD) == 1400
    assert primary.settled[-200:] == ids
    assert store.tally == Tally(failures=1, replayed=200)


async def test_new_calls_pass_between_what_is_handed_over(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.failing = True
    for number in range(1000):
        await settle(store, str(number), Correction(AFTER, 1))
    primary.failing = False
    while store.away:  # noqa: ASYNC110 there is nothing to wait for but the flag
        await asyncio.sleep(0)
    assert (await store.acquire("new", [CHARGE])).admitted
    assert store.owed > 500
    await settle(store, "999", Correction(AFTER, 1))
    await even(store)
    assert await primary.used(AFTER) == 1000
    assert store.tally.substituted == 0


@pytest.mark.parametrize("on_error", SUBSTITUTES)
async def test_what_was_admitted_in_its_place_is_carried_over(
    make: Make, primary: Primary, clock: Time, on_error: OnError
) -> None:
    """Requests at once, what runs as a hold that is renewed there, what was never sent not at all."""
    store = make(on_error)
    primary.failing = True
    batch = [CHARGE, HELD, AFTER]
    for name in ("settled", "runs", "cancelled"):
        assert (await store.acquire(name, batch)).admitted
    await store.settle("settled", [Correction(HELD, 12), Correction(AFTER, 500)])
    await store.settle("cancelled", [Correction(charge, 0) for charge in batch])
    primary.failing = False
    await even(store)
    assert [await primary.used(charge) for charge in batch] == [2, 12 + 30, 500]
    clock.advance(LEASE - 1)
    await store.renew(["settled", "runs", "cancelled"])
    clock.advance(LEASE - 1)
    assert await primary.used(HELD) == 12 + 30
    await store.settle("runs", [Correction(HELD, 1), Correction(AFTER, 7)])
    assert [await primary.used(charge) for charge in batch] == [2, 13, 507]


async def test_what_is_carried_over_may_pass_a_limit(make: Make, primary: Primary) -> None:
    store = make("local")
    for number in range(4):
        await store.acquire(str(number), [CHARGE])
    primary.failing = True
    answers = [(await store.acquire(f"local {number}", [CHARGE])).admitted for number in range(7)]
    assert answers == [True] * 5 + [False] * 2
    primary.failing = False
    await even(store)
    assert await primary.used(CHARGE) == 9


@pytest.mark.parametrize("on_error", SUBSTITUTES)
async def test_an_acquire_that_was_booked_unheard_counts_once(
    make: Make, primary: Primary, clock: Time, on_error: OnError
) -> None:
    """As one that was refused unheard, by a window that is anchored elsewhere."""
    one = Charge("anchored", 1, 1, 1, 10**6, hold=True)
    store = make(on_error)
    primary.forgetful = True
    await store.acquire("booked", [one])
    primary.forgetful = False
    await even(store)
    assert await primary.used(one) == 1
    clock.advance(1000)
    primary.forgetful = True
    told = await store.acquire("refused", [one._replace(key="anchored", limit=1)])
    # The substitute of `local` is as full as the primary.
    assert told.admitted == (on_error == "allow")
    primary.forgetful = False
    await even(store)
    assert await primary.used(one) == 1 + told.admitted
    await store.settle("booked", [Correction(one, 40, NOON + 10**6)])
    if told.admitted:
        await store.renew(["refused"])
        await store.settle("refused", [Correction(one, 50, told.readings[0].expires_at)])
    assert await primary.used(one) == 40 + 50 * told.admitted


async def test_an_anchored_window_begins_when_it_is_carried_over(make: Make, primary: Primary, clock: Time) -> None:
    anchored = Charge("anchored", 100, 1, 20, 10_000, hold=True)
    store = make("local")
    primary.failing = True
    first = await store.acquire("a", [anchored])
    clock.advance(5000)
    primary.failing = False
    await even(store)
    clock.advance(5000)
    assert await primary.used(anchored) == 20
    await store.settle("a", [Correction(anchored, 3, first.readings[0].expires_at)])
    assert await primary.used(anchored) == 3


async def test_a_window_that_is_over_is_left_alone(make: Make, primary: Primary, clock: Time) -> None:
    over = AFTER._replace(expires_at=NOON + 1000)
    store = make("allow")
    await store.acquire("before", [over])
    primary.failing = True
    await store.acquire("during", [over])
    for name in ("before", "during"):
        await store.settle(name, [Correction(over, 50), Correction(AFTER._replace(key="long"), 50)])
    clock.advance(1000)
    primary.failing = False
    await even(store)
    assert await primary.used(over) == 0
    assert await primary.used(AFTER._replace(key="long")) == 100


async def test_a_hold_that_was_reaped_meanwhile_is_settled_all_the_same(
    make: Make, primary: Primary, clock: Time
) -> None:
    store = make("local")
    await store.acquire("a", [HELD])
    primary.failing = True
    await store.settle("a", [Correction(HELD, 25)])
    clock.advance(LEASE)
    assert await primary.used(HELD) == 10
    primary.failing = False
    await even(store)
    assert await primary.used(HELD) == 25


async def test_holds_of_what_runs_are_renewed_when_it_is_back(make: Make, primary: Primary, clock: Time) -> None:
    store = make("deny")
    await store.acquire("runs", [HELD])
    clock.advance(LEASE // 2)
    primary.failing = True
    with pytest.raises(StoreError, match="out of order"):
        await store.renew(["runs"])
    clock.advance(LEASE)
    primary.failing = False
    await even(store)
    assert await primary.used(HELD) == 30


async def test_what_waits_is_bounded(make: Make, primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are lost, and counted."""
    monkeypatch.setattr(owed, "MOST", 3)
    store = make("local")
    primary.failing = True
    for number in range(10):
        await settle(store, str(number), Correction(AFTER, 1 << number))
    assert (store.owed, store.tally.lost) == (3, 7)
    primary.failing = False
    await even(store)
    assert await primary.used(AFTER) == 0b1110000000


async def test_one_that_can_never_be_booked_stands_in_nobodys_way(
    make: Make, primary: Primary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Alone it makes the store seem away for a while, but not for ever."""
    monkeypatch.setattr(owed, "TRIES", STUBBORN + 5)
    store = make("deny")
    primary.poison = "poison"
    await settle(store, "poison", Correction(AFTER, 1))
    for number in range(300):
        await settle(store, str(number), Correction(AFTER, 1))
    async with asyncio.timeout(10):
        while store.owed > 1:  # noqa: ASYNC110 there is nothing to wait for but the number
            await asyncio.sleep(0)
    assert not store.away
    assert await primary.used(AFTER) == 300
    await even(store)
    assert store.tally == Tally(failures=1, replayed=300, lost=1)
    assert caplog.records[-1].getMessage().endswith("tries and is lost: out of order")

    await settle(store, "poison", Correction(AFTER, 1))
    async with asyncio.timeout(10):
        while store.away:  # noqa: ASYNC110 there is nothing to wait for but the flag
            await asyncio.sleep(0.001)
    assert store.owed == 1


async def test_what_is_owed_is_not_sent_to_a_store_that_is_too_slow(make: Make, primary: Primary) -> None:
    """It might book the same again and again, and forget the ids in between."""
    store = make("local")
    primary.failing = True
    await store.settle("a", [Correction(AFTER, 1)])
    sent: list[str] = []
    settle_there = primary.settle

    async def spy(id: str, corrections: Sequence[Correction]) -> None:
        sent.append(id)
        await settle_there(id, corrections)

    primary.settle = spy  # type: ignore[method-assign]
    primary.failing, primary.hanging = False, True
    await primary.until(primary.calls + 3)
    assert sent == []
    primary.hanging = False
    await even(store)
    assert sent == ["a"]


async def test_closing_hands_over_what_waits(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.failing = True
    for number in range(200):
        await store.settle(str(number), [Correction(AFTER, 1)])
    primary.failing = False
    inner, primary.store = primary.store, Kept(primary.store)
    await store.close()
    assert store.tally == Tally(failures=1, replayed=200)
    primary.store = inner
    assert await primary.used(AFTER) == 200


class Kept:
    """A store that stays open."""

    def __init__(self, store: Store) -> None:
        self.acquire, self.renew, self.settle = store.acquire, store.renew, store.settle

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("hanging", [False, True])
async def test_closing_waits_no_longer_than_a_call_may_take(
    make: Make, primary: Primary, caplog: pytest.LogCaptureFixture, *, hanging: bool
) -> None:
    store = make("local")
    primary.failing, primary.hanging = not hanging, hanging
    for number in range(200):
        await store.settle(str(number), [Correction(AFTER, 1)])
    async with asyncio.timeout(5):
        await store.close()
    assert store.tally.lost == 200
    assert caplog.records[-1].getMessage() == (
        "the store is closed before it has learned of everything: 1 failures, 0 substituted, 0 replayed, 200 lost"
    )


BATCH = (
    CHARGE._replace(limit=12),
    HELD._replace(limit=400),
    AFTER._replace(limit=500),
    Charge("anchored", 100, 7, 7, 10**9, hold=True, keep=3),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["acquire"] * 4 + ["settle"] * 4 + ["cancel", "renew", "failing", "forgetful", "well", "even", ""]
        ),
        st.integers(0, 19),
        st.integers(-5, 90),
    ),
    min_size=30,
    max_size=80,
)
"""What is done, by or to which exchange or for how many turns of the loop, and the true amount."""


@given(on_error=st.sampled_from(MODES), steps=STEPS)
def test_after_outages_the_counters_are_as_without(on_error: OnError, steps: list[tuple[str, int, int]]) -> None:
    """Those of all exchanges that were admitted, by whomever."""
    asyncio.run(compare_with_no_outage(on_error, steps))


async def compare_with_no_outage(on_error: OnError, steps: list[tuple[str, int, int]]) -> None:
    clock = Time()
    primary, without = Primary(MemoryStore(clock)), Primary(MemoryStore(clock))
    store = FallbackStore(primary, on_error, clock, timeout=10, retry=0)
    admitted: dict[int, tuple[Acquired, Acquired]] = {}
    for step, number, amount in steps:
        match step:
            case "acquire" if number not in admitted:
                with suppress(StoreError):
                    acquired = await store.acquire(str(number), BATCH)
                    if acquired.admitted:
                        forced = [charge._replace(blocks=False) for charge in BATCH]
                        admitted[number] = acquired, await without.acquire(str(number), forced)
            case "cancel" | "settle" if number in admitted:
                actual = amount if step == "settle" else None
                told, expected = admitted[number]
                await settle(store, str(number), *corrections(told, actual))
                await without.settle(str(number), corrections(expected, actual))
            case "renew":
                with suppress(StoreError):
                    await store.renew([str(number)])
            case "failing" | "forgetful" | "well":
                # What `deny` refuses for want of an answer may be booked.
                primary.forgetful = step == "forgetful" and on_error != "deny"
                primary.failing = step != "well" and not primary.forgetful
            case "even" if not (primary.failing or primary.forgetful):
                await even(store)
            case _:
                for _ in range(number):
                    await asyncio.sleep(0)
    primary.failing = primary.forgetful = False
    await even(store)
    assert [await primary.used(charge) for charge in BATCH] == [await without.used(charge) for charge in BATCH]
    assert store.tally.lost == 0
    await store.close()


def corrections(acquired: Acquired, amount: int | None) -> list[Correction]:
    """Of a batch; without an amount all of it is taken back, as of a request that was never sent."""
    pairs = zip(BATCH, acquired.readings, strict=True)
    return [
        Correction(charge, amount or 0, reading.expires_at)
        for charge, reading in pairs
        if amount is None or charge.key != CHARGE.key
    ]


@pytest.fixture
async def file(path: Path, clock: Time) -> AsyncIterator[Primary]:
    """An SQLite store, and calls to it counted."""
    primary = Primary(SqliteStore(path, clock))
    yield primary
    await primary.close()


@pytest.fixture
def other(file: Primary, path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that uses the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("on_error", MODES)
async def test_a_locked_file_costs_no_settlement(
    file: Primary, other: sqlite3.Connection, clock: Time, caplog: pytest.LogCaptureFixture, on_error: OnError
) -> None:
    caplog.set_level(logging.INFO)
    store = FallbackStore(file, on_error, clock, timeout=0.05, retry=0.01)
    batch = [CHARGE, AFTER]
    for name in ("a", "b", "c"):
        await store.acquire(name, batch)
    other.execute("BEGIN IMMEDIATE")
    # The first runs into the timeout: it is booked later by the writer, and then sent again.
    for name in ("a", "b", "c"):
        await settle(store, name, Correction(AFTER, 10_000))
    with suppress(StoreError):
        await store.acquire("during", batch)
        await store.settle("during", [Correction(AFTER, 5)])
    await file.until(file.calls + 2)
    assert store.away
    other.execute("ROLLBACK")
    await even(store)
    substituted = on_error != "deny"
    assert await file.used(AFTER) == 30_000 + 5 * substituted
    assert await file.used(CHARGE) == 3 + substituted
    assert caplog.records[-1].getMessage() == (
        f"the store answers again; so far 1 failures, {1 * substituted} substituted, {3 + substituted} replayed, 0 lost"
    )
    await store._primary.close()


@pytest.mark.parametrize("on_error", MODES)
async def test_a_full_disk_is_one_outage(
    file: Primary, clock: Time, caplog: pytest.LogCaptureFixture, on_error: OnError
) -> None:
    """It answers questions all the time; it counts as back when it can write."""
    caplog.set_level(logging.INFO)
    store = FallbackStore(file, on_error, clock, timeout=5, retry=0.001)
    await store.acquire("before", [CHARGE, HELD])
    assert isinstance(file.store, SqliteStore)
    connection = file.store._work.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    wide = [CHARGE, *(Charge(f"{number}:{'x' * 900}", 9, 1, 1, 0, NOON + 10**9) for number in range(20))]
    with suppress(StoreError):
        for number in range(1000):
            await file.store.acquire(f"filler {number}", [AFTER])
    with suppress(StoreError):
        await store.acquire("wide", wide)
    await settle(store, "before", Correction(HELD, 12))
    await file.until(file.calls + 100)
    assert store.away
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    connection.execute("PRAGMA max_page_count = 1000000")
    await even(store)
    substituted = on_error != "deny"
    assert await file.used(CHARGE) == 1 + substituted
    assert await file.used(wide[-1]) == 1 * substituted
    assert await file.used(HELD) == 12
    assert store.tally.lost == 0
