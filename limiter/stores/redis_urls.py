"""Settings from URLs.

    redis://user:password@host:port/database          rediss://… is the same over TLS
    redis+sentinel://user:password@host:port,host:port/master/database      rediss+sentinel://…
    redis+cluster://user:password@host:port,host:port                       rediss+cluster://…
    unix:///path/to/socket?db=1

User and password are percent-encoded. The query takes the names of redis_parameters.py; any other is an error.

With a cloud's identity in place of a password:

    rediss://user@host:6379?auth_provider=aws&aws_cache_name=limits&aws_region=eu-central-1
    rediss+cluster://host:10000?auth_provider=azure&azure_client_id=…         rediss://host:6379?auth_provider=gcp

A URL holds no secret of a cloud; that module says where they are taken from.
"""

from urllib.parse import unquote, urlsplit

from limiter.cloud_identity import FIELDS, CloudIdentity, cloud_identity
from limiter.redis_settings import (
    LOCAL,
    Address,
    Cluster,
    Credentials,
    RedisSettings,
    Sentinel,
    Timeouts,
    Tls,
)
from limiter.stores.redis_parameters import Values, read_query

SENTINEL_PORT = 26379
SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster", "unix")


def parse_url(url: str) -> RedisSettings:
    """The settings that a URL describes.

    Raises:
        ValueError: it describes none. The text shows neither the URL nor a value of it, as both may hold a secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its own message quotes a part, which may be one of the password.
        raise ValueError("redis: found no URL; are user and password percent-encoded?") from None
    scheme, _, kind = parts.scheme.partition("+")
    if parts.scheme not in SCHEMES:
        raise ValueError(f"redis: found the scheme {parts.scheme!r}, expected {', '.join(SCHEMES)}")
    if parts.fragment:
        raise ValueError("redis: found a '#' in the URL, expected %23 in its place")
    values = read_query(parts.query, scheme, kind)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) for part in userinfo.partition(":"))
    login = Credentials(values.get("username", username), values.get("password", password))
    identity = _identity(values)
    if login.username and not login.password and identity is None:
        raise ValueError("redis: found a username without a password")
    settings: Values = {"credentials": login, "identity": identity} | _common(values)
    if scheme == "rediss":
        settings["tls"] = _tls(values)
    if scheme == "unix":
        settings["path"] = _path(parts.path, hosts)
        return RedisSettings(**settings)
    names = [unquote(part) for part in parts.path.split("/")[1:] if part]
    if kind == "sentinel":
        settings["sentinel"] = _sentinel(names, hosts, values)
    elif kind == "cluster":
        settings["cluster"] = Cluster(_addresses(hosts, LOCAL.port), values.get("cluster_max_redirections", 5))
    else:
        settings["address"] = _only(_addresses(hosts, LOCAL.port) or (LOCAL,))
    if names:
        settings["database"] = _number(names.pop(0), "the database's number")
    if names:
        raise ValueError("redis: found more in the path than a database's number")
    return RedisSettings(**settings)


def _identity(values: Values) -> CloudIdentity | None:
    cloud = values.get("auth_provider")
    for name in values:
        owner = next((owner for owner in FIELDS if name in FIELDS[owner]), cloud)
        if owner != cloud:
            raise ValueError(f"redis: {name} has no effect without auth_provider={owner}")
    try:
        return cloud_identity(values)
    except ValueError as problem:
        raise ValueError(f"redis: {problem}") from None


def _path(path: str, hosts: str) -> str:
    if hosts or not path.strip("/"):
        raise ValueError("redis: expected unix:///path/to/socket")
    return unquote(path)


def _sentinel(names: list[str], hosts: str, values: Values) -> Sentinel:
    """Takes the master's name off `names`."""
    if not names:
        raise ValueError("redis: found no master's name, expected redis+sentinel://host:port/name")
    login = Credentials(values.get("sentinel_username", ""), values.get("sentinel_password", ""))
    return Sentinel(names.pop(0), _addresses(hosts, SENTINEL_PORT), values.get("sentinel_role", "master"), login)


def _only(addresses: tuple[Address, ...]) -> Address:
    if len(addresses) > 1:
        raise ValueError("redis: found several hosts, expected one, or redis+cluster: or redis+sentinel:")
    return addresses[0]


def _common(values: Values) -> Values:
    names = {
        "db": "database",
        "keepalive_pool_size": "pool_size",
        "keepalive_backlog": "backlog",
        "connection_is_proxied": "proxied",
    }
    found = {field: values[name] for name, field in names.items() if name in values}
    spans = {name: values[f"{name}_timeout"] for name in ("connect", "send", "read") if f"{name}_timeout" in values}
    return found | {"timeouts": Timeouts(**spans)}


def _tls(values: Values) -> Tls:
    names = {
        "ssl_verify": "verify",
        "server_name": "server_name",
        "ssl_ca_certs": "ca_file",
        "ssl_certfile": "cert_file",
        "ssl_keyfile": "key_file",
        "ssl_password": "key_password",
    }
    return Tls(**{field: values[name] for name, field in names.items() if name in values})


def _addresses(hosts: str, port: int) -> tuple[Address, ...]:
    return tuple(_address(host, port) for host in hosts.split(",") if host)


def _address(text: str, port: int) -> Address:
    host, bracket, rest = text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    if not bracket:
        host, colon, rest = text.partition(":")
        rest = colon + rest
    if rest in ("", ":"):
        return Address(host or LOCAL.host, port)
    number = _number(rest.removeprefix(":"), "a port")
    if not rest.startswith(":") or number > 65_535:
        raise ValueError("redis: expected a port of at most 65535")
    return Address(host or LOCAL.host, number)


def _number(text: str, what: str) -> int:
    # A password with an unescaped "/" or "@" ends up here, so the text is not shown.
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"redis: expected {what}; are user and password percent-encoded?")
    return int(text)
