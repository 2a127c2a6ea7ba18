"""Stores and charges for the tests of cloud identities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limiter.counters import Charge
from limiter.redis_settings import RedisSettings, Timeouts
from limiter.stores.cloud.logins import CloudLogins
from limiter.stores.redis_store import RedisStore

CHARGE = Charge("{ai-limit}:key", 10**9, 1, 1, 3_600_000)
PATIENT = Timeouts(10, 5, 5)
"""Loading a cloud's library takes seconds on a busy machine."""
HOUR = 3_600_000


@asynccontextmanager
async def opened(settings: RedisSettings, **more: object) -> AsyncIterator[RedisStore]:
    store = RedisStore(settings, **more)
    try:
        yield store
    finally:
        await store.close()


async def acquire_once(settings: RedisSettings, logins: CloudLogins) -> None:
    """Over a connection of its own."""
    async with opened(settings, logins=logins) as store:
        assert (await store.acquire("a", [CHARGE])).admitted
