"""`RedisStore` as the contract's tests need it: with a clock that they set.

A server's own clock cannot be set, and it drops keys by that. So the tests' instants are moved into its far future,
where nothing leaves by itself, and the script is told what time it is.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from limiter.counters import Acquired, Charge, Correction
from limiter.redis_settings import Cluster, Credentials, RedisSettings, Sentinel, Timeouts
from limiter.stores.contract import LEASE, Clock, Store
from limiter.stores.redis_store import RedisStore
from tests.servers import shared
from tests.servers.valkey import SENTINEL_PASSWORD, SENTINEL_USER, Server

FUTURE = 10 * 365 * 86_400_000
"""Milliseconds."""
PATIENT = Timeouts(5, 5, 5)
"""The machine may be busy."""
LIVING = """
local living = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local counter = string.sub(key, 1, 9) ~= 'ai-limit.'
  if counter and redis.call('PEXPIRETIME', key) > tonumber(ARGV[2]) then living = living + 1 end
end
return living
"""
_numbers = count()


class Moved:
    """A store whose instants and keys are not those of the store that it asks."""

    def __init__(self, store: Store, clock: Clock, servers: Sequence[Server], prefix: str = "") -> None:
        self.clock = clock
        self.servers = servers
        self.prefix = prefix
        self._store = store

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        answer = await self._store.acquire(id, [self._there(charge) for charge in charges], lease)
        readings = (
            reading._replace(expires_at=reading.expires_at and reading.expires_at - FUTURE)
            for reading in answer.readings
        )
        return Acquired(answer.admitted, answer.now - FUTURE, tuple(readings))

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._store.renew(ids, lease)

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        await self._store.settle(
            id,
            [
                Correction(self._there(charge), actual, anchor and anchor + FUTURE)
                for charge, actual, anchor in corrections
            ],
        )

    async def close(self) -> None:
        await self._store.close()

    def _there(self, charge: Charge) -> Charge:
        return charge._replace(
            key=self.prefix + charge.key,
            previous=charge.previous and self.prefix + charge.previous,
            expires_at=charge.expires_at and charge.expires_at + FUTURE,
            start=charge.start + FUTURE,
        )


def standalone(clock: Clock) -> Moved:
    """Alone on its server: whatever was there is gone. Keys are what the tests say."""
    server = shared.standalone()
    with server.client() as client:
        client.flushall()
    return Moved(RedisStore(RedisSettings(server.address, timeouts=PATIENT), clock=_ahead(clock)), clock, [server])


def cluster(clock: Clock) -> Moved:
    """All keys under one hash tag, which no other store has."""
    nodes = tuple(node.address for node in shared.cluster().nodes)
    settings = RedisSettings(cluster=Cluster(nodes), timeouts=PATIENT)
    return Moved(RedisStore(settings, clock=_ahead(clock)), clock, shared.cluster().nodes, f"{{{next(_numbers)}}}")


def sentinel(clock: Clock) -> Moved:
    watched = shared.watched()
    with watched.master.client() as client:
        client.flushall()
    credentials = Credentials(SENTINEL_USER, SENTINEL_PASSWORD)
    found = Sentinel(watched.name, tuple(node.address for node in watched.sentinels), credentials=credentials)
    return Moved(
        RedisStore(RedisSettings(sentinel=found, timeouts=PATIENT), clock=_ahead(clock)), clock, [watched.master]
    )


def size(store: Moved, _folder: Path) -> int:
    """Counters that servers would still have if the tests' clock were theirs. That they drop others is up to them."""
    total = 0
    for server in store.servers:
        with server.client() as client:
            total += int(str(client.eval(LIVING, 0, store.prefix + "*", store.clock() + FUTURE)))
    return total


def _ahead(clock: Clock) -> Clock:
    return lambda: clock() + FUTURE
