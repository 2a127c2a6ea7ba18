"""Several processes on one Redis, and the sudden end of one."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest

from limiter.counters import Charge
from limiter.stores.redis_store import RedisStore
from limiter.stores.redis_urls import parse_url
from tests.servers import shared, valkey
from tests.stores.redis_worker import LEASE, SHARED, TOKENS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("redis")


def standalone() -> str:
    server = shared.standalone()
    with server.client() as client:
        client.flushall()
    return f"redis://{server.address}"


def cluster() -> str:
    shared.cluster().flush()
    return "redis+cluster://" + ",".join(str(node.address) for node in shared.cluster().nodes)


def sentinel() -> str:
    watched = shared.watched()
    with watched.master.client() as client:
        client.flushall()
    login = f"sentinel_username={valkey.SENTINEL_USER}&sentinel_password={valkey.SENTINEL_PASSWORD}"
    return f"redis+sentinel://{watched.sentinels[0].address}/{watched.name}?{login}"


async def worker(mode: str, url: str, count: int, name: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stores.redis_worker", mode, url, str(count), name, stdout=PIPE, cwd=ROOT
    )


async def used(store: RedisStore, charge: Charge, name: str) -> int:
    acquired = await store.acquire(name, [charge._replace(need=0, take=0, hold=False)])
    return acquired.readings[0].used


@pytest.mark.parametrize("backend", [standalone, cluster, sentinel], ids=lambda backend: backend.__name__)
async def test_two_processes_share_a_limit_exactly(backend: Callable[[], str]) -> None:
    """200 at once in each, for 50; what was refused holds nothing on the other counter either."""
    url = backend()
    processes = [await worker("crowd", url, 200, name) for name in ("first", "second")]
    printed = [(await process.communicate())[0] for process in processes]
    assert sum(map(int, printed)) == SHARED.limit == 50
    store = RedisStore(parse_url(url))
    assert [await used(store, charge, charge.key) for charge in (SHARED, TOKENS)] == [50, 50 * TOKENS.take]
    await store.close()


async def test_holds_of_a_killed_process_end_with_their_lease() -> None:
    url = standalone()
    process = await worker("hold", url, 50, "killed")
    assert process.stdout
    assert await process.stdout.readline() == b"held\n"
    process.kill()
    await process.wait()
    store = RedisStore(parse_url(url))
    assert await used(store, TOKENS, "at once") in {50 * TOKENS.take, 50 * TOKENS.keep}
    await asyncio.sleep(LEASE / 1000 + 0.02)
    assert await used(store, TOKENS, "later") == 50 * TOKENS.keep
    await store.close()
    with shared.standalone().client() as client:
        assert not client.exists("ai-limit.holds:{ai-limit}")
