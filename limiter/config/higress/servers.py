"""From `redis` of a configuration to the ledger that the limits are kept in."""

from limiter.config.explain import Report
from limiter.config.higress.plugin import Redis
from limiter.ledgers import Ledger
from limiter.redis_settings import Address, Credentials, RedisSettings, Timeouts
from limiter.settings import Settings

REGISTERED = (".static", ".dns")
"""Ends of names under which a gateway's registry knows a service."""


def ledger(redis: Redis, settings: Settings, report: Report) -> Ledger:
    """The server behind a service's name: as the settings say, else a host of that name."""
    seconds = redis.timeout / 1000
    return Ledger(
        store=RedisSettings(
            address=_address(redis, settings, report),
            credentials=Credentials(redis.username, redis.password),
            database=redis.database,
            timeouts=Timeouts(seconds, seconds, seconds),
        ),
        on_error=settings.on_redis_error,
        timeout=seconds,
    )


def _address(redis: Redis, settings: Settings, report: Report) -> Address:
    service = redis.service_name
    if known := settings.service_addresses.get(service):
        host, _, port = known.rpartition(":")
        return Address(host.strip("[]"), int(port))
    host = without_registry(service)
    if host != service:
        message = (
            f"only a gateway knows where {service!r} is; {host}:{redis.port} is dialled, unless the settings say "
            f'`service_addresses: {{{service}: "host:port"}}`'
        )
        report.warning((*redis.path, "service_name"), message)
    return Address(host, redis.port)


def without_registry(service: str) -> str:
    """A service's name without the end that stands for where the gateway knows it from."""
    for end in REGISTERED:
        if service.endswith(end) and service != end:
            return service.removesuffix(end)
    return service
