"""New connections of the driver, made as the settings say. Everything above them is in this package's own hands."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from redis.asyncio import connection as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from limiter.redis_settings import Address, Credentials, RedisSettings, Tls
from limiter.stores.redis_errors import SlowIdentityError

Connection = driver.AbstractConnection


class NamedTls(driver.SSLConnection):
    """TLS with a server whose name is not the host that is connected to; the driver knows no such thing."""

    def __init__(self, *, server_name: str, **settings: Any) -> None:
        self._server_name = server_name
        super().__init__(**settings)

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "server_hostname": self._server_name}


@dataclass(frozen=True, slots=True)
class Login:
    """What a new connection shows. Without a password it shows nothing."""

    username: str
    password: str = field(repr=False)
    use_until: int | None = None
    """Milliseconds of the giver's clock, from when on the server may drop the connection. None: never."""


class Logins(Protocol):
    """Who gives logins."""

    async def login(self) -> Login:
        """For a new connection.

        Raises:
            IdentityError: there is none at present.
        """
        ...

    def holds(self, login: Login) -> bool:
        """Whether a connection with this login may be used for some more calls."""
        ...


class OwnLogins:
    """Those of the settings: always the same."""

    def __init__(self, credentials: Credentials) -> None:
        self._login = Login(credentials.username, credentials.password)

    async def login(self) -> Login:
        return self._login

    def holds(self, login: Login) -> bool:
        return login.use_until is None


class Dialer:
    """Makes connections to the servers of one settings.

    Args:
        logins: in place of the settings' own credentials, asked for each connection.
    """

    def __init__(self, settings: RedisSettings, logins: Logins | None = None) -> None:
        self._settings = settings
        self._logins = logins or OwnLogins(settings.credentials)
        self._shown: WeakKeyDictionary[Connection, Login] = WeakKeyDictionary()

    async def connect(self, address: Address) -> Connection:
        """A connection that is authenticated and ready. For a unix socket the address means nothing.

        Raises:
            RedisError, OSError, TimeoutError: the driver's own.
            IdentityError: there is no login.
        """
        settings = self._settings
        limit = asyncio.get_running_loop().time() + settings.timeouts.connect
        try:
            async with asyncio.timeout_at(limit):
                login = await self._logins.login()
        except TimeoutError:
            raise SlowIdentityError("no token from the identity provider in time") from None
        kind, more = self._kind(address)
        if settings.database and not settings.proxied:
            more["db"] = settings.database
        connection = await self._open(kind(**more, **_shown(login), **_common()), limit)
        self._shown[connection] = login
        return connection

    async def connect_sentinel(self, address: Address) -> Connection:
        """As `connect`, to a Sentinel with its own credentials."""
        limit = asyncio.get_running_loop().time() + self._settings.timeouts.connect
        sentinel = self._settings.sentinel
        kind, more = self._kind(address)
        login = await OwnLogins(sentinel.credentials if sentinel else Credentials()).login()
        return await self._open(kind(**more, **_shown(login), **_common()), limit)

    def holds(self, connection: Connection) -> bool:
        """Whether its server still takes what it was opened with."""
        return self._logins.holds(self._shown[connection])

    def _kind(self, address: Address) -> tuple[type[Connection], dict[str, Any]]:
        if self._settings.path:
            return driver.UnixDomainSocketConnection, {"path": self._settings.path}
        more: dict[str, Any] = {"host": address.host, "port": address.port}
        tls = self._settings.tls
        if tls is None:
            return driver.Connection, more
        return NamedTls, more | _tls(tls, address)

    async def _open(self, connection: Connection, limit: float) -> Connection:
        """`limit`: seconds of the loop's clock."""
        try:
            async with asyncio.timeout_at(limit):
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


def _shown(login: Login) -> dict[str, Any]:
    if not login.password:
        return {}
    return {"username": login.username or None, "password": login.password}


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
