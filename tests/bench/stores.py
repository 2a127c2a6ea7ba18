"""Decisions of every store: acquires of three limits, one of them sliding, with holds.

Redis is compared with a script that does nothing, sent the same way; `redis_decisions.py` and `postgres_decisions.py`
say more about each of the two.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from limiter.redis_settings import Cluster, RedisSettings
from limiter.stores.contract import Store
from limiter.stores.memory import MemoryStore
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_urls import parse_url
from limiter.stores.redis_dial import Dialer
from limiter.stores.redis_servers import OneServer
from limiter.stores.redis_store import RedisStore
from limiter.stores.sqlite import SqliteStore
from limiter.stores.synced import SyncedStore
from tests.bench.measuring import CONCURRENCIES, best, decisions
from tests.bench.redis_decisions import EmptyCall
from tests.bench.table import head, row, show
from tests.servers import postgres, valkey

COUNT = 10_000
"""Decisions of a round of the fastest; the slow ones get fewer."""


def stores() -> None:
    """Prints decisions a second and processor time for each decision, by store and by how many are made at once."""
    show(head("stores, 3 limits", "a second", "client us", "server us", "x empty"))
    with tempfile.TemporaryDirectory(prefix="stores-") as name:
        folder = Path(name)
        _show("memory", MemoryStore, COUNT)
        _show("sqlite", lambda: SqliteStore(folder / "counters.db"), COUNT // 2)
        with valkey.started(folder / "redis") as server:
            settings = RedisSettings(server.address)
            reference = _show_empty(settings, server.cpu)
            _show("redis", lambda: RedisStore(settings), COUNT, server.cpu, reference)
            _show("redis, sync 1 s", lambda: SyncedStore(RedisStore(settings), 1.0), COUNT, server.cpu, reference)
        with valkey.cluster(folder / "cluster") as cluster:
            nodes = RedisSettings(cluster=Cluster(tuple(node.address for node in cluster.nodes)))
            _show("redis cluster", lambda: RedisStore(nodes), COUNT, lambda: sum(node.cpu() for node in cluster.nodes))
    with postgres.started() as database:
        patient = replace(parse_url(database.url()), timeout=30.0)
        _show("postgresql", lambda: PostgresStore(patient), COUNT // 4, database.cpu)


def _show(
    name: str,
    opened: Callable[[], Store],
    count: int,
    cpu: Callable[[], float] = lambda: 0.0,
    reference: dict[int, float] | None = None,
) -> None:
    async def measure() -> None:
        store = opened()
        for concurrency in CONCURRENCIES:
            # What is held is never settled here, and would be told of at each exchange.
            jobs = decisions(store, hold=not isinstance(store, SyncedStore))
            found = await best(jobs, count, concurrency, cpu)
            ratio = f"{found.rate / reference[concurrency]:.2f}" if reference else "–"
            numbers = f"{found.rate:.0f}", f"{found.client_us:.1f}", f"{found.server_us:.1f}"
            show(row(f"{name} c={concurrency}", *numbers, ratio))
        await store.close()

    asyncio.run(measure())


def _show_empty(settings: RedisSettings, cpu: Callable[[], float]) -> dict[int, float]:
    """What an empty script reaches, by concurrency."""
    rates: dict[int, float] = {}

    async def measure() -> None:
        bare, empty = OneServer(settings, Dialer(settings)), EmptyCall([b"key"], ())
        for concurrency in CONCURRENCIES:
            found = await best(lambda _: lambda _number: bare.run(empty), COUNT, concurrency, cpu)
            rates[concurrency] = found.rate
            numbers = f"{found.rate:.0f}", f"{found.client_us:.1f}", f"{found.server_us:.1f}"
            show(row(f"empty script c={concurrency}", *numbers, "1.00"))
        await bare.close()

    asyncio.run(measure())
    return rates


@contextmanager
def served(kind: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A server that proxies can use as their store: its URL and process."""
    if kind == "redis":
        with valkey.started(folder / "redis") as server:
            yield f"redis://{server.address}", server.process.pid
    else:
        with postgres.started() as database:
            yield database.url(), database.process.pid


SERVERS = ("redis", "postgresql")
"""Kinds of `served`."""
