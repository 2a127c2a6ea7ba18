"""What a decision costs with PostgreSQL: `python -m tests.bench.postgres_decisions [DECISIONS [CONNECTIONS]]`.

It starts a server of its own.

A decision is an acquire of three limits, one of them sliding, with holds; each then settles. It is compared with a bare
transaction of the same driver that writes one row, one for each decision. The server waits for its disk at each commit,
as it does by default, but for the rows that say otherwise.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace

import asyncpg

from limiter.counters import Correction
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_settings import PostgresSettings
from limiter.stores.postgres_urls import parse_url
from tests.bench.measuring import CONCURRENCIES, CONSUMERS, Job, best, charges, decisions
from tests.bench.table import head, row, show
from tests.servers.postgres import PASSWORD, Server, started

CONNECTIONS = 16
"""Of the bare driver at most."""
BARE = "INSERT INTO bare VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET value = bare.value + 1 RETURNING value"


def postgres_decisions(count: int = 4000, connections: int = 0) -> None:
    """Prints decisions a second and processor time for each, of the client and of the server."""
    with started() as server:
        settings = replace(parse_url(server.url()), timeout=30.0)
        if connections:
            settings = replace(settings, pool_size=connections)
        asyncio.run(_decisions(server, settings, count))


async def _decisions(server: Server, settings: PostgresSettings, count: int) -> None:
    store = PostgresStore(settings)
    lazy = PostgresStore(replace(settings, session={"synchronous_commit": "off"}))
    pool = await asyncpg.create_pool(
        host="127.0.0.1", port=server.port, user=settings.user, password=PASSWORD, database=settings.database,
        min_size=1, max_size=CONNECTIONS,
    )  # fmt: skip
    await pool.execute("CREATE TABLE bare (key text PRIMARY KEY, value bigint)")

    def bare(_tag: int) -> Job:
        return lambda number: pool.fetchval(BARE, f"{number % CONSUMERS}")

    def exchanges(tag: int) -> Job:
        async def exchange(number: int) -> None:
            batch = charges(number % CONSUMERS)
            await store.acquire(f"{tag}:{number}", batch)
            await store.settle(f"{tag}:{number}", [Correction(charge, 7) for charge in batch[1:]])

        return exchange

    jobs: dict[str, Callable[[int], Job]] = {
        "bare transaction": bare,
        "decision": decisions(store),
        "decision, one key": decisions(store, consumers=1),
        "decision and settlement": exchanges,
        "decision, commit off": decisions(lazy),
    }
    show(head("PostgreSQL, 3 limits", "a second", "client us", "server us", "x bare"))
    for concurrency in CONCURRENCIES:
        reference = 0.0
        for name, job in jobs.items():
            some = max(count * (concurrency + 4) // 68, 100)
            rate, client, process = await best(job, some, concurrency, server.cpu)
            reference = reference or rate
            ratio = f"{rate / reference:.2f}"
            show(row(f"{name} c={concurrency}", f"{rate:.0f}", f"{client:.0f}", f"{process:.0f}", ratio))
    await store.close()
    await lazy.close()
    await pool.close()


if __name__ == "__main__":
    postgres_decisions(*map(int, sys.argv[1:]))
