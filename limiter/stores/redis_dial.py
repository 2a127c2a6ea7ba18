"""New connections of the driver, made as the settings say. Everything above them is in this package's own hands."""

import asyncio
from collections.abc import Mapping
from typing import Any

from redis.asyncio import connection as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from limiter.redis_settings import Address, Credentials, RedisSettings, Tls

Connection = driver.AbstractConnection


class NamedTls(driver.SSLConnection):
    """TLS with a server whose name is not the host that is connected to; the driver knows no such thing."""

    def __init__(self, *, server_name: str, **settings: Any) -> None:
        self._server_name = server_name
        super().__init__(**settings)

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "server_hostname": self._server_name}


class Dialer:
    """Makes connections to the servers of one settings.

    Args:
        provider: credentials in place of the settings' own, asked for each connection.
    """

    def __init__(self, settings: RedisSettings, provider: CredentialProvider | None = None) -> None:
        self._settings = settings
        self._provider = provider

    async def connect(self, address: Address) -> Connection:
        """A connection that is authenticated and ready. For a unix socket the address means nothing.

        Raises:
            RedisError, OSError, TimeoutError: the driver's own.
        """
        settings = self._settings
        kind, more = self._kind(address)
        login: dict[str, Any] = {"credential_provider": self._provider}
        if self._provider is None:
            login = _login(settings.credentials)
        if settings.database and not settings.proxied:
            more["db"] = settings.database
        return await self._open(kind(**more, **login, **_common()))

    async def connect_sentinel(self, address: Address) -> Connection:
        """As `connect`, to a Sentinel with its own credentials."""
        sentinel = self._settings.sentinel
        kind, more = self._kind(address)
        return await self._open(kind(**more, **(_login(sentinel.credentials) if sentinel else {}), **_common()))

    def _kind(self, address: Address) -> tuple[type[Connection], dict[str, Any]]:
        if self._settings.path:
            return driver.UnixDomainSocketConnection, {"path": self._settings.path}
        more: dict[str, Any] = {"host": address.host, "port": address.port}
        tls = self._settings.tls
        if tls is None:
            return driver.Connection, more
        return NamedTls, more | _tls(tls, address)

    async def _open(self, connection: Connection) -> Connection:
        try:
            async with asyncio.timeout(self._settings.timeouts.connect):
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection


def _common() -> dict[str, Any]:
    return {
        # RESP2 needs no HELLO, which proxies may not know; answers of scripts are the same.
        "protocol": 2,
        "driver_info": None,
        # The driver must repeat nothing by itself; what may be repeated is decided in redis_lane.py.
        "retry": Retry(NoBackoff(), 0),
        # Time is kept for whole batches, there too.
        "socket_timeout": None,
        "socket_connect_timeout": None,
    }


def _login(credentials: Credentials) -> dict[str, Any]:
    return {"username": credentials.username or None, "password": credentials.password or None}


def _tls(tls: Tls, address: Address) -> dict[str, Any]:
    return {
        "server_name": tls.server_name or address.host,
        "ssl_cert_reqs": "required" if tls.verify else "none",
        "ssl_check_hostname": tls.verify,
        "ssl_ca_certs": tls.ca_file or None,
        "ssl_certfile": tls.cert_file or None,
        "ssl_keyfile": tls.key_file or None,
        "ssl_password": tls.key_password or None,
    }
