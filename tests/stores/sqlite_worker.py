"""A process that uses an SQLite store, for tests: `python -m tests.stores.sqlite_worker MODE PATH COUNT NAME`.

spend    tries COUNT times for a unit of a shared limit and prints how often it was admitted
hold     reserves COUNT times, prints a line and waits to be killed
storm    books for ever in COUNT tasks, and prints each id that was acknowledged
"""

import asyncio
import sys

from limiter.counters import Charge
from limiter.stores.sqlite import SqliteStore

FAR = 2**50
"""Milliseconds; no window ends during a test."""
SHARED = Charge("shared", 100, 1, 1, 0, FAR)
HELD = Charge("held", 1000, 10, 10, 0, FAR, hold=True, keep=1)
STORM = Charge("storm", 10**9, 1, 1, 0, FAR)


async def spend(store: SqliteStore, count: int, name: str) -> None:
    admitted = 0
    for start in range(0, count, 8):
        batch = [store.acquire(f"{name}:{number}", [SHARED]) for number in range(start, min(start + 8, count))]
        admitted += sum(answer.admitted for answer in await asyncio.gather(*batch))
    sys.stdout.write(f"{admitted}\n")


async def hold(store: SqliteStore, count: int, name: str) -> None:
    for number in range(count):
        await store.acquire(f"{name}:{number}", [HELD])
    sys.stdout.write("held\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


async def storm(store: SqliteStore, count: int, name: str) -> None:
    async def book(task: int) -> None:
        number = 0
        while True:
            key = f"{name}:{task}:{number}"
            await store.acquire(key, [STORM, Charge(key, 1, 1, 1, 0, FAR)])
            # One write call for each line, so that a kill cuts none in two.
            sys.stdout.write(key + "\n")
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*map(book, range(count)))


async def main() -> None:
    mode, path, count, name = sys.argv[1:]
    store = SqliteStore(path, lambda: 1_700_000_000_000)
    await {"spend": spend, "hold": hold, "storm": storm}[mode](store, int(count), name)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
