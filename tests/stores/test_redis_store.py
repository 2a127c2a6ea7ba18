"""One server: what it is asked, what it keeps, and what others find there."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis

from limiter.counters import Charge, Correction
from limiter.redis_settings import RedisSettings, Timeouts
from limiter.stores.contract import StoreError, UnsoundError
from limiter.stores.redis_store import RedisStore
from limiter.stores.view import peek
from tests.servers import shared

pytestmark = pytest.mark.xdist_group("redis")

DAY = 86_400_000
COMMANDS = {
    "evalsha", "eval", "time", "get", "set", "del", "exists", "pexpiretime", "pexpireat",
    "zadd", "zrem", "zrangebyscore",
}  # fmt: skip
"""All that the store ever asks for: what a user of the server must be allowed."""


@pytest.fixture
def client() -> Iterator[Redis]:
    with shared.standalone().client() as client:
        client.flushall()
        client.script_flush()
        client.config_resetstat()
        yield client


@pytest.fixture
async def store(client: Redis) -> AsyncIterator[RedisStore]:
    store = RedisStore(RedisSettings(shared.standalone().address, timeouts=Timeouts(5, 5, 5)))
    yield store
    await store.close()


def now() -> int:
    return time.time_ns() // 1_000_000


def fixed(key: str, limit: int = 10**6, take: int = 1, **more: object) -> Charge:
    return Charge(key, limit, take, take, 0, now() + DAY)._replace(**more)


def calls(client: Redis) -> dict[str, int]:
    """How often each command was run, by scripts or by clients."""
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in client.info("commandstats").items()}


async def test_the_servers_clock_is_the_clock(store: RedisStore, client: Redis) -> None:
    before = client.time()
    acquired = await store.acquire("a", [fixed("key")])
    after = client.time()
    assert before[0] * 1000 + before[1] // 1000 <= acquired.now <= after[0] * 1000 + after[1] // 1000


async def test_a_step_is_one_script_however_many_limits(store: RedisStore, client: Redis) -> None:
    await store.acquire("warm", [])
    client.config_resetstat()
    charges = [fixed(f"key {number}", hold=True) for number in range(20)]
    await store.acquire("a", charges)
    await store.renew([f"exchange {number}" for number in range(100)])
    await store.settle("a", [Correction(charge, 5) for charge in charges])
    assert calls(client)["evalsha"] == 3
    assert "eval" not in calls(client)


async def test_calls_of_one_turn_are_sent_together(store: RedisStore, client: Redis) -> None:
    await store.acquire("warm", [])
    reads = client.info("stats")["total_reads_processed"]
    await asyncio.gather(*(store.acquire(str(number), [fixed("key")]) for number in range(100)))
    # One more is the question itself; large pipelines may arrive in parts.
    assert client.info("stats")["total_reads_processed"] - reads < 12
    assert client.get("key") == b"100"


async def test_no_key_is_searched_for(store: RedisStore, client: Redis) -> None:
    """No scan, nothing that grows with what the server holds."""
    client.config_resetstat()
    charges = [
        fixed("held", take=5, hold=True),
        Charge("slide", 9, 1, 1, 0, now() + DAY, "before", now(), DAY),
        Charge("anchored", 9, 1, 1, 60_000),
    ]
    for number in range(20):
        await store.acquire(str(number), charges, 1)
        await store.renew([str(number)], 1)
        if number % 2:
            await store.settle(str(number), [Correction(charge, 2) for charge in charges])
    assert calls(client).keys() - {"config|resetstat", "info"} <= COMMANDS


async def test_counters_are_what_a_gateway_expects(store: RedisStore, client: Redis) -> None:
    """A string of digits under the limit's own key, with an end: GET, TTL, INCRBY and EXPIRE work on it, both ways."""
    key = "higress-token-ratelimit:r:limit_by_per_header:60:x-user:A b:{\xe9"
    charge = Charge(key, 100, 0, 0, 60_000, capped=True)
    await store.acquire("a", [charge])
    assert not client.exists(key)
    await store.settle("a", [Correction(charge, 60)])
    assert client.get(key) == b"60"
    assert 58 <= client.ttl(key) <= 60
    assert client.incrby(key, 30) == 90
    client.expire(key, 1000)
    acquired = await store.acquire("b", [charge])
    assert acquired.readings[0].current == 90
    assert acquired.readings[0].expires_at == client.pexpiretime(key)
    await store.settle("b", [Correction(charge, 30)])
    await store.settle("c", [Correction(charge, 30)])
    assert client.get(key) == b"120"
    assert not (await store.acquire("d", [charge])).admitted


async def test_a_counter_without_an_end_gets_one(store: RedisStore, client: Redis) -> None:
    """As a gateway that dies between two commands leaves it, which would refuse for ever."""
    charge = Charge("key", 10, 0, 0, 60_000)
    client.set("key", 50)
    refused = await store.acquire("a", [charge])
    assert not refused.admitted
    assert refused.readings[0].expires_at == client.pexpiretime("key") == refused.now + 60_000


async def test_a_counter_without_an_end_is_left_alone_by_who_only_looks(store: RedisStore, client: Redis) -> None:
    client.set("key", 7)
    assert (await store.acquire("a", [peek("key")])).readings[0].used == 7
    assert (client.get("key"), client.pttl("key")) == (b"7", -1)


@pytest.mark.parametrize("junk", ["abc", "99.5", "", "1e3", " 1", str(2**53 + 1)])
async def test_what_is_no_counter_is_an_error_and_left_alone(store: RedisStore, client: Redis, junk: str) -> None:
    client.set("junk", junk)
    with pytest.raises(StoreError, match="whole number"):
        await store.acquire("a", [fixed("key"), fixed("junk")])
    with pytest.raises(StoreError, match="whole number"):
        await store.settle("b", [Correction(fixed("key", take=0), 5), Correction(fixed("junk", take=0), 5)])
    client.delete("list")
    client.rpush("list", "x")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.acquire("a", [fixed("key"), fixed("list")])
    assert client.get("junk") == junk.encode()
    assert not client.exists("key")
    # Nothing was remembered either.
    client.set("junk", 5)
    assert (await store.acquire("a", [fixed("key"), fixed("junk")])).readings[1].current == 5


async def test_a_counter_never_passes_what_is_exact(store: RedisStore, client: Redis) -> None:
    await store.settle("a", [Correction(fixed("key", take=0), 2**53)])
    with pytest.raises(UnsoundError, match="2\\^53"):
        await store.settle("b", [Correction(fixed("other", take=0), 1), Correction(fixed("key", take=0), 1)])
    for charge in (fixed("key", take=2**53 + 1), fixed("key", penalty=2**70)):
        with pytest.raises(UnsoundError, match="beyond 2\\^53"):
            await store.acquire("c", [charge])
    with pytest.raises(UnsoundError, match="64 bits"):
        await store.acquire("c", [fixed("key", expires_at=2**70)])
    assert (client.get("key"), client.get("other")) == (str(2**53).encode(), None)


async def test_a_hold_on_what_is_no_counter_any_more_stops_nobody(store: RedisStore, client: Redis) -> None:
    await store.acquire("a", [fixed("spoilt", hold=True), fixed("sound", take=7, hold=True)], 0)
    client.set("spoilt", "junk")
    assert (await store.acquire("b", [fixed("sound")])).readings[0].current == 0
    # Nor does one that cannot be given back.
    await store.acquire("c", [fixed("low", take=5, hold=True)], 0)
    await store.settle("d", [Correction(fixed("low", take=0), -(2**53))])
    await store.settle("e", [Correction(fixed("low", take=0), -5)])
    assert (await store.acquire("f", [fixed("sound")])).admitted
    assert client.get("low") == str(-(2**53)).encode()


async def test_everything_ends(store: RedisStore, client: Redis) -> None:
    """Each key has an end; counters leave at theirs, holds and what finds them when there is nothing left to hold."""
    end = now() + 300
    for number in range(20):
        charges = [fixed("long", hold=True), fixed(f"short {number}", hold=True, expires_at=end)]
        await store.acquire(str(number), charges)
        if number % 2:
            await store.settle(str(number), [Correction(charge, 2) for charge in charges])
    assert client.zcard("ai-limit.holds:{ai-limit}") == 10
    assert all(client.pttl(key) > 0 for key in client.keys("*"))
    assert client.pexpiretime("ai-limit.hold:{ai-limit}0") >= client.pexpiretime("long")
    await store.acquire("another", [fixed("short", hold=True, expires_at=end)])
    assert client.pexpiretime("ai-limit.holds:{ai-limit}") >= client.pexpiretime("long")
    for number in [*range(0, 20, 2), "another"]:
        await store.settle(str(number), [])
    await store.renew([str(number) for number in range(20)])
    assert not client.exists("ai-limit.holds:{ai-limit}")
    await asyncio.sleep(max(0, end - now()) / 1000 + 0.01)
    left = {key for key in client.keys("*") if client.exists(key)}
    ids = [*map(str, range(20)), "another"]
    assert left == {b"long"} | {f"ai-limit.id:{{ai-limit}}{name}".encode() for name in ids}
    assert all(0 < client.pttl(key) <= 120_000 for key in left - {b"long"})


async def test_a_flushed_script_is_brought_again(store: RedisStore, client: Redis) -> None:
    for number in range(3):
        client.script_flush()
        answers = await asyncio.gather(*(store.acquire(f"{number}:{n}", [fixed("key")]) for n in range(20)))
        assert all(answer.admitted for answer in answers)
    assert client.get("key") == b"60"
    assert calls(client)["eval"] == 3


async def test_a_full_server_books_nothing(store: RedisStore, client: Redis) -> None:
    await store.acquire("a", [fixed("key", hold=True)], 0)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreError, match="OOM"):
            await store.acquire("b", [fixed("key"), fixed("other")])
    finally:
        client.config_set("maxmemory", 0)
    assert client.get("key") == b"1"
    assert (await store.acquire("b", [fixed("key"), fixed("other")])).readings[0].current == 0


@pytest.mark.parametrize("junk", ["1", "1junk", "0\x93\x01", "0\x92\xc3"])
async def test_a_spoilt_memory_of_a_call_is_an_error(store: RedisStore, client: Redis, junk: str) -> None:
    """Unless it remembers no answer at all: then the call is new."""
    client.set("ai-limit.id:{ai-limit}a", junk.encode("latin-1"), px=60_000)
    if junk == "1":
        assert (await store.acquire("a", [fixed("key")])).admitted
    else:
        with pytest.raises(StoreError, match="another program"):
            await store.acquire("a", [fixed("key")])
