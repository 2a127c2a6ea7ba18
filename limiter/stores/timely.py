"""A store whose every answer comes in time, or is an error."""

import asyncio
from collections.abc import Awaitable, Sequence

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Store, StoreError


class LateError(StoreError):
    """No answer in time. The call may be under way, and booked yet."""


class Timely:
    """A `Store`. Of a call that took too long it is unknown whether it was booked, or will be.

    Args:
        timeout: seconds that a call may take; may be changed at any time.
    """

    def __init__(self, store: Store, timeout: float) -> None:
        self._store = store
        self.timeout = timeout

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        return await self._in_time(self._store.acquire(id, charges, lease))

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._in_time(self._store.renew(ids, lease))

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._in_time(self._store.settle(id, corrections))

    async def close(self) -> None:
        """Takes the time that it takes to write what is waiting."""
        await self._store.close()

    async def _in_time[Answer](self, call: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self.timeout):
                return await call
        except TimeoutError as problem:
            raise LateError(f"no answer within {self.timeout} s") from problem
