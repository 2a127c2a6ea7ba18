"""Several processes on one PostgreSQL, and the sudden end of one."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from limiter.counters import Charge
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_urls import parse_url
from tests.stores.postgres_backends import rows, server, settings
from tests.stores.postgres_worker import LEASE, SHARED, TOKENS

pytestmark = pytest.mark.xdist_group("postgresql")
ROOT = Path(__file__).parents[2]


async def worker(mode: str, url: str, count: int, name: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stores.postgres_worker", mode, url, str(count), name, stdout=PIPE, cwd=ROOT
    )


async def used(store: PostgresStore, charge: Charge, name: str) -> int:
    acquired = await store.acquire(name, [charge._replace(need=0, take=0, hold=False)])
    return acquired.readings[0].used


async def test_two_processes_share_a_limit_exactly() -> None:
    """200 at once in each, for 50; what was refused holds nothing on the other counter either.

    Both find no schema and create it.
    """
    schema = settings().schema
    url = server().url(query=f"schema={schema}&timeout=10&connect_timeout=10")
    processes = [await worker("crowd", url, 200, name) for name in ("first", "second")]
    printed = [(await process.communicate())[0] for process in processes]
    assert sum(map(int, printed)) == SHARED.limit == 50
    store = PostgresStore(parse_url(url))
    assert [await used(store, charge, charge.key) for charge in (SHARED, TOKENS)] == [50, 50 * TOKENS.take]
    assert rows(schema, "exchanges") == 402
    await store.close()


async def test_holds_of_a_killed_process_end_with_their_lease() -> None:
    url = server().local(query=f"schema={settings().schema}&timeout=10")
    process = await worker("hold", url, 50, "killed")
    assert process.stdout
    assert await process.stdout.readline() == b"held\n"
    process.kill()
    await process.wait()
    store = PostgresStore(parse_url(url))
    assert await used(store, TOKENS, "at once") in {50 * TOKENS.take, 50 * TOKENS.keep}
    await asyncio.sleep(LEASE / 1000 + 0.02)
    assert await used(store, TOKENS, "later") == 50 * TOKENS.keep
    await store.close()
