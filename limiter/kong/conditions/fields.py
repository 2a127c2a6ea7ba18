"""What conditions can name of a request and of the gateway's entities that it meets.

https://developer.konghq.com/gateway/plugins/expressions/
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl

from limiter.facts import Facts
from limiter.kong.conditions.entities import Entities
from limiter.kong.conditions.values import Value
from limiter.kong.entities import Consumer, Route, Service
from limiter.kong.values import KINDS

Kind = Literal["bool", "int", "string", "list", "null", "any"]


class Field(NamedTuple):
    kind: Kind
    """When it is not null."""
    read: Callable[[Facts, Entities], Value]


_path = KINDS["kong"]("path")
GRPC = {"http": "grpc", "https": "grpcs"}


def _host(facts: Facts, _: Entities) -> str:
    host = facts.asked_host or facts.host
    name, colon, port = host.rpartition(":")
    is_port = colon and port.isdigit() and (":" not in name or name.endswith("]"))
    return name if is_port else host


def _protocol(facts: Facts, entities: Entities) -> Value:
    route = entities.routes.get(facts.route)
    if route is not None and set(route.protocols) <= set(GRPC.values()):
        return GRPC.get(facts.asked_scheme)
    return facts.asked_scheme or None


def _segments(facts: Facts, _: Entities) -> Value:
    return tuple(filter(None, _path(facts).split("/")))


def _route(read: Callable[[Route], Value]) -> Callable[[Facts, Entities], Value]:
    return lambda facts, entities: read(route) if (route := entities.routes.get(facts.route)) else None


def _service(read: Callable[[Service], Value]) -> Callable[[Facts, Entities], Value]:
    return lambda facts, entities: read(service) if (service := entities.services.get(facts.service)) else None


def _consumer(read: Callable[[Consumer], Value]) -> Callable[[Facts, Entities], Value]:
    return lambda facts, entities: read(found) if (found := entities.consumers.get(facts.consumer_id)) else None


def _group_ids(facts: Facts, entities: Entities) -> Value:
    return tuple(entities.groups[name] for name in facts.groups if name in entities.groups) or None


FIELDS: Mapping[str, Field] = {
    "http.method": Field("string", lambda facts, _: facts.method),
    "http.host": Field("string", _host),
    "http.path": Field("string", lambda facts, _: _path(facts)),
    "http.path_segments": Field("list", _segments),
    "net.protocol": Field("string", _protocol),
    "net.src.ip": Field("string", lambda facts, _: facts.ip),
    "route.id": Field("string", lambda facts, _: facts.route or None),
    "route.name": Field("string", _route(lambda route: route.name or None)),
    "route.tags": Field("list", _route(lambda route: route.tags or None)),
    "service.id": Field("string", lambda facts, _: facts.service or None),
    "service.name": Field("string", _service(lambda service: service.name or None)),
    "service.tags": Field("list", _service(lambda service: service.tags or None)),
    "consumer.id": Field("string", lambda facts, _: facts.consumer_id or None),
    "consumer.username": Field("string", _consumer(lambda consumer: consumer.username or None)),
    "consumer.custom_id": Field("string", lambda facts, _: facts.custom_id or None),
    "consumer.tags": Field("list", _consumer(lambda consumer: consumer.tags or None)),
    "consumer_group.names": Field("list", lambda facts, _: facts.groups or None),
    "consumer_group.ids": Field("list", _group_ids),
}
"""Null stands for what a request does not have."""


def _underscored(name: str) -> str:
    return name.lower().replace("-", "_")


def _headers(name: str) -> Callable[[Facts], tuple[str, ...]]:
    wanted = _underscored(name)
    return lambda facts: tuple(value for key, value in facts.fields if _underscored(key) == wanted)


def _queries(name: str) -> Callable[[Facts], tuple[str, ...]]:
    def read(facts: Facts) -> tuple[str, ...]:
        query = facts.target.partition("?")[2]
        return tuple(value for key, value in parse_qsl(query, keep_blank_values=True) if key == name)

    return read


def _first(values: Callable[[Facts], tuple[str, ...]]) -> Field:
    return Field("string", lambda facts, _: next(iter(values(facts)), None))


def _all(values: Callable[[Facts], tuple[str, ...]]) -> Field:
    return Field("list", lambda facts, _: values(facts) or None)


NAMED: Mapping[str, Callable[[str], Field]] = {
    "http.headers": lambda name: _first(_headers(name)),
    "http.headers_list": lambda name: _all(_headers(name)),
    "http.queries": lambda name: _first(_queries(name)),
    "http.queries_list": lambda name: _all(_queries(name)),
}
"""Fields that take a name. Of headers, hyphens and underscores are the same in it."""

_SOCKET = "what the client's connection was is not known here"
UNKNOWN: Mapping[str, str] = {
    "kong.ctx": "is set by plugins that do not run here",
    "plugins": "which other plugins there are is not known here",
    "principal": "principals of Konnect are not known here",
    "net.tls": _SOCKET,
    "net.src.port": _SOCKET,
    "net.dst": _SOCKET,
}
"""What Kong knows and this program does not, by the beginnings of fields."""
EXPECTED = ", ".join((*FIELDS, *(f"{name}.NAME" for name in NAMED)))


def field(parts: Sequence[str]) -> Field:
    """The field whose name has these parts.

    Raises:
        ValueError: there is none, or not here.
    """
    dotted = ".".join(parts)
    for beginning, why in UNKNOWN.items():
        if f"{dotted}.".startswith(f"{beginning}."):
            raise ValueError(f"found {dotted}: {why}")
    if dotted in FIELDS:
        return FIELDS[dotted]
    *group, name = parts
    if ".".join(group) in NAMED:
        return NAMED[".".join(group)](name)
    raise ValueError(f"found the unknown field {dotted}, expected one of {EXPECTED}")
