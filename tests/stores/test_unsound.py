"""A key that holds no counter costs what is booked on it, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from limiter.counters import Charge, Correction
from limiter.stores.outages import Tally
from limiter.stores.synced import SyncedStore
from limiter.stores.urls import open_store
from tests.contract.backends import Time
from tests.servers import shared as shared_servers
from tests.stores.faulty import AFTER, CHARGE, HELD, SUBSTITUTES, Kept, Make, Primary, even
from tests.stores.faulty import settle as settle_quietly

SPOILT = CHARGE._replace(key="spoilt")
SPOILT_HOLD = HELD._replace(key="spoilt")
Node = Callable[[], SyncedStore]


@pytest.fixture
async def node(primary: Primary, clock: Time) -> AsyncIterator[Node]:
    """Opens a node over the primary that exchanges when told."""
    made: list[SyncedStore] = []

    def make() -> SyncedStore:
        made.append(SyncedStore(Kept(primary), 3600.0, clock, timeout=0.05))
        return made[-1]

    yield make
    for store in made:
        await store.close()


async def test_a_node_counts_it_alone_and_all_others_with_the_rest(
    node: Node, primary: Primary, caplog: pytest.LogCaptureFixture
) -> None:
    primary.spoilt = {"spoilt"}
    await primary.store.acquire("others", [CHARGE._replace(take=4)])
    one = node()
    found = await one.acquire("a", [SPOILT, CHARGE])
    assert [reading.used for reading in found.readings] == [0, 4]
    await one.exchange()
    assert not one.away
    assert await primary.used(CHARGE) == 5
    assert [(await one.acquire(f"more {number}", [SPOILT])).admitted for number in range(5)] == [True] * 4 + [False]
    await one.exchange()
    assert (one.owed, one.tally.lost, one.tally.substituted) == (0, 2, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "a counter cannot be used (no counter); for its requests: what this process counts"
    ]


async def test_a_node_asks_about_it_once_in_an_interval(node: Node, primary: Primary) -> None:
    primary.spoilt = {"spoilt"}
    one = node()
    for _ in range(3):
        calls = primary.calls
        for number in range(20):
            await one.acquire(f"{calls} {number}", [SPOILT, CHARGE])
        assert primary.calls <= calls + 3
        await one.exchange()


async def test_a_batch_is_halved_until_it_is_alone(node: Node, primary: Primary) -> None:
    charges = [HELD._replace(key=f"key {number}") for number in range(25)]
    one = node()
    await one.acquire("a", charges)
    primary.spoilt = {"key 3", "key 4", "key 24"}
    # What is booked though that is not heard is booked once.
    primary.forgetful = True
    await one.exchange()
    primary.forgetful = False
    await one.exchange()
    await one.exchange()
    assert not one.away
    sound = [charge for charge in charges if charge.key not in primary.spoilt]
    assert [await primary.used(charge) for charge in sound] == [30] * 22
    await one.settle("a", [Correction(charge, 12) for charge in charges])
    await one.exchange()
    await one.exchange()
    assert [await primary.used(charge) for charge in sound] == [12] * 22
    # Of each, the part that stays whatever happens, and then the rest.
    assert (one.owed, one.tally.lost) == (0, 3 * 2)


async def test_a_reservation_on_a_counter_that_is_spoilt_later_holds_no_other(node: Node, primary: Primary) -> None:
    one = node()
    await one.acquire("a", [SPOILT_HOLD, HELD])
    await one.exchange()
    assert [await primary.used(charge) for charge in (SPOILT_HOLD, HELD)] == [30, 30]
    primary.spoilt = {"spoilt"}
    await one.settle("a", [Correction(charge, 12) for charge in (SPOILT_HOLD, HELD)])
    await one.exchange()
    assert not one.away
    assert await primary.used(HELD) == 12


async def test_what_is_reserved_is_told_when_the_counter_is_mended(node: Node, primary: Primary) -> None:
    reserving = SPOILT_HOLD._replace(keep=0)
    one = node()
    primary.spoilt = {"spoilt"}
    await one.acquire("a", [reserving])
    await one.exchange()
    primary.spoilt = set()
    await one.exchange()
    assert await primary.used(reserving) == 30
    await one.settle("a", [Correction(reserving, 12)])
    await one.exchange()
    assert await primary.used(reserving) == 12
    assert one.tally.lost == 0


@pytest.mark.xdist_group("redis")
async def test_nodes_on_a_real_server() -> None:
    """A text that some other program left, and a count at its end."""
    url = shared_servers.standalone_url()
    far = 2**50
    spoilt, full, sound = (Charge(f"{{ai-limit}}:{name}", 2**60, 1, 1, 0, far) for name in ("text", "full", "sound"))
    with shared_servers.standalone().client() as client:
        client.set(spoilt.key, "abc")
        client.set(full.key, 2**53, px=10**6)
        one = SyncedStore(open_store(url), 3600.0, timeout=10)
        try:
            assert (await one.acquire("a", [spoilt, full, sound])).admitted
            await one.exchange()
            assert (one.away, one.owed, one.tally.lost) == (False, 0, 2)
            assert client.get(sound.key) == b"1"
        finally:
            await one.close()


async def test_a_substituted_acquire_is_owed_to_nobody(make: Make, primary: Primary) -> None:
    """Nothing of it will ever be booked; of its settlement, what the sound counters must amount to."""
    primary.spoilt = {"spoilt"}
    store = make("local")
    for number in range(4):
        assert (await store.acquire(str(number), [SPOILT, CHARGE])).admitted
    assert (store.away, store.owed) == (False, 0)
    assert store.tally == Tally(failures=4, substituted=4, lost=4)
    await store.settle("0", [Correction(CHARGE, 3)])
    assert await primary.used(CHARGE) == 3
    await settle_quietly(store, "1", Correction(SPOILT, 3))
    assert (store.away, store.owed, store.tally.lost) == (False, 0, 5)


@pytest.mark.parametrize("number", [1, 200])
async def test_what_is_owed_on_it_is_lost_at_once(
    make: Make, primary: Primary, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """And keeps a store that is back from nobody."""
    store = make("allow")
    primary.failing = True
    for place in range(number):
        await store.acquire(str(place), [SPOILT])
    await store.acquire("sound", [CHARGE])
    primary.failing, primary.spoilt = False, {"spoilt"}
    calls = primary.calls
    await even(store)
    # A renewal, the probe and each exchange once; the watch may have been waiting when it came back.
    assert primary.calls <= calls + number + 4
    assert store.tally == Tally(failures=1, substituted=number + 1, replayed=1, lost=number)
    assert sum("a counter cannot be used" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("on_error", SUBSTITUTES)
async def test_a_store_where_nothing_else_is_owed_is_back_at_once(make: Make, primary: Primary, on_error: str) -> None:
    store = make(on_error)  # type: ignore[arg-type]
    primary.failing = True
    await settle_quietly(store, "a", Correction(SPOILT, 1))
    primary.failing, primary.spoilt = False, {"spoilt"}
    async with asyncio.timeout(0.2):
        await even(store)
    assert store.tally.lost == 1
    assert (await store.acquire("b", [AFTER])).readings[0].known
