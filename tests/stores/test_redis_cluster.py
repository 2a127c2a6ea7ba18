"""A cluster: keys in several slots, slots on the move, a node that dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from limiter.counters import Charge, Correction
from limiter.redis_settings import Cluster, RedisSettings, Timeouts
from limiter.stores.contract import StoreError
from limiter.stores.redis_keys import slot
from limiter.stores.redis_store import RedisStore
from tests.servers import shared, valkey
from tests.stores.redis_load import Load

DAY = 86_400_000
PATIENT = Timeouts(5, 5, 5)


def fixed(key: str, limit: int = 10**6, take: int = 1, **more: object) -> Charge:
    return Charge(key, limit, take, take, 0, time.time_ns() // 1_000_000 + DAY)._replace(**more)


def value(cluster: valkey.Cluster, key: str) -> int:
    with cluster.owner(slot(key.encode())).client() as client:
        return int(client.get(key) or 0)


@pytest.fixture
def cluster() -> valkey.Cluster:
    shared.cluster().flush()
    return shared.cluster()


@pytest.fixture
async def store(cluster: valkey.Cluster) -> AsyncIterator[RedisStore]:
    store = RedisStore(RedisSettings(cluster=Cluster((cluster.nodes[0].address,)), timeouts=PATIENT))
    yield store
    await store.close()


ELSEWHERE = ["b", "a", "c", "{b}x"]
"""Keys as foreign layouts have them, on all three nodes; the last lies with the first."""
GROUP = pytest.mark.xdist_group("redis")


@GROUP
async def test_a_batch_over_several_slots_books_all_or_none(cluster: valkey.Cluster, store: RedisStore) -> None:
    charges = [fixed(key, limit, 2, penalty=1) for key, limit in zip(ELSEWHERE, (9, 9, 4, 9), strict=True)]
    answers = [await store.acquire(str(number), charges) for number in range(3)]
    assert [answer.admitted for answer in answers] == [True, True, False]
    assert [[reading.current for reading in answer.readings] for answer in answers] == [[0] * 4, [2] * 4, [4] * 4]
    assert [reading.fits for reading in answers[2].readings] == [True, True, False, True]
    assert [value(cluster, key) for key in ELSEWHERE] == [5] * 4
    # Repeated, it is the same refusal, punished no more.
    again = await store.acquire("2", charges)
    assert not again.admitted
    assert [value(cluster, key) for key in ELSEWHERE] == [5] * 4


@GROUP
async def test_over_several_slots_nobody_too_many_is_admitted(cluster: valkey.Cluster, store: RedisStore) -> None:
    charges = [fixed("a"), fixed("b", 5), fixed("c", hold=True)]
    answers = await asyncio.gather(*(store.acquire(str(number), charges) for number in range(50)))
    admitted = sum(answer.admitted for answer in answers)
    assert 0 < admitted <= 5
    assert [value(cluster, key) for key in "abc"] == [admitted] * 3


@GROUP
async def test_what_failed_in_one_slot_is_taken_back_in_the_others(cluster: valkey.Cluster, store: RedisStore) -> None:
    charges = [fixed(key, take=3, hold=True) for key in "abc"]
    with cluster.owner(slot(b"b")).client() as client:
        client.set("b", "junk")
        with pytest.raises(StoreError, match="whole number"):
            await store.acquire("x", charges)
        assert [value(cluster, key) for key in "ac"] == [0, 0]
        client.delete("b")
    # The same id again, as if nothing had been.
    assert (await store.acquire("x", charges)).admitted
    assert [value(cluster, key) for key in "abc"] == [3, 3, 3]


@GROUP
async def test_a_cancelled_batch_over_several_slots_leaves_no_part_behind(
    cluster: valkey.Cluster, store: RedisStore
) -> None:
    charges = [fixed("a", take=3), fixed("b", limit=1, take=3), fixed("c", take=3)]
    await store.acquire("warm", [fixed(key, take=0) for key in "abc"])
    call = asyncio.create_task(store.acquire("x", charges))
    for _ in range(4):
        await asyncio.sleep(0)
    call.cancel()
    await store.close()
    assert call.cancelled()
    assert [value(cluster, key) for key in "abc"] == [0, 0, 0]


@GROUP
async def test_holds_over_several_slots_are_renewed_settled_and_reaped(
    cluster: valkey.Cluster, store: RedisStore
) -> None:
    charges = [fixed(key, take=10, hold=True, keep=1) for key in "abc"]
    for id in ("settled", "forgotten", "renewed"):  # noqa: A001
        await store.acquire(id, charges, 100)
    await store.settle("settled", [Correction(charges[0], 4)])
    await store.settle("settled", [Correction(charges[0], 5)])
    await store.renew(["renewed", "settled"], 60_000)
    await asyncio.sleep(0.12)
    for number, key in enumerate("abc"):
        await store.acquire(f"reap {number}", [fixed(key, take=0)])
    assert [value(cluster, key) for key in "abc"] == [4 + 1 + 10, 10 + 1 + 10, 10 + 1 + 10]
    await store.settle("renewed", [])
    await store.renew(["renewed"], 0)
    await store.acquire("reap", [fixed(key, take=0) for key in "abc"])
    assert [value(cluster, key) for key in "abc"] == [15, 21, 21]


@GROUP
async def test_windows_that_cannot_be_read_together_are_an_error(store: RedisStore) -> None:
    with pytest.raises(StoreError, match="hash tag"):
        await store.acquire("x", [fixed("w:2", previous="w:1", size=1000)])


@GROUP
async def test_native_keys_make_one_script_call(cluster: valkey.Cluster, store: RedisStore) -> None:
    await store.acquire("warm", [fixed("{ai-limit}:a")])
    for node in cluster.nodes:
        with node.client() as client:
            client.config_resetstat()
    await store.acquire("x", [fixed(f"{{ai-limit}}:{number}") for number in range(10)])
    calls = []
    for node in cluster.nodes:
        with node.client() as client:
            calls.append(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])
    assert sorted(calls) == [0, 0, 1]


@pytest.fixture(scope="module")
def expendable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkey.Cluster]:
    """With one more node, a replica of the first."""
    with valkey.cluster(tmp_path_factory.mktemp("cluster"), replicas=1) as cluster:
        yield cluster


def key_of(cluster: valkey.Cluster, number: int) -> str:
    """A key that lives on a node."""
    while cluster.owner(slot(f"{{{number}}}".encode())) is not cluster.nodes[number % 3]:
        number += 3
    return f"{{{number}}}"


@pytest.mark.xdist_group("redis-failover")
async def test_slots_that_move_are_followed(expendable: valkey.Cluster) -> None:
    """ASK for exchanges whose keys have moved, MOVED when all have. New ones fail meanwhile: part of their keys do not
    exist yet, and it cannot be told where they would have to be.
    """
    key = key_of(expendable, 1)
    source, target = expendable.nodes[1], expendable.nodes[2]
    number = slot(key.encode())
    store = RedisStore(RedisSettings(cluster=Cluster((source.address,)), timeouts=PATIENT))
    charge = fixed(key, hold=True)
    with source.client() as old, target.client() as new:
        ids = [client.execute_command("CLUSTER MYID").decode() for client in (old, new)]
        await store.acquire("before", [charge])
        new.execute_command("CLUSTER SETSLOT", number, "IMPORTING", ids[0])
        old.execute_command("CLUSTER SETSLOT", number, "MIGRATING", ids[1])
        for name in ("torn", "new"):
            with pytest.raises(StoreError, match="moving"):
                await store.acquire(name, [charge])
        keys = old.execute_command("CLUSTER GETKEYSINSLOT", number, 100)
        assert key in keys
        assert len(keys) > 2
        old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        await store.settle("before", [Correction(charge, 5)])
        with pytest.raises(StoreError, match="moving"):
            await store.acquire("new", [charge])
        for client in (new, old):
            client.execute_command("CLUSTER SETSLOT", number, "NODE", ids[1])
        for name in ("torn", "new", "new"):
            assert (await store.acquire(name, [charge])).admitted
        answers = await asyncio.gather(*(store.acquire(f"moved {n}", [charge]) for n in range(20)))
        assert all(answer.admitted for answer in answers)
        assert int(new.get(key)) == 5 + 2 + 20
    await store.close()


@pytest.mark.xdist_group("redis-failover")
async def test_a_node_that_dies_is_replaced_and_nothing_is_counted_twice(expendable: valkey.Cluster) -> None:
    """Keys of other nodes are served all the time. Of the dead one's, what its replica had not received is lost."""
    keys = [key_of(expendable, number) for number in (0, 1)]
    settings = RedisSettings(cluster=Cluster(tuple(node.address for node in expendable.nodes)), timeouts=PATIENT)
    store = RedisStore(settings)
    try:
        async with Load(store, fixed(keys[0])) as victim, Load(store, fixed(keys[1])) as other:
            await victim.confirmed_more(200)
            expendable.nodes[0].kill()
            victim.mark()
            await victim.confirmed_more(200)
        assert other.failures == 0
        assert value(expendable, keys[1]) == other.confirmed
        counted = value(expendable, keys[0])
        assert victim.failures
        assert victim.confirmed - victim.recent <= counted <= victim.confirmed
    finally:
        await store.close()
