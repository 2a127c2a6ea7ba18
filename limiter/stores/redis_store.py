"""Counters in Redis or Valkey, shared by all proxies of a team.

One run of redis.lua for each acquire, and one for each settlement, however many charges there are. The server's clock
moves the windows. Counters are what a gateway would have put there: plain whole numbers that expire.

What may be lost: a server that dies takes with it what it had not passed on to its replica or its disk, so after a
failover up to the last bookings of the replication's lag are missing, never counted twice. A replica's clock that is
behind lets windows last longer by as much.

Where an identity of a cloud takes the place of a password, see cloud/logins.py: connections are replaced before the
server drops them.

In a cluster, or behind a proxy that shards, a batch is atomic as long as all its keys share a hash tag, which those of
the native dialect do; redis_spread.py says what holds of others. While a slot moves from node to node key by key, new
batches in it fail. Overdue holds are reaped by any acquire with the same
tag there. An overdue crowd of more than a thousand holds is reaped by several acquires.
"""

from collections.abc import Sequence

from limiter.counters import Acquired, Charge, Correction
from limiter.redis_settings import RedisSettings
from limiter.stores.cloud.logins import CloudLogins
from limiter.stores.contract import LEASE, Clock, wall_clock
from limiter.stores.redis_cluster import ClusterServers
from limiter.stores.redis_dial import Dialer, Logins
from limiter.stores.redis_keys import TAG
from limiter.stores.redis_servers import OneServer, SentinelServers, Servers
from limiter.stores.redis_spread import Spread
from limiter.stores.redis_steps import Steps


class RedisStore:
    """A `Store` on a server, its replicas, or a cluster. Connects with the first call.

    Args:
        clock: in place of the servers' own; for tests.
        logins: in place of the settings' credentials or identity, asked for each new connection.

    Raises:
        StoreError: the library of the identity's cloud is not installed.
    """

    def __init__(self, settings: RedisSettings, *, clock: Clock | None = None, logins: Logins | None = None) -> None:
        if logins is None and settings.identity:
            logins = CloudLogins(settings.identity, settings.credentials.username, wall_clock)
        self._servers = _servers(settings, Dialer(settings, logins))
        self._steps = Steps(self._servers, clock)
        self._spread = Spread(self._steps) if settings.sharded else None

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        if self._spread:
            return await self._spread.acquire(id, charges, lease)
        return await self._steps.acquire(TAG, id, charges, lease)

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        if self._spread:
            await self._spread.renew(ids, lease)
        else:
            await self._steps.renew(TAG, ids, lease)

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        if self._spread:
            await self._spread.settle(id, corrections)
        else:
            await self._steps.settle(TAG, id, corrections)

    async def close(self) -> None:
        if self._spread:
            await self._spread.close()
        await self._servers.close()


def _servers(settings: RedisSettings, dialer: Dialer) -> Servers:
    if settings.cluster:
        return ClusterServers(settings, settings.cluster, dialer)
    if settings.sentinel:
        return SentinelServers(settings, settings.sentinel, dialer)
    return OneServer(settings, dialer)
