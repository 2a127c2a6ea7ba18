"""The four calls of redis.lua for counters that lie together."""

from collections.abc import Sequence

from limiter.counters import Acquired, Charge, Correction
from limiter.stores import redis_script
from limiter.stores.contract import Clock
from limiter.stores.redis_keys import books
from limiter.stores.redis_servers import Servers

RENEWED_AT_ONCE = 500
"""Holds in one call, which keeps all others waiting meanwhile."""


class Steps:
    """Runs calls on the servers. `tag`: the hash tag of all the counters and of what is remembered with them.

    Args:
        clock: in place of the servers' own; for tests.
    """

    def __init__(self, servers: Servers, clock: Clock | None) -> None:
        self._servers = servers
        self._clock = clock

    async def acquire(self, tag: bytes, id: str, charges: Sequence[Charge], lease: int) -> Acquired:
        call = redis_script.acquire(books(tag, id), charges, lease, self._now())
        return redis_script.answer(await self._servers.run(call))

    async def settle(self, tag: bytes, id: str, corrections: Sequence[Correction]) -> None:
        await self._servers.run(redis_script.settle(books(tag, id), corrections, self._now()))

    async def undo(self, tag: bytes, id: str, corrections: Sequence[Correction]) -> None:
        """Takes an acquire back; one that was refused or never arrived is left as it is."""
        await self._servers.run(redis_script.settle(books(tag, id), corrections, self._now(), "undo"))

    async def renew(self, tag: bytes, ids: Sequence[str], lease: int) -> None:
        for start in range(0, len(ids), RENEWED_AT_ONCE):
            some = [books(tag, name) for name in ids[start : start + RENEWED_AT_ONCE]]
            held = [book.hold for book in some]
            await self._servers.run(redis_script.renew(some[0].holds, held, lease, self._now()))

    def _now(self) -> int:
        return self._clock() if self._clock else 0
