"""Sentinels: who the master is, and what a failover costs."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from limiter.counters import Charge
from limiter.redis_settings import Address, Credentials, RedisSettings, Sentinel, Timeouts
from limiter.stores.contract import StoreError
from limiter.stores.redis_store import RedisStore
from limiter.stores.redis_urls import parse_url
from tests.servers import shared, valkey
from tests.stores.redis_load import Load

DAY = 86_400_000
LOGIN = Credentials(valkey.SENTINEL_USER, valkey.SENTINEL_PASSWORD)
NOBODY = Address("127.0.0.1", 1)


def charge() -> Charge:
    return Charge("{ai-limit}:key", 10**9, 1, 1, 0, time.time_ns() // 1_000_000 + DAY)


def settings(watched: valkey.Watched, *, name: str = "", login: Credentials = LOGIN) -> RedisSettings:
    nodes = (NOBODY, *(sentinel.address for sentinel in watched.sentinels))
    return RedisSettings(sentinel=Sentinel(name or watched.name, nodes, credentials=login), timeouts=Timeouts(5, 5, 5))


@pytest.mark.xdist_group("redis")
async def test_the_master_is_found_through_any_sentinel_that_answers() -> None:
    watched = shared.watched()
    store = RedisStore(settings(watched))
    # A machine under load may let a Sentinel think that the master is gone, and what was just booked goes with it.
    for attempt in range(3):
        await store.acquire(f"a{attempt}", [charge()])
        with watched.master.client() as client:
            booked = client.get(charge().key)
        if booked:
            break
    await store.close()

    assert booked


@pytest.mark.xdist_group("redis")
@pytest.mark.parametrize(
    ("name", "login", "problem"),
    [
        ("unknown", LOGIN, "no Sentinel knows the master"),
        ("", Credentials(), "NOAUTH"),
        ("", Credentials("watch", "wrong-secret"), "WRONGPASS"),
    ],
)
async def test_without_a_master_there_is_an_error(name: str, login: Credentials, problem: str) -> None:
    store = RedisStore(settings(shared.watched(), name=name, login=login))
    with pytest.raises(StoreError, match=problem) as caught:
        await store.acquire("a", [charge()])
    assert "wrong-secret" not in str(caught.value)
    await store.close()


@pytest.mark.xdist_group("redis")
async def test_a_url_names_sentinels() -> None:
    watched = shared.watched()
    hosts = ",".join(str(node.address) for node in watched.sentinels)
    login = f"sentinel_username={LOGIN.username}&sentinel_password={LOGIN.password}"
    store = RedisStore(parse_url(f"redis+sentinel://{hosts}/{watched.name}/2?sentinel_role=any&{login}"))
    await store.acquire("a", [charge()])
    await store.close()
    with watched.master.client(db=2) as client:
        assert client.get(charge().key) == b"1"


@pytest.fixture
def expendable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkey.Watched]:
    with valkey.watched(tmp_path_factory.mktemp("watched")) as watched:
        yield watched


@pytest.mark.xdist_group("redis-failover")
async def test_a_failover_on_demand_counts_nothing_twice(expendable: valkey.Watched) -> None:
    """The old master takes bookings until the store notices, a second later, and these are lost."""
    store = RedisStore(settings(expendable))
    first = expendable.master
    try:
        async with Load(store, charge()) as load:
            await load.confirmed_more(200)
            early = load.confirmed
            with expendable.sentinels[0].client() as client:
                load.mark()
                # It refuses as long as it does not know that the replica is ready.
                valkey.until(lambda: client.execute_command("SENTINEL", "FAILOVER", expendable.name))
            async with asyncio.timeout(20):
                while expendable.master is first:
                    await load.confirmed_more(1)
            with expendable.master.client() as client:
                switched = int(client.get(charge().key))
                async with asyncio.timeout(5):
                    while int(client.get(charge().key)) < switched + 200:
                        await load.confirmed_more(1)
        with expendable.master.client() as client:
            assert early - load.recent + 200 <= int(client.get(charge().key)) <= load.confirmed
        assert load.failures == 0
    finally:
        await store.close()


@pytest.mark.xdist_group("redis-failover")
async def test_a_masters_crash_loses_little_and_counts_nothing_twice(expendable: valkey.Watched) -> None:
    """What its replica had not received is lost."""
    store = RedisStore(settings(expendable))
    first = expendable.master
    try:
        async with Load(store, charge()) as load:
            await load.confirmed_more(200)
            first.kill()
            load.mark()
            await load.confirmed_more(200)
        assert load.failures
        assert expendable.master is not first
        with expendable.master.client() as client:
            assert load.confirmed - load.recent <= int(client.get(charge().key)) <= load.confirmed
    finally:
        await store.close()
