"""Servers that hang, crash, restart or lose replies: every call ends in time, and nothing is counted twice."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count

import pytest

from limiter.counters import Charge, Correction
from limiter.stores.contract import StoreError
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_urls import parse_url
from tests.servers import postgres
from tests.servers.front import PostgresFront

pytestmark = pytest.mark.xdist_group("postgresql-faults")
CHARGE = Charge("key", 10**9, 1, 1, 0, 2**50)
_numbers = count()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[postgres.Server]:
    with postgres.started() as server:
        yield server


@pytest.fixture
def server(shared_server: postgres.Server) -> postgres.Server:
    if shared_server.process.poll() is not None:
        shared_server.start()
    return shared_server


@pytest.fixture
def schema() -> str:
    return f"faults_{next(_numbers)}"


@asynccontextmanager
async def opened(server: postgres.Server, schema: str, **more: object) -> AsyncIterator[PostgresStore]:
    patient = {"schema": schema, "timeout": 10.0, "connect_timeout": 10.0}
    store = PostgresStore(replace(parse_url(server.url()), **(patient | more)))
    try:
        yield store
    finally:
        await store.close()


def value(server: postgres.Server, schema: str, key: str = "key") -> int:
    return int(server.run(f"SELECT value FROM {schema}.counters WHERE key = '{key}'::bytea"))


async def until(ready: Callable[[], bool]) -> None:
    while not ready():  # noqa: ASYNC110 nobody could set an event for every condition
        await asyncio.sleep(0.005)


async def test_a_lost_reply_is_asked_for_again_and_counted_once(server: postgres.Server, schema: str) -> None:
    """A connection that had been idle is given a second chance by the store itself."""
    charge = CHARGE._replace(take=5, hold=True)
    async with (
        PostgresFront(server.port) as front,
        opened(server, schema, hosts=(front.address,)) as store,
    ):
        await store.acquire("warm", [])
        for number in range(5):
            front.lost = 1
            assert (await store.acquire(f"a{number}", [charge])).admitted
            front.lost = 1
            await store.settle(f"a{number}", [Correction(charge, 3)])
        assert front.lost == 0
    assert value(server, schema) == 15


async def test_replies_that_are_lost_twice_are_an_error_and_can_be_asked_for(
    server: postgres.Server, schema: str
) -> None:
    charge = CHARGE._replace(take=5)
    async with (
        PostgresFront(server.port) as front,
        opened(server, schema, hosts=(front.address,)) as store,
    ):
        await store.acquire("warm", [])
        front.lost = 2
        with pytest.raises(StoreError, match=r"lost|closed"):
            await store.acquire("a", [charge])
        assert (await store.acquire("a", [charge])).readings[0].current == 0
    assert value(server, schema) == 5


async def test_a_session_that_was_ended_while_idle_is_replaced(server: postgres.Server, schema: str) -> None:
    async with opened(server, schema) as store:
        await store.acquire("a", [CHARGE])
        end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ai-limit'"
        assert server.run(end) == 1
        assert (await store.acquire("b", [CHARGE])).readings[0].current == 1


async def test_a_restarted_server_is_met_at_once(server: postgres.Server, schema: str) -> None:
    async with opened(server, schema) as store:
        await store.acquire("a", [CHARGE])
        server.stop()
        began = time.monotonic()
        for name in ("b", "c"):
            with pytest.raises(StoreError, match="refused"):
                await store.acquire(name, [CHARGE])
        assert time.monotonic() - began < 2
        server.start()
        assert (await store.acquire("c", [CHARGE])).readings[0].current == 1
        # An idle connection to the server of before is no reason to fail either.
        server.stop()
        server.start()
        assert (await store.acquire("d", [CHARGE])).readings[0].current == 2


@pytest.mark.parametrize("how", ["crash", "power", "restart"])
async def test_nothing_is_lost_or_counted_twice_when_the_server_falls_in_mid_load(
    server: postgres.Server, schema: str, how: str
) -> None:
    """Callers repeat with the same id until they have an answer."""
    acknowledged: list[int] = []
    failures = 0
    ended = False
    numbers = count()

    async def caller(store: PostgresStore) -> None:
        nonlocal failures
        while not ended:
            number = next(numbers)
            charges = [CHARGE._replace(take=7, hold=True, keep=1), CHARGE._replace(key=f"single {number}")]
            done = 0
            while done < 2:
                try:
                    if not done:
                        assert (await store.acquire(f"x{number}", charges, 10**9)).readings[1].current == 0
                    else:
                        await store.settle(f"x{number}", [Correction(charges[0], 3)])
                    done += 1
                except StoreError:
                    failures += 1
                    await asyncio.sleep(0.02)
            acknowledged.append(number)

    async def fall() -> None:
        wanted = len(acknowledged) + 60
        await until(lambda: len(acknowledged) >= wanted)
        if how == "power":
            server.kill()
        else:
            await asyncio.to_thread(server.stop, signal.SIGQUIT if how == "crash" else signal.SIGINT)
        await asyncio.sleep(0.1)
        # Not in another thread: the server would end with that.
        server.start()

    async with opened(server, schema) as one, opened(server, schema) as other:
        callers = [asyncio.create_task(caller(store)) for store in (one, other) * 8]
        try:
            async with asyncio.timeout(30):
                await fall()
                await fall()
                ended = True
                await asyncio.gather(*callers)
        finally:
            for task in callers:
                task.cancel()
            await asyncio.wait(callers)
    assert failures
    assert len(acknowledged) >= 120
    assert value(server, schema) == 3 * len(acknowledged)
    singles = f"SELECT count(*) FROM {schema}.counters WHERE key LIKE 'single%'::bytea AND value = 1"
    assert server.run(singles) == len(acknowledged)


async def test_a_hanging_server_costs_every_call_its_timeout_at_most(server: postgres.Server, schema: str) -> None:
    """Those that wait for a connection among them."""
    async with opened(server, schema) as store:
        await store.acquire("warm", [])
    async with opened(server, schema, timeout=0.3, connect_timeout=0.3) as store:
        await store.acquire("warm", [])
        with server.frozen():
            began = time.monotonic()
            calls = []
            for number in range(10):
                calls.append(asyncio.create_task(store.acquire(str(number), [CHARGE])))
                await asyncio.sleep(0.01)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all("no answer in time" in str(outcome) for outcome in outcomes)
            assert time.monotonic() - began < 2
        with suppress(StoreError):
            await store.acquire("again", [CHARGE])
        assert (await store.acquire("later", [CHARGE])).admitted


async def test_who_waits_for_a_lock_gives_up_in_time(server: postgres.Server, schema: str) -> None:
    """As when another client's machine stops in the middle of a transaction. Its connection stays usable."""
    async with opened(server, schema) as patient:
        await patient.acquire("a", [CHARGE])
    async with opened(server, schema, timeout=0.3) as store:
        await store.acquire("warm", [])
        locker = asyncio.create_task(
            asyncio.to_thread(
                server.run,
                f"BEGIN; LOCK TABLE {schema}.counters IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1)",
                "SELECT 1",
            )
        )
        await asyncio.sleep(0.3)
        with pytest.raises(StoreError, match="no answer in time"):
            await store.acquire("b", [CHARGE])
        await locker
        assert (await store.acquire("c", [CHARGE])).readings[0].current == 1


async def test_a_server_that_only_reads_is_an_error_until_it_writes(server: postgres.Server, schema: str) -> None:
    async with opened(server, schema, attributes="any") as store:
        await store.acquire("a", [CHARGE])
        server.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        # A session's own setting is stronger, so it is switched off there.
    async with opened(server, schema, session={"default_transaction_read_only": "on"}, attributes="any") as store:
        with pytest.raises(StoreError, match="read-only transaction"):
            await store.acquire("b", [CHARGE])
    server.run("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


async def test_a_cancelled_wait_harms_no_other_call(server: postgres.Server, schema: str) -> None:
    async with opened(server, schema) as store:
        await store.acquire("warm", [])
        for number in range(20):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    await store.acquire(f"cut {number}", [CHARGE])
            assert (await store.acquire(f"whole {number}", [CHARGE._replace(key="other")])).readings[
                0
            ].current == number
