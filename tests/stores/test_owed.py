"""What a store learns of the exchanges that it has missed when it is back."""

import asyncio
from collections.abc import Sequence

import pytest

from limiter.counters import Charge, Correction
from limiter.stores import owed
from limiter.stores.contract import LEASE, StoreError
from limiter.stores.fallback import OnError
from limiter.stores.outages import Tally
from limiter.stores.watched import STUBBORN
from tests.contract.backends import NOON, Time
from tests.stores.faulty import AFTER, CHARGE, HELD, MODES, SUBSTITUTES, Kept, Make, Primary, even, settle


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


@pytest.mark.parametrize("on_error", SUBSTITUTES)
@pytest.mark.parametrize("take", [0, 20])
@pytest.mark.parametrize(("later", "booked"), [(9_999, 50), (10_000, 0)])
async def test_what_belongs_to_an_anchored_window_that_must_be_over_is_not_carried_over(
    make: Make, primary: Primary, clock: Time, on_error: OnError, take: int, later: int, booked: int
) -> None:
    """Or consumption of an outage of many windows would be booked into one."""
    anchored = Charge("anchored", 100, 1, take, 10_000)
    store = make(on_error)
    primary.failing = True
    acquired = await store.acquire("a", [anchored])
    await store.settle("a", [Correction(anchored, 50, acquired.readings[0].expires_at), Correction(AFTER, 7)])
    clock.advance(later)
    primary.failing = False
    await even(store)
    assert await primary.used(anchored) == booked
    assert await primary.used(AFTER) == 7


async def test_one_that_still_runs_is_booked_where_it_ends(make: Make, primary: Primary, clock: Time) -> None:
    anchored = Charge("anchored", 100, 1, 20, 10_000, hold=True)
    store = make("allow")
    primary.failing = True
    await store.acquire("a", [anchored])
    clock.advance(10_000)
    primary.failing = False
    await even(store)
    assert await primary.used(anchored) == 0
    await store.settle("a", [Correction(anchored, 50)])
    assert await primary.used(anchored) == 50


async def test_a_window_begun_late_is_settled_for_as_long_as_it_lasts(
    make: Make, primary: Primary, clock: Time
) -> None:
    anchored = Charge("anchored", 100, 1, 20, 10_000, hold=True)
    store = make("allow")
    primary.failing = True
    await store.acquire("a", [anchored])
    await store.settle("a", [Correction(anchored, 50)])
    clock.advance(9_000)
    settle_there = primary.settle

    async def fails(id: str, corrections: Sequence[Correction]) -> None:
        clock.advance(5_000)
        primary.settle = settle_there  # type: ignore[method-assign]
        raise StoreError("out of order")

    primary.settle = fails  # type: ignore[method-assign]
    primary.failing = False
    await even(store)
    assert clock() == NOON + 14_000
    assert await primary.used(anchored) == 50
