"""What a decision costs with PostgreSQL: `python -m tests.bench.postgres_decisions [DECISIONS [CONNECTIONS]]`.

It starts a server of its own.

A decision is an acquire of three limits, one of them sliding, with holds; each then settles. It is compared with a bare
transaction of the same driver that writes one row, one for each decision. The server waits for its disk at each commit,
as it does by default, but for the rows that say otherwise.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg

from limiter.counters import Charge, Correction
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_settings import PostgresSettings
from limiter.stores.postgres_urls import parse_url
from tests.bench.table import head, row, show
from tests.servers.postgres import PASSWORD, Server, started

CONCURRENCIES = (1, 16, 64)
HOUR = 3_600_000
CONSUMERS = 1000
ROUNDS = 3
CONNECTIONS = 16
"""Of the bare driver at most."""
Job = Callable[[int], Awaitable[object]]
BARE = "INSERT INTO bare VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET value = bare.value + 1 RETURNING value"
_tags = iter(range(10**9))


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

    def decisions(of: PostgresStore, *, hot: bool = False) -> Callable[[int], Job]:
        def tagged(tag: int) -> Job:
            return lambda number: of.acquire(f"{tag}:{number}", _charges(0 if hot else number % CONSUMERS))

        return tagged

    def exchanges(tag: int) -> Job:
        async def exchange(number: int) -> None:
            charges = _charges(number % CONSUMERS)
            await store.acquire(f"{tag}:{number}", charges)
            await store.settle(f"{tag}:{number}", [Correction(charge, 7) for charge in charges[1:]])

        return exchange

    jobs: dict[str, Callable[[int], Job]] = {
        "bare transaction": bare,
        "decision": decisions(store),
        "decision, one key": decisions(store, hot=True),
        "decision and settlement": exchanges,
        "decision, commit off": decisions(lazy),
    }
    show(head("PostgreSQL, 3 limits", "a second", "client us", "server us", "x bare"))
    for concurrency in CONCURRENCIES:
        reference = 0.0
        for name, job in jobs.items():
            some = max(count * (concurrency + 4) // 68, 100)
            await _measure(server, job(next(_tags)), some // 5, concurrency)
            # The fastest of a few rounds: others on the machine only ever make it slower.
            rate, client, process = max(
                [await _measure(server, job(next(_tags)), some, concurrency) for _ in range(ROUNDS)]
            )
            reference = reference or rate
            ratio = f"{rate / reference:.2f}"
            show(row(f"{name} c={concurrency}", f"{rate:.0f}", f"{client:.0f}", f"{process:.0f}", ratio))
    await store.close()
    await lazy.close()
    await pool.close()


async def _measure(server: Server, job: Job, count: int, concurrency: int) -> tuple[float, float, float]:
    """Runs a second, and microseconds of processor time for each."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await job(number)

    before, cpu, began = server.cpu(), time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return count / wall, cpu / count * 1e6, (server.cpu() - before) / count * 1e6


def _charges(consumer: int) -> list[Charge]:
    start = int(time.time() * 1000) // HOUR * HOUR
    name = f"{consumer:032x}"
    return [
        Charge(f"requests:1h:{start}:{name}", 10**12, 1, 1, 0, start + HOUR),
        Charge(f"daily:1d:{start}:{name}", 10**15, 50, 50, 0, start + 24 * HOUR, hold=True),
        Charge(
            f"tokens:1h~:{start}:{name}", 10**15, 9, 9, 0, start + 2 * HOUR,
            f"tokens:1h~:{start - HOUR}:{name}", start, HOUR, hold=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    postgres_decisions(*map(int, sys.argv[1:]))
