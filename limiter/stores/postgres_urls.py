"""Settings from URLs, with the names that libpq gives to things.

    postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE
    postgres://…                                   the same
    postgresql://user@first:5432,second:5432/database      the first that is up and writes
    postgresql:///database?host=/run/postgresql    a unix socket, named by its folder

User, password and database are percent-encoded. The query takes the names of `PARAMETERS`; any other is an error.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from limiter.stores.postgres_settings import PostgresSettings

SCHEMES = ("postgresql", "postgres")
PORT = 5432
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
ATTRIBUTES = ("any", "read-write", "primary", "prefer-standby", "read-only", "standby")
COMMITS = ("on", "off", "local", "remote_write", "remote_apply")
ANY: Sequence[str] = ()
TLS = MappingProxyType(
    {
        "sslmode": SSL_MODES,
        "sslrootcert": ANY,
        "sslcert": ANY,
        "sslkey": ANY,
        "sslpassword": ANY,
        "sslcrl": ANY,
        "ssl_min_protocol_version": VERSIONS,
        "ssl_max_protocol_version": VERSIONS,
        "sslnegotiation": ("postgres", "direct"),
    }
)
SESSION = MappingProxyType({"application_name": ANY, "synchronous_commit": COMMITS})
PARAMETERS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "host": ANY,
        "port": ANY,
        "user": ANY,
        "password": ANY,
        "passfile": ANY,
        "dbname": ANY,
        "target_session_attrs": ATTRIBUTES,
        "connect_timeout": ANY,
        **TLS,
        **SESSION,
        # Our own: where the counters lie, seconds for a round trip, connections at most.
        "schema": ANY,
        "timeout": ANY,
        "pool_size": ANY,
    }
)
"""The values that each may have."""


def parse_url(url: str) -> PostgresSettings:
    """The settings that a URL describes.

    Raises:
        ValueError: it describes none. The text shows neither the URL nor a value of it, as both may hold a secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its own message quotes a part, which may be one of the password.
        raise ValueError("postgresql: found no URL; are user and password percent-encoded?") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"postgresql: found the scheme {parts.scheme!r}, expected postgresql")
    if parts.fragment:
        raise ValueError("postgresql: found a '#' in the URL, expected %23 in its place")
    if not url.partition(":")[2].startswith("//"):
        raise ValueError("postgresql: expected postgresql://user:password@host:port/database")
    values = _query(parts.query)
    userinfo, _, places = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    database = unquote(parts.path.removeprefix("/"))
    settings: dict[str, Any] = {
        "hosts": _hosts(places) or _named(values),
        "user": values.get("user", user),
        "password": values.get("password", password),
        "database": values.get("dbname", database),
        "tls": {name: values[name] for name in TLS if name in values},
        "session": {name: values[name] for name in SESSION if name in values},
    }
    for name, own in (("schema", "schema"), ("passfile", "passfile"), ("target_session_attrs", "attributes")):
        if name in values:
            settings[own] = values[name]
    for name in ("connect_timeout", "timeout"):
        if name in values:
            settings[name] = _seconds(name, values[name])
    if "pool_size" in values:
        settings["pool_size"] = _number(values["pool_size"], "pool_size: expected a whole number")
    return PostgresSettings(**settings)


def _query(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        allowed = PARAMETERS.get(name)
        if allowed is None:
            raise ValueError(f"postgresql: unknown parameter {name[:40]!r}, expected {', '.join(PARAMETERS)}")
        if name in values:
            raise ValueError(f"postgresql: {name} is set twice")
        if (allowed and text not in allowed) or not text or not text.isprintable():
            raise ValueError(f"postgresql: {name}: expected {', '.join(allowed) or 'text'}")
        values[name] = text
    return values


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(_host(part) for part in text.split(",") if part)


def _named(values: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """The query's `host` and `port`, each one or a list."""
    if "host" not in values:
        return ()
    hosts = values["host"].split(",")
    ports = [_port(port) for port in values.get("port", str(PORT)).split(",")]
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise ValueError("postgresql: expected one port, or one for each host")
    return tuple(zip(hosts, ports, strict=True))


def _host(text: str) -> tuple[str, int]:
    host, bracket, rest = text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    if not bracket:
        host, colon, rest = text.partition(":")
        rest = colon + rest
    if rest and not rest.startswith(":"):
        raise ValueError("postgresql: expected a port after the host; are user and password percent-encoded?")
    return unquote(host) or "localhost", _port(rest[1:]) if rest[1:] else PORT


def _port(text: str) -> int:
    port = _number(text, "expected a port; are user and password percent-encoded?")
    if not 0 < port < 65_536:
        raise ValueError("postgresql: expected a port of 1 to 65535")
    return port


def _number(text: str, expected: str) -> int:
    # A password with an unescaped "/" or "@" ends up here, so the text is not shown.
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"postgresql: {expected}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    whole, _, fraction = text.partition(".")
    if not (text.isascii() and whole.isdecimal() and (fraction or "0").isdecimal() and len(text) < 10):
        raise ValueError(f"postgresql: {name}: expected seconds")
    return float(text)
