"""The schemas of Kong's entities other than plugins' configurations, as far as they matter here.

Fields that Kong has and that do nothing here are listed with the value that it writes into exports by default: another
value is worth a warning. https://developer.konghq.com/gateway/entities/
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from limiter.config.kong.airla_schema import path
from limiter.config.kong.ids import is_id
from limiter.config.kong.schema import LARGEST, Anything, Field, Fields, Flag, Listed, Number, Table, Text, Wrong
from limiter.kong.entities import HTTP

_PROTOCOLS = (*HTTP, "grpc", "grpcs", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss")
FOREIGN = ("service", "route", "consumer", "consumer_group")
"""Fields that name another entity."""


def _uuid(text: str) -> str:
    return "" if is_id(text) else "expected a valid UUID"


COMMON: Mapping[str, Field] = {
    "id": Text(check=_uuid),
    "tags": Listed(of=Text(), kind="set"),
    "created_at": Anything(),
    "updated_at": Anything(),
}


class EntitySchema(NamedTuple):
    """How entities of one kind are read."""

    schema: Fields
    idle: Mapping[str, object]
    """Fields without effect, and their usual values."""


def _route_path(text: str) -> str:
    if text.startswith("~"):
        return ""
    return path(text)


def _method(text: str) -> str:
    return "" if text == text.upper() else f"invalid value: {text}"


def _regexes(route: Mapping[str, Any]) -> Iterator[Wrong]:
    if not any(route[name] for name in ("hosts", "paths", "methods", "headers", "snis", "expression")):
        names = "'methods', 'hosts', 'headers', 'paths', 'snis'"
        yield Wrong((), f"must set one of {names} when 'protocols' is 'https'", entity=True)


def _consumer(consumer: Mapping[str, Any]) -> Iterator[Wrong]:
    if not consumer["username"] and not consumer["custom_id"]:
        yield Wrong((), "at least one of these fields must be non-empty: 'custom_id', 'username'", entity=True)


_port = Number(whole=True, between=(0, 65535))
_time = Number(whole=True, between=(1, LARGEST))


def _schema(fields: Mapping[str, Field], idle: Mapping[str, object], **more: Any) -> EntitySchema:
    passed: dict[str, Field] = {name: Anything() for name in idle}
    return EntitySchema(Fields(fields={**COMMON, **passed, **fields}, **more), idle)


SERVICE = _schema(
    {
        "name": Text(),
        "url": Text(),
        "protocol": Text(one_of=_PROTOCOLS),
        "host": Text(),
        "port": _port,
        "path": Text(check=path),
        "enabled": Flag(default=True),
    },
    {
        "retries": 5,
        "connect_timeout": 60_000,
        "write_timeout": 60_000,
        "read_timeout": 60_000,
        "tls_verify": None,
        "tls_verify_depth": None,
        "tls_sans": None,
        "ca_certificates": None,
        "client_certificate": None,
    },
)
ROUTE = _schema(
    {
        "name": Text(),
        "hosts": Listed(of=Text()),
        "paths": Listed(of=Text(check=_route_path)),
        "methods": Listed(of=Text(check=_method), kind="set"),
        "headers": Table(of=Listed(of=Text())),
        "protocols": Listed(default=list(HTTP), of=Text(one_of=_PROTOCOLS), kind="set", shortest=1),
        "strip_path": Flag(default=True),
        "preserve_host": Flag(default=False),
        "regex_priority": Number(default=0, whole=True),
        "path_handling": Text(default="v0", one_of=("v0", "v1")),
        "expression": Text(),
    },
    {
        "https_redirect_status_code": 426,
        "request_buffering": True,
        "response_buffering": True,
        "snis": None,
        "sources": None,
        "destinations": None,
        "priority": 0,
    },
    check=_regexes,
)
CONSUMER = _schema({"username": Text(), "custom_id": Text()}, {"type": 0, "username_lower": None}, check=_consumer)
GROUP = _schema({"name": Text(required=True)}, {})
KEY = _schema({"key": Text(referenceable=True)}, {"ttl": None})
BASIC = _schema(
    {"username": Text(required=True), "password": Text(required=True, referenceable=True)},
    {"skip_insert_transformation": None},
)
PLUGIN = _schema(
    {
        "name": Text(required=True),
        "instance_name": Text(),
        "enabled": Flag(default=True),
        "protocols": Listed(of=Text(one_of=_PROTOCOLS), kind="set"),
        "condition": Text(longest=1024),
        "config": Anything(),
        "partials": Anything(),
    },
    {"ordering": None, "run_on": "first"},
)
PARTIAL = _schema(
    {"name": Text(), "type": Text(required=True, one_of=("redis-ee", "redis-ce")), "config": Anything()}, {}
)
