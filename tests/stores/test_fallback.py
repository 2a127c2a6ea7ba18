"""A store that is away, in the three ways to answer for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from limiter.counters import Acquired, Charge, Correction, Reading
from limiter.stores import fallback
from limiter.stores.contract import LEASE, StoreError
from limiter.stores.fallback import FallbackStore, OnError
from limiter.stores.memory import MemoryStore
from tests.contract.backends import NOON, Time

CHARGE = Charge("key", 5, 1, 1, 0, NOON + 10**9)
HELD = Charge("held", 100, 30, 30, 0, NOON + 10**9, hold=True, keep=10)


class Primary:
    """A memory store that can fail and hang."""

    def __init__(self, clock: Time) -> None:
        self.store = MemoryStore(clock)
        self.failing = False
        self.hanging = False
        self.calls = 0
        self.running = self.most = 0
        self.closed = False

    async def _answer(self) -> None:
        self.calls += 1
        if self.hanging:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.running -= 1
        if self.failing:
            raise StoreError("out of order")

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        await self._answer()
        return await self.store.acquire(id, charges, lease)

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._answer()
        await self.store.renew(ids, lease)

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._answer()
        await self.store.settle(id, corrections)

    async def close(self) -> None:
        self.closed = True

    async def used(self, charge: Charge) -> int:
        peek = charge._replace(need=0, take=0, blocks=False, hold=False)
        return (await self.store.acquire(f"peek {id(peek)} {self.calls}", [peek])).readings[0].used


@pytest.fixture
def primary(clock: Time) -> Primary:
    return Primary(clock)


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


async def back(store: FallbackStore) -> None:
    async with asyncio.timeout(5):
        while store.away:  # noqa: ASYNC110 there is nothing to wait for but the flag
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("on_error", ["local", "allow", "deny"])
async def test_a_primary_that_answers_is_all_there_is(make: Make, primary: Primary, on_error: OnError) -> None:
    store = make(on_error)
    answers = [(await store.acquire(str(number), [CHARGE])).admitted for number in range(7)]
    assert answers == [True] * 5 + [False] * 2
    await store.renew(["1"])
    await store.settle("1", [Correction(CHARGE, 4)])
    assert await primary.used(CHARGE) == 8
    assert (store.failures, store.substituted, store.lost, store.away) == (0, 0, 0, False)


async def test_local_counts_in_this_process(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.failing = True
    answers = [(await store.acquire(str(number), [CHARGE])).admitted for number in range(7)]
    assert answers == [True] * 5 + [False] * 2
    assert (store.failures, store.substituted) == (1, 7)
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
    await back(store)
    await store.settle("1", [Correction(CHARGE, 9)])
    assert await primary.used(CHARGE) == 0
    assert store.lost == 0


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
    assert (primary.calls, store.substituted, store.lost) == (2, 0, 1)
    primary.failing = False
    await back(store)
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
    assert store.failures == 1
    assert primary.calls > 1


async def test_it_is_asked_by_one_call_at_a_time_and_comes_back(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.hanging = True
    await asyncio.gather(*(store.acquire(str(number), [CHARGE]) for number in range(20)))
    assert store.failures == 20
    assert primary.most == 20
    primary.most = 0
    await asyncio.gather(asyncio.sleep(0.06), *(store.acquire(f"later {number}", [CHARGE]) for number in range(20)))
    assert primary.most == 1
    primary.hanging = False
    await back(store)
    assert (await store.acquire("new", [CHARGE])).admitted
    assert await primary.used(CHARGE) == 1


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
    assert store.lost == 1
    primary.failing = False
    await back(store)
    # Its hold is reaped there, as the renewal was lost.
    assert await primary.used(HELD) == 10
    await store.settle("also", [Correction(HELD, 6)])
    assert await primary.used(HELD) == 10
    primary.failing = True
    assert (await store.acquire("peek again", [HELD._replace(need=0, take=0)])).readings[0].used == 11


async def test_an_acquire_repeated_is_answered_by_the_store_that_booked_it(make: Make, primary: Primary) -> None:
    store = make("local")
    primary.failing = True
    first = await store.acquire("a", [CHARGE])
    primary.failing = False
    await back(store)
    assert await store.acquire("a", [CHARGE]) == first
    assert await primary.used(CHARGE) == 0


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
    await back(store)
    assert (await store.acquire("new", [CHARGE])).admitted


async def test_it_is_said_once_a_minute(
    make: Make, primary: Primary, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    store = make("local")
    for number in range(5):
        primary.failing = True
        await store.acquire(str(number), [CHARGE])
        primary.failing = False
        await back(store)
        clock.advance(20_000)
    assert [record.getMessage() for record in caplog.records] == [
        "the store does not answer (out of order); until it does: local; so far 1 failures, 0 substituted, 0 lost",
        "the store does not answer (out of order); until it does: local; so far 4 failures, 3 substituted, 0 lost",
    ]
    assert store.failures == 5


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
        await back(store)
        await store.close()

    asyncio.run(later())
    assert store.substituted == 2
