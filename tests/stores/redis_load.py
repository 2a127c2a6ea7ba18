"""Callers that never stop, and repeat what failed with the same id until they have an answer."""

import asyncio
import time
from typing import Self

from limiter.counters import Charge
from limiter.stores.contract import Store, StoreError

LAG = 0.2
"""Seconds by which a replica may be behind on this machine. Bookings of this time before a crash may be lost."""


class Load:
    """Books one unit after the other while it is entered.

    `confirmed` is how often the callers were told that they were admitted: what is counted must not be more.
    """

    def __init__(self, store: Store, charge: Charge, name: str = "", callers: int = 8) -> None:
        self._name = name
        self._store = store
        self._charge = charge
        self._callers = callers
        self._stopping = False
        self._news = asyncio.Event()
        self._times: list[float] = []
        self.failures = 0
        self.outage = 0.0
        """Seconds, the longest time without an answer."""
        self.recent = 0
        """Confirmations that `mark` found to be younger than `LAG`."""

    @property
    def confirmed(self) -> int:
        return len(self._times)

    def mark(self) -> None:
        """A server has just been killed."""
        now = time.monotonic()
        self.recent = sum(now - then < LAG for then in self._times)

    async def confirmed_more(self, count: int) -> None:
        goal = self.confirmed + count
        async with asyncio.timeout(30):
            while self.confirmed < goal:
                self._news.clear()
                await self._news.wait()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(self._callers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)
        pauses = zip(self._times, self._times[1:], strict=False)
        self.outage = max((after - before for before, after in pauses), default=0.0)

    async def _call(self, caller: int) -> None:
        number = 0
        while not self._stopping:
            confirmed = await self._confirmed(f"{self._name} {self._charge.key} {caller}:{number}")
            number += confirmed
            await asyncio.sleep(0.001 if confirmed else 0.05)

    async def _confirmed(self, id: str) -> bool:
        try:
            answer = await self._store.acquire(id, [self._charge])
        except StoreError:
            self.failures += 1
            return False
        assert answer.admitted
        self._times.append(time.monotonic())
        self._news.set()
        return True
