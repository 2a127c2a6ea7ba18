"""A process that uses a store, for tests: `python -m tests.stores.worker MODE URL COUNT NAME`.

crowd    tries COUNT times at once for a unit of a shared limit and prints how often it was admitted
hold     reserves COUNT times at once, prints a line and waits to be killed
storm    books for ever in COUNT tasks, and prints each id that was acknowledged
"""

import asyncio
import sys

from limiter.counters import Charge
from limiter.stores.contract import Store
from limiter.stores.urls import open_store

FAR = 2**50
"""Milliseconds; no window ends during a test."""
LEASE = 400
"""Milliseconds."""
SHARED = Charge("{ai-limit}:shared", 50, 1, 1, 0, FAR)
TOKENS = Charge("{ai-limit}:tokens", 10**9, 7, 7, 0, FAR, hold=True, keep=1)
STORM = Charge("{ai-limit}:storm", 10**9, 1, 1, 0, FAR)


async def crowd(store: Store, count: int, name: str) -> None:
    answers = await asyncio.gather(*(store.acquire(f"{name}:{number}", [TOKENS, SHARED]) for number in range(count)))
    sys.stdout.write(f"{sum(answer.admitted for answer in answers)}\n")


async def hold(store: Store, count: int, name: str) -> None:
    await asyncio.gather(*(store.acquire(f"{name}:{number}", [TOKENS], LEASE) for number in range(count)))
    sys.stdout.write("held\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


async def storm(store: Store, count: int, name: str) -> None:
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
    mode, url, count, name = sys.argv[1:]
    store = open_store(url)
    await {"crowd": crowd, "hold": hold, "storm": storm}[mode](store, int(count), name)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
