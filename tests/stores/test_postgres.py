"""What is particular to the PostgreSQL store: batches, names, what cannot be written, what leaves."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from limiter.counters import Charge, Correction
from limiter.stores import postgres_lane
from limiter.stores.contract import REMEMBERED, StoreError, UnsoundError
from limiter.stores.postgres import PostgresStore
from tests.contract.backends import NOON, Time
from tests.stores.postgres_backends import OwnStore, rows, server, settings

pytestmark = pytest.mark.xdist_group("postgresql")
CHARGE = Charge("key", 10**6, 1, 1, 0, NOON + 10**9)


@pytest.fixture
async def store(clock: Time) -> AsyncIterator[OwnStore]:
    store = OwnStore(clock)
    yield store
    await store.close()


async def used(store: PostgresStore, charge: Charge = CHARGE) -> int:
    peek = charge._replace(need=0, take=0, blocks=False)
    return (await store.acquire(f"peek {time.monotonic_ns()}", [peek])).readings[0].used


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Calls in each round trip so far."""
    found: list[int] = []
    fetch = asyncpg.Connection.fetch

    async def spy(self: Any, query: str, *args: Any, **more: Any) -> Any:
        if ".step(" in query:
            found.append(len(args[6]) // 4)
        return await fetch(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", spy)
    return found


async def test_each_step_is_one_round_trip(store: OwnStore, trips: list[int]) -> None:
    charges = [CHARGE._replace(key=str(number), hold=True) for number in range(20)]
    await store.acquire("a", charges)
    await store.renew(["a"])
    await store.settle("a", [Correction(charge, 3) for charge in charges])
    assert trips == [1, 1, 1]


async def test_the_calls_of_a_turn_share_a_transaction(store: OwnStore, trips: list[int]) -> None:
    await store.acquire("warm", [CHARGE])
    before = server().run(f"SELECT count(DISTINCT xmin::text) FROM {store.schema}.exchanges")
    await asyncio.gather(*(store.acquire(str(number), [CHARGE]) for number in range(100)))
    assert trips == [1, 100]
    assert server().run(f"SELECT count(DISTINCT xmin::text) FROM {store.schema}.exchanges") == before + 1


async def test_what_comes_while_connections_are_busy_goes_together(store: OwnStore, trips: list[int]) -> None:
    async def one(number: int) -> None:
        for _ in range(number % 7):
            await asyncio.sleep(0)
        await store.acquire(str(number), [CHARGE])

    await store.acquire("warm", [CHARGE])
    await asyncio.gather(*map(one, range(200)))
    assert sum(trips) == 201
    assert len(trips) < 10


async def test_a_large_crowd_goes_in_parts(store: OwnStore, trips: list[int]) -> None:
    await asyncio.gather(*(store.acquire(str(number), [CHARGE]) for number in range(300)))
    await store.renew([str(number) for number in range(1000)])
    assert max(trips) == postgres_lane.LARGEST
    assert sum(trips) == 1300
    assert await used(store) == 300


async def test_counters_and_ids_outlive_the_store(clock: Time) -> None:
    held = Charge("held", 10**6, 9, 9, 0, NOON + 10**9, hold=True, keep=2)
    found = settings()
    first, second = PostgresStore(found, clock=clock), PostgresStore(found, clock=clock)
    answers = [await first.acquire("a", [CHARGE]), await first.acquire("b", [held])]
    await first.close()
    assert [await second.acquire("a", [CHARGE]), await second.acquire("b", [held])] == answers
    await second.settle("b", [Correction(held, 4)])
    assert [await used(second), await used(second, held)] == [1, 4]
    await second.close()


async def test_long_names_are_told_apart(store: OwnStore) -> None:
    """Though an index takes none of them as it is."""
    names = ["x" * 9000, "x" * 8999 + "y", "x" * 1000, "x" * 1001, "ж" * 501]
    for number, name in enumerate(names, 1):
        await store.acquire(name, [CHARGE._replace(key=name, take=number, previous=names[0], start=NOON, size=1000)])
    assert [await used(store, CHARGE._replace(key=name)) for name in names] == [1, 2, 3, 4, 5]


async def test_the_server_has_the_clock() -> None:
    store = PostgresStore(settings())
    answers = [await store.acquire("", ()) for _ in range(2)]
    assert abs(answers[0].now - time.time() * 1000) < 5000
    assert answers[0].now <= answers[1].now < answers[0].now + 5000
    await store.close()


async def test_a_call_that_cannot_be_written_takes_no_other_down(store: OwnStore) -> None:
    """A number too large for the column is found here, a sum too large by the server."""
    huge = CHARGE._replace(key="huge", take=2**70, need=0)
    sums = [CHARGE._replace(key="sum", take=2**62, blocks=False)] * 3
    batch = [[CHARGE], [CHARGE, huge], [CHARGE, *sums]]
    calls = [store.acquire(str(number), batch[number % 3]) for number in range(12)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(outcome, UnsoundError) for outcome in outcomes] == [number % 3 != 0 for number in range(12)]
    assert "a call cannot be written" in str(outcomes[1])
    assert "a counter would pass 64 bits" in str(outcomes[2])
    assert [await used(store, charge) for charge in (CHARGE, huge, sums[0])] == [4, 0, 0]


async def test_nonsense_is_the_callers_error_alone(store: OwnStore) -> None:
    outcomes = await asyncio.gather(
        store.acquire("a", [CHARGE]),
        store.acquire("b", [None]),  # type: ignore[list-item]
        store.acquire(7, [CHARGE]),  # type: ignore[arg-type]
        store.acquire("c", [CHARGE._replace(key=b"bytes")]),
        store.renew([None]),  # type: ignore[list-item]
        store.settle("b", [Correction(CHARGE, "5")]),  # type: ignore[arg-type]
        store.acquire("d", [CHARGE._replace(previous="p", size=0)]),
        store.acquire("e", [CHARGE]),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, *[True] * 5, False, False]
    assert await used(store) == 3


async def test_a_hold_that_cannot_be_reaped_keeps_nobody_from_being_served(store: OwnStore, clock: Time) -> None:
    odd = CHARGE._replace(key="odd", take=2**53, keep=-(2**53), hold=True, blocks=False)
    await store.acquire("a", [odd])
    server().run(f"UPDATE {store.schema}.counters SET value = -9223372036854775808 RETURNING value")
    clock.advance(10**6)
    assert (await store.acquire("b", [CHARGE])).admitted


async def test_ended_counters_and_old_ids_leave(store: OwnStore, clock: Time) -> None:
    for number in range(0, 200, 10):
        names = range(number, number + 10)
        await asyncio.gather(
            *(
                store.acquire(
                    f"exchange {name}",
                    [CHARGE._replace(key=f"key {name}", expires_at=clock.now + 1000, hold=name % 2 == 0)],
                    500,
                )
                for name in names
            )
        )
    clock.advance(REMEMBERED + 1000)
    for number in range(120):
        await store.acquire(f"later {number}", [CHARGE])
        if number == 0:
            clock.advance(REMEMBERED)
    assert rows(store.schema) == 1
    assert rows(store.schema, "exchanges") <= 180


async def test_a_hot_counter_stays_small(store: OwnStore) -> None:
    """Its row is written again and again in the room that its page has."""
    for number in range(300):
        await store.acquire(str(number), [CHARGE])
    assert server().run(f"SELECT pg_relation_size('{store.schema}.counters')") <= 3 * 8192


async def test_too_many_waiting_calls_are_turned_away(store: OwnStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_lane, "WAITING", 20)
    outcomes = await asyncio.gather(
        *(store.acquire(str(number), [CHARGE]) for number in range(50)), return_exceptions=True
    )
    assert [isinstance(outcome, StoreError) for outcome in outcomes] == [number >= 20 for number in range(50)]
    assert "20 calls wait already" in str(outcomes[20])
    assert await used(store) == 20


@pytest.fixture
def conflicts(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the next transactions be undone for the sake of others."""
    exchange = postgres_lane.Lane._exchange

    def undo(count: int) -> None:
        left = iter(range(count))

        async def conflicted(self: Any, connection: Any, batch: Any) -> None:
            if next(left, None) is not None:
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            await exchange(self, connection, batch)

        monkeypatch.setattr(postgres_lane.Lane, "_exchange", conflicted)

    return undo


async def test_an_undone_transaction_is_repeated_once(store: OwnStore, conflicts: Callable[[int], None]) -> None:
    conflicts(1)
    assert (await store.acquire("a", [CHARGE])).admitted
    conflicts(2)
    with pytest.raises(StoreError, match="deadlock detected"):
        await store.acquire("b", [CHARGE])
    assert await used(store) == 1


async def test_many_clients_on_the_same_keys_in_any_order_never_deadlock(clock: Time) -> None:
    """Nor does one see what another has booked half."""
    found = settings()
    stores = [PostgresStore(found, clock=clock) for _ in range(4)]
    keys = [CHARGE._replace(key=str(number), hold=True) for number in range(12)]

    async def client(name: int, store: PostgresStore) -> None:
        for number in range(25):
            turned = number * 5 % 12
            batch = [*keys[turned:], *keys[:turned]][:: 1 if name % 2 else -1]
            answer = await store.acquire(f"{name}:{number}", batch)
            assert len({reading.current for reading in answer.readings}) == 1

    await asyncio.gather(*(client(name, stores[name % 4]) for name in range(8)))
    assert {await used(stores[0], charge) for charge in keys} == {200}
    assert server().run("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    await asyncio.gather(*(store.close() for store in stores))


async def test_closing_leaves_no_connection() -> None:
    found = settings(session={"application_name": "about to close"})
    store = PostgresStore(found)
    await asyncio.gather(*(store.acquire(str(number), [CHARGE]) for number in range(300)))
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'about to close'"
    assert server().run(count) == 2
    await store.close()
    assert server().run(count) == 0
