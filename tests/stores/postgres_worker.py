"""A process that uses a PostgreSQL store, for tests: `python -m tests.stores.postgres_worker MODE URL COUNT NAME`.

crowd    tries COUNT times at once for a unit of a shared limit and prints how often it was admitted
hold     reserves COUNT times at once, prints a line and waits to be killed
"""

import asyncio
import sys

from limiter.counters import Charge
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_urls import parse_url

FAR = 2**50
"""Milliseconds; no window ends during a test."""
LEASE = 500
"""Milliseconds."""
SHARED = Charge("shared", 50, 1, 1, 0, FAR)
TOKENS = Charge("tokens", 10**9, 7, 7, 0, FAR, hold=True, keep=1)


async def crowd(store: PostgresStore, count: int, name: str) -> None:
    answers = await asyncio.gather(*(store.acquire(f"{name}:{number}", [TOKENS, SHARED]) for number in range(count)))
    sys.stdout.write(f"{sum(answer.admitted for answer in answers)}\n")


async def hold(store: PostgresStore, count: int, name: str) -> None:
    await asyncio.gather(*(store.acquire(f"{name}:{number}", [TOKENS], LEASE) for number in range(count)))
    sys.stdout.write("held\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


async def main() -> None:
    mode, url, count, name = sys.argv[1:]
    store = PostgresStore(parse_url(url))
    await {"crowd": crowd, "hold": hold}[mode](store, int(count), name)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
