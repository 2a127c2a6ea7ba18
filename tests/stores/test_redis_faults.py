"""Servers that hang, restart or lose replies: every call ends in time, and nothing is counted twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis

from limiter.counters import Charge, Correction
from limiter.redis_settings import Address, RedisSettings, Timeouts
from limiter.stores.contract import StoreError
from limiter.stores.redis_store import RedisStore
from tests.servers import valkey
from tests.servers.front import Front

pytestmark = pytest.mark.xdist_group("redis-faults")

DAY = 86_400_000
PATIENT = Timeouts(5, 5, 5)
HASTY = Timeouts(5, 5, 0.3)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkey.Server]:
    with valkey.started(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def server(shared_server: valkey.Server) -> valkey.Server:
    if shared_server.process.poll() is not None:
        shared_server.start()
    with shared_server.client() as client:
        client.flushall()
    return shared_server


@pytest.fixture
def client(server: valkey.Server) -> Iterator[Redis]:
    with server.client() as client:
        yield client


@asynccontextmanager
async def opened(address: Address, timeouts: Timeouts = PATIENT, **more: object) -> AsyncIterator[RedisStore]:
    store = RedisStore(RedisSettings(address, timeouts=timeouts, **more))
    try:
        yield store
    finally:
        await store.close()


def fixed(key: str = "key", take: int = 1, **more: object) -> Charge:
    return Charge(key, 10**9, take, take, 0, time.time_ns() // 1_000_000 + DAY)._replace(**more)


async def test_a_lost_reply_is_asked_for_again_and_counted_once(server: valkey.Server, client: Redis) -> None:
    """A connection that had been idle is given a second chance by the store itself."""
    async with Front(server.address) as front, opened(front.address) as store:
        await store.acquire("warm", [])
        for number in range(10):
            front.lost = 1
            assert (await store.acquire(f"a{number}", [fixed(take=5, hold=True)])).admitted
            front.lost = 1
            await store.settle(f"a{number}", [Correction(fixed(take=5, hold=True), 3)])
        assert front.lost == 0
        assert client.get("key") == b"30"


async def test_repeated_calls_under_random_loss_are_counted_once(server: valkey.Server, client: Redis) -> None:
    """Callers repeat with the same id until they have an answer, over connections that die at any moment."""
    failures = 0

    async def exchange(store: RedisStore, number: int) -> None:
        nonlocal failures
        charge = fixed(take=7, hold=True, keep=1)
        done = 0
        while done < 2:
            try:
                if not done:
                    await store.acquire(f"x{number}", [charge])
                else:
                    await store.settle(f"x{number}", [Correction(charge, number)])
                done += 1
            except StoreError:
                failures += 1

    async with Front(server.address) as front, opened(front.address) as store:
        front.odds = 0.5
        for start in range(0, 100, 4):
            await asyncio.gather(*(exchange(store, number) for number in range(start, start + 4)))
    assert failures
    assert client.get("key") == str(sum(range(100))).encode()


async def test_a_restarted_server_is_met_at_once(server: valkey.Server) -> None:
    async with opened(server.address) as store:
        await store.acquire("a", [fixed()])
        server.kill()
        with pytest.raises(StoreError, match="refused"):
            await store.acquire("b", [fixed()])
        server.start()
        assert (await store.acquire("c", [fixed()])).readings[0].current == 0
        # An idle connection to the server of before is no reason to fail either.
        server.kill()
        server.start()
        assert (await store.acquire("d", [fixed()])).admitted


async def test_a_hanging_server_costs_every_call_its_timeout_at_most(server: valkey.Server, client: Redis) -> None:
    """Those that wait for a connection among them."""
    async with opened(server.address, HASTY, pool_size=2) as store:
        await store.acquire("warm", [])
        with server.frozen():
            began = time.monotonic()
            calls = []
            for number in range(10):
                calls.append(asyncio.create_task(store.acquire(str(number), [fixed()])))
                await asyncio.sleep(0.01)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert 0.25 < time.monotonic() - began < 1
            assert {str(outcome).partition(": ")[2] for outcome in outcomes} == {"no answer in time"}
        # Whether they were booked is unknown; repeated, they are so once.
        await asyncio.gather(*(store.acquire(str(number), [fixed()]) for number in range(10)))
        assert client.get("key") == b"10"


async def test_a_server_that_takes_no_connection_costs_the_connect_timeout(server: valkey.Server) -> None:
    async with Front(server.address) as front:
        front.silent = True
        login = RedisSettings(front.address, timeouts=Timeouts(0.2, 5, 5), database=1)
        store = RedisStore(login)
        began = time.monotonic()
        with pytest.raises(StoreError, match="no answer in time"):
            await store.acquire("a", [])
        assert time.monotonic() - began < 1
        await store.close()


async def test_a_crowd_beyond_the_backlog_fails_at_once(server: valkey.Server) -> None:
    async with opened(server.address, HASTY, pool_size=1, backlog=3) as store:
        await store.acquire("warm", [])
        with server.frozen():
            first = asyncio.create_task(store.acquire("first", [fixed()]))
            await asyncio.sleep(0.01)
            began = time.monotonic()
            calls = [asyncio.create_task(store.acquire(str(number), [fixed()])) for number in range(5)]
            done, waiting = await asyncio.wait(calls, timeout=0.05)
            assert time.monotonic() - began < 0.2
            assert [str(call.exception()).partition(": ")[2] for call in done] == [
                "1 connections are busy and 3 calls wait"
            ] * 2
            await asyncio.gather(first, *waiting, return_exceptions=True)


async def test_connections_are_bounded_and_kept(server: valkey.Server) -> None:
    async with Front(server.address) as front, opened(front.address, pool_size=3) as store:
        for _ in range(5):
            calls = []
            for number in range(30):
                calls.append(asyncio.create_task(store.acquire(f"{number}", [fixed()])))
                await asyncio.sleep(0)
            await asyncio.gather(*calls)
        assert 1 <= front.connections <= 3


async def test_a_closing_store_answers_what_it_took(server: valkey.Server, client: Redis) -> None:
    async with opened(server.address, pool_size=1) as store:
        calls = [asyncio.create_task(store.acquire(str(number), [fixed()])) for number in range(1000)]
        await asyncio.sleep(0)
        await store.close()
        assert all(answer.admitted for answer in await asyncio.gather(*calls))
        with pytest.raises(StoreError, match="closed"):
            await store.acquire("late", [fixed()])
    assert client.get("key") == b"1000"


async def test_a_store_nobody_used_closes(tmp_path: Path) -> None:
    store = RedisStore(RedisSettings(path=str(tmp_path / "nowhere")))
    await store.close()
    store = RedisStore(RedisSettings(path=str(tmp_path / "nowhere")))
    with pytest.raises(StoreError, match="No such file"):
        await store.acquire("a", [])
    await store.close()


async def test_a_cancelled_settlement_is_booked_all_the_same(server: valkey.Server, client: Redis) -> None:
    """Nobody would repeat it. An acquire that nobody waits for any more is not sent, if there is still time."""
    async with opened(server.address) as store:
        await store.acquire("a", [fixed(take=5)])
        calls = [
            asyncio.create_task(store.settle("a", [Correction(fixed(take=5), 9)])),
            asyncio.create_task(store.acquire("b", [fixed(take=100)])),
        ]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert (await store.acquire("c", [fixed(take=1)])).readings[0].current == 9
