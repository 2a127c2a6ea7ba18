"""Counters in PostgreSQL, shared by all proxies of a team.

All calls of a turn of the event loop are one round trip and one transaction, which a function of the database serves
(postgres_step.sql). The server's clock moves the windows. What was answered is on the server's disk, unless it was told
not to wait for that (`synchronous_commit`).

A batch is atomic over any keys. Schemas are independent of one another; so are the databases of a server.
"""

import asyncio
from collections.abc import Sequence

from limiter.counters import Acquired, Charge, Correction
from limiter.stores import postgres_calls as calls
from limiter.stores.contract import LEASE, Clock, StoreError
from limiter.stores.postgres_lane import Lane
from limiter.stores.postgres_settings import PostgresSettings

AT_ONCE = 128
"""Ids of one call that renews. A longer list is several, so that it does not keep others from their keys for long."""


class PostgresStore:
    """A `Store` in a schema of a database. Connects, and creates the schema, with the first call.

    Args:
        clock: in place of the server's own; for tests.
    """

    def __init__(self, settings: PostgresSettings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._lane = Lane(settings, clock)

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        acquired = await self._lane.submit(calls.acquire(id, charges, lease))
        if acquired is None:
            raise StoreError(f"{self._settings}: an acquire was answered as another call")
        return acquired

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        parts = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
        await asyncio.gather(*(self._lane.submit(calls.renew(part, lease)) for part in parts))

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._lane.submit(calls.settle(id, corrections))

    async def close(self) -> None:
        await self._lane.close()
