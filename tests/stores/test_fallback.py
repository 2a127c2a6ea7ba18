"""A store that is away, and the three ways to answer for it meanwhile."""

import asyncio
import logging

import pytest

from limiter.counters import Acquired, Correction, Reading
from limiter.stores import fallback
from limiter.stores.contract import LEASE, StoreError
from limiter.stores.fallback import FallbackStore, OnError
from limiter.stores.outages import Tally
from tests.contract.backends import NOON, Time
from tests.stores.faulty import AFTER, CHARGE, HELD, MODES, Make, Primary, even, settle


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
        reading = Reading(0, 0, 0, CHARGE.expires_at, fits=True, known=False)
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
