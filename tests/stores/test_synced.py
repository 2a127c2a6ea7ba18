"""Nodes that count for themselves and exchange differences: what each knows, and what the shared store has then."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from limiter.counters import Charge, Correction
from limiter.stores import dispatch
from limiter.stores.contract import LEASE, StoreError
from limiter.stores.memory import MemoryStore
from limiter.stores.outages import Tally
from limiter.stores.synced import SyncedStore
from limiter.stores.urls import open_store
from tests.bench.overshoot import LIMIT, simulate
from tests.contract.backends import NOON, Time
from tests.servers import shared as shared_servers
from tests.stores.faulty import AFTER, CHARGE, HELD, Kept, Primary

Node = Callable[[], SyncedStore]
HOUR = 3600.0
"""An interval that never ends here: the tests say when to exchange."""


@pytest.fixture
def shared(clock: Time) -> Primary:
    return Primary(MemoryStore(clock))


@pytest.fixture
async def node(shared: Primary, clock: Time) -> AsyncIterator[Node]:
    """Opens a node over the shared store, which outlives it."""
    made: list[SyncedStore] = []

    def make(interval: float = HOUR, retry: float = 0.001) -> SyncedStore:
        made.append(SyncedStore(Kept(shared), interval, clock, timeout=0.05, retry=retry))
        return made[-1]

    yield make
    for store in made:
        await store.close()


async def used(store: SyncedStore, charge: Charge) -> int:
    """As the node sees it."""
    peek = charge._replace(need=0, take=0, blocks=False, hold=False)
    return (await store._local.acquire(f"peek {next(_peeks)}", [peek])).readings[0].used


_peeks = iter(range(10**9))


async def test_a_counter_is_read_once_and_then_counted_here(node: Node, shared: Primary) -> None:
    await shared.store.acquire("other", [CHARGE])
    one = node()
    answers = [(await one.acquire(str(number), [CHARGE])).admitted for number in range(6)]
    assert answers == [True] * 4 + [False] * 2
    assert shared.calls == 1
    assert await shared.used(CHARGE) == 1
    await one.exchange()
    assert shared.calls == 2
    assert await shared.used(CHARGE) == 5


async def test_nodes_learn_of_each_other_at_the_next_exchange(node: Node, shared: Primary) -> None:
    """In between, each spends what was left when it last heard."""
    one, two = node(), node()
    for store, name in ((one, "one"), (two, "two")):
        answers = [(await store.acquire(f"{name} {number}", [CHARGE])).admitted for number in range(6)]
        assert sum(answers) == CHARGE.limit
    for store in (one, two, one):
        await store.acquire(f"look {id(store)}", [CHARGE])
        await store.exchange()
    assert await shared.used(CHARGE) == await used(one, CHARGE) == await used(two, CHARGE) == 10


async def test_a_counter_that_nobody_asked_for_is_read_again(node: Node, shared: Primary) -> None:
    """So that no view is older than an interval."""
    one = node()
    await one.acquire("first", [CHARGE])
    await one.exchange()
    await one.exchange()
    await shared.store.acquire("others", [CHARGE._replace(take=4)])
    assert not (await one.acquire("second", [CHARGE])).admitted


async def test_an_idle_node_asks_nothing(node: Node, shared: Primary) -> None:
    one = node(interval=0.02)
    await one.acquire("a", [CHARGE])
    await shared.until(2)
    await asyncio.sleep(0.1)
    assert shared.calls == 2
    assert await shared.used(CHARGE) == 1


async def test_both_windows_of_a_sliding_one_are_shared(node: Node, shared: Primary, clock: Time) -> None:
    before = Charge("w0", 100, 0, 40, 0, NOON + 20_000)
    charge = Charge("w1", 30, 1, 1, 0, NOON + 30_000, previous="w0", start=NOON + 10_000, size=10_000)
    one, two = node(), node()
    await one.acquire("before", [before])
    await one.exchange()
    clock.now = NOON + 15_000
    answers = [(await two.acquire(str(number), [charge])).admitted for number in range(15)]
    assert answers == [True] * 10 + [False] * 5
    await two.exchange()
    # The window before lasts long enough for late bookings on it.
    await one.settle("before", [Correction(before, 60)])
    await one.exchange()
    assert await shared.used(before) == 60
    assert (await two.acquire("peek", [charge])).readings[0].used == 30
    await two.exchange()
    assert (await two.acquire("peek again", [charge])).readings[0].used == 40


async def test_an_anchored_window_ends_for_all_when_it_ends_for_the_first(
    node: Node, shared: Primary, clock: Time
) -> None:
    anchored = Charge("anchored", 100, 1, 20, 10_000, hold=True)
    one, two = node(), node()
    first = await one.acquire("a", [anchored])
    clock.advance(5000)
    await one.exchange()
    second = await two.acquire("b", [anchored])
    assert second.readings[0].expires_at == first.readings[0].expires_at == NOON + 10_000
    await one.settle("a", [Correction(anchored, 3, NOON + 10_000)])
    for store in (one, two):
        await store.exchange()
    assert await shared.used(anchored) == 23
    clock.advance(5000)
    await two.settle("b", [Correction(anchored, 7, NOON + 10_000)])
    await two.exchange()
    assert await shared.used(anchored) == 7


async def test_what_is_over_is_told_nobody(node: Node, shared: Primary, clock: Time) -> None:
    over = CHARGE._replace(expires_at=NOON + 1000)
    one = node()
    await one.acquire("a", [over, Charge("anchored", 9, 1, 1, 1000)])
    clock.advance(1000)
    await one.exchange()
    assert shared.calls == 1
    assert one.owed == 0


async def test_reservations_are_seen_by_others_until_they_are_settled(node: Node, shared: Primary) -> None:
    one, two = node(), node()
    await one.acquire("a", [HELD])
    await one.acquire("b", [HELD])
    await one.exchange()
    assert await shared.used(HELD) == 60
    assert not (await two.acquire("c", [HELD._replace(need=41)])).admitted
    await one.settle("a", [Correction(HELD, 12)])
    await one.exchange()
    assert await shared.used(HELD) == 42
    await one.settle("b", [])
    await one.exchange()
    assert await shared.used(HELD) == 42
    assert not one._dispatch._standing


async def test_a_killed_nodes_reservations_end_with_their_lease(node: Node, shared: Primary, clock: Time) -> None:
    """What was settled stays, and so does the input of what was not."""
    dead, alive = node(), node()
    for name in "ab":
        await dead.acquire(name, [HELD])
    await dead.exchange()
    await dead.settle("a", [Correction(HELD, 12)])
    await dead.exchange()
    clock.advance(LEASE + int(2000 * HOUR) - 1)
    await alive.acquire("early", [CHARGE])
    assert await shared.used(HELD) == 12 + 30
    clock.advance(1)
    await alive.acquire("late", [CHARGE._replace(key="other")])
    assert await shared.used(HELD) == 12 + 10


async def test_a_reservation_that_is_renewed_nowhere_ends_everywhere(node: Node, shared: Primary, clock: Time) -> None:
    """Though the node lives: its exchange vanished without a word."""
    one = node()
    await one.acquire("a", [HELD])
    await one.exchange()
    await one.renew(["a"], 1000)
    clock.advance(999)
    await one.exchange()
    assert await shared.used(HELD) == 30
    clock.advance(1)
    await one.exchange()
    assert await shared.used(HELD) == 10


async def test_settling_after_the_reservation_was_reaped_is_exact(node: Node, shared: Primary, clock: Time) -> None:
    one = node()
    await one.acquire("a", [HELD])
    await one.exchange()
    shared.failing = True
    await one.exchange()
    clock.advance(2 * LEASE + int(2000 * HOUR))
    assert await shared.used(HELD) == 10
    shared.failing = False
    await one.settle("a", [Correction(HELD, 25)])
    await one.exchange()
    await one.exchange()
    assert await shared.used(HELD) == 25


async def test_refusals_are_punished_on_the_shared_counter(node: Node, shared: Primary) -> None:
    one = node()
    full = CHARGE._replace(limit=0, penalty=2)
    for number in range(3):
        assert not (await one.acquire(str(number), [full])).admitted
    await one.exchange()
    assert await shared.used(CHARGE) == 6


async def test_a_batch_that_was_booked_unheard_counts_once(node: Node, shared: Primary) -> None:
    one = node()
    await one.acquire("a", [CHARGE, HELD])
    shared.forgetful = True
    for _ in range(3):
        await one.exchange()
    assert one.away
    await one.acquire("b", [CHARGE, HELD])
    shared.forgetful = False
    await one.exchange()
    await one.exchange()
    assert not one.away
    assert [await shared.used(charge) for charge in (CHARGE, HELD)] == [2, 60]
    assert [await used(one, charge) for charge in (CHARGE, HELD)] == [2, 60]


async def test_while_the_shared_store_is_away_it_counts_here_and_tells_later(
    node: Node, shared: Primary, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """From what it knows, and without asking."""
    caplog.set_level(logging.INFO)
    one = node()
    await shared.store.acquire("others", [CHARGE._replace(take=2)])
    await one.acquire("a", [CHARGE])
    shared.failing = True
    await one.exchange()
    calls = shared.calls
    answers = [(await one.acquire(f"away {number}", [CHARGE])).admitted for number in range(4)]
    assert answers == [True, True, False, False]
    assert (await one.acquire("new", [AFTER])).admitted
    await one.settle("new", [Correction(AFTER, 500)])
    assert shared.calls == calls
    assert one.owed == 2
    await shared.store.acquire("meanwhile", [CHARGE._replace(blocks=False)])
    shared.failing = False
    async with asyncio.timeout(5):
        while one.away or one.owed:  # noqa: ASYNC110 the node's own task does the rest
            await asyncio.sleep(0.001)
    assert [await shared.used(charge) for charge in (CHARGE, AFTER)] == [2 + 1 + 2 + 1, 500]
    assert await used(one, CHARGE) == 6
    assert one.tally == Tally(failures=1, substituted=5, replayed=1)
    away, back = [record.getMessage() for record in caplog.records]
    assert away == (
        "the store does not answer (out of order); until it does: what this process counts; so far"
        " 1 failures, 0 substituted, 0 replayed, 0 lost"
    )
    assert back.startswith("the store answers again")


async def test_a_shared_store_that_hangs_costs_its_timeout_once(node: Node, shared: Primary) -> None:
    one = node(retry=0.01)
    shared.hanging = True
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await one.acquire("first", [CHARGE])).admitted
    assert loop.time() - began >= 0.05
    for number in range(50):
        calls = shared.calls
        await one.acquire(str(number), [CHARGE])
        assert shared.calls == calls
        await asyncio.sleep(0.001)
    shared.hanging = False
    async with asyncio.timeout(5):
        while one.away or one.owed:  # noqa: ASYNC110 the node's own task does the rest
            await asyncio.sleep(0.001)
    assert await shared.used(CHARGE) == 5


async def test_a_batch_that_no_store_takes_is_lost_and_said_to_be(
    node: Node, shared: Primary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatch, "TRIES", 3)
    one = node()
    await one.acquire("a", [CHARGE, AFTER])
    shared.poison = f"sync {one._line._node} {one._line._calls + 1}"
    for _ in range(3):
        await one.exchange()
    assert not one.away
    assert one.tally.lost == 2
    assert "does not take what was booked here: out of order" in caplog.text
    await one.acquire("b", [CHARGE])
    await one.exchange()
    assert await shared.used(CHARGE) == 1


async def test_many_counters_are_several_batches(node: Node, shared: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MOST", 10)
    one = node()
    charges = [HELD._replace(key=f"key {number}") for number in range(25)]
    await one.acquire("a", charges)
    calls = shared.calls
    await one.exchange()
    assert shared.calls == calls + 3
    assert [await shared.used(charge) for charge in charges] == [30] * 25


async def test_closing_tells_what_is_left(node: Node, shared: Primary) -> None:
    one = node()
    await one.acquire("a", [AFTER])
    shared.failing = True
    await one.exchange()
    await one.settle("a", [Correction(AFTER, 7)])
    shared.failing = False
    await one.close()
    await one.close()
    assert await shared.used(AFTER) == 7
    assert one.tally.lost == 0
    for call in (one.acquire("b", [AFTER]), one.settle("a", []), one.renew(["a"])):
        with pytest.raises(StoreError, match="closed"):
            await call


async def test_what_cannot_be_told_at_closing_is_lost_and_said_to_be(
    node: Node, shared: Primary, caplog: pytest.LogCaptureFixture
) -> None:
    one = node()
    await one.acquire("a", [CHARGE])
    shared.hanging = True
    async with asyncio.timeout(5):
        await one.close()
    assert one.tally.lost == 1
    assert "closed before it has learned of everything" in caplog.text
    assert len(asyncio.all_tasks()) == 1


async def test_time_is_the_shared_stores(shared: Primary, clock: Time) -> None:
    late = SyncedStore(Kept(shared), HOUR, lambda: clock() - 5000)
    assert (await late.acquire("a", [])).now == NOON
    charge = CHARGE._replace(expires_at=NOON + 1)
    assert (await late.acquire("b", [charge])).readings[0].fits
    clock.advance(1)
    assert (await late.acquire("c", [charge])).readings[0].used == 0
    await late.close()


@pytest.mark.parametrize("interval", [0, -1, 0.019])
def test_an_interval_that_is_too_short_is_an_error(shared: Primary, interval: float) -> None:
    with pytest.raises(ValueError, match=f"sync_rate: found {interval}, expected at least 0.02"):
        SyncedStore(shared, interval)


@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0, -1.0])
async def test_a_limit_is_passed_by_what_is_booked_within_an_interval_at_most(rate: float) -> None:
    """Ten nodes, and twice as many requests as the limit allows."""
    most, bound, _ = await simulate(rate, windows=2)

    assert LIMIT <= most <= bound


@pytest.mark.parametrize("url", shared_servers.SHAREABLE.values(), ids=shared_servers.SHAREABLE)
async def test_real_stores_learn_of_everything(url: Callable[[], str]) -> None:
    """Two nodes under load, which exchange as often as they may."""
    far = 2**50
    requests = Charge("{ai-limit}:r", 10**6, 1, 1, 0, far)
    tokens = Charge("{ai-limit}:t", 10**6, 9, 9, 0, far, hold=True)
    place = url()
    nodes = [SyncedStore(open_store(place), 0.02, timeout=10) for _ in range(2)]

    async def exchanges(store: SyncedStore, caller: int) -> None:
        for number in range(20):
            name = f"{id(store)} {caller} {number}"
            assert (await store.acquire(name, [requests, tokens])).admitted
            await asyncio.sleep(0.005)
            await store.settle(name, [Correction(tokens, 5)])

    await asyncio.gather(*(exchanges(store, caller) for store in nodes for caller in range(8)))
    for store in nodes:
        await store.close()
    last = open_store(place)
    found = await last.acquire("the end", [requests, tokens])
    assert [reading.current for reading in found.readings] == [2 * 8 * 20, 2 * 8 * 20 * 5]
    await last.close()
