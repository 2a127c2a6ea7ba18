"""Dimensions: the names under which rules match on facts and keep counters apart."""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType

from limiter.facts import Facts
from limiter.higress.values import KINDS as HIGRESS
from limiter.kong.values import KINDS as KONG

Read = Callable[[Facts], str]

PLAIN = (
    "provider",
    "endpoint",
    "model",
    "host",
    "method",
    "path",
    "ip",
    "credential",
    "consumer",
    "consumer_id",
    "custom_id",
    "credential_id",
    "service",
    "route",
    "client",
    "session",
    "machine",
)
"""Dimensions that are one field of `Facts`."""
GROUP = "group"
"""The one dimension of which a request can have several values: a condition is met by any of them."""


def _header(name: str) -> Read:
    lowered = name.lower()
    return lambda facts: facts.headers.get(lowered, "")


def _query(name: str) -> Read:
    return lambda facts: facts.query.get(name, "")


def _cookie(name: str) -> Read:
    return lambda facts: facts.cookies.get(name, "")


KINDS: Mapping[str, Callable[[str], Read]] = MappingProxyType(
    {"header": _header, "query": _query, "cookie": _cookie, **HIGRESS, **KONG}
)
"""Dimensions that take a name, as `header:x-team`, by their first part."""
NAMED = ("header", "query", "cookie")
"""Those of them that the native dialect has."""

_SECRET = re.compile(r"auth|key|token|secret|passw|session|sig|cookie|credential", re.IGNORECASE)


def is_secret(dimension: str) -> bool:
    """Whether values of the dimension may let somebody in, so that they are kept as digests only."""
    return any(_is_secret(part) for part in dimension.split("|"))


def _is_secret(dimension: str) -> bool:
    kind, colon, name = dimension.partition(":")
    return bool(colon) and (kind.endswith("cookie") or _SECRET.search(name) is not None)


def reader(dimension: str) -> Read:
    """The function that reads `dimension` off facts.

    Args:
        dimension: one of `PLAIN`, `group`, `KIND:NAME`, or several with `|` between: the first that is not empty.

    Raises:
        ValueError: no such dimension.
    """
    if "|" in dimension:
        return _first(tuple(map(reader, dimension.split("|"))))
    if dimension in PLAIN:
        return attrgetter(dimension)
    if dimension == GROUP:
        return lambda facts: ",".join(facts.groups)
    kind, colon, name = dimension.partition(":")
    if colon and name and kind in KINDS:
        return KINDS[kind](name)
    expected = ", ".join((*PLAIN, GROUP, *(f"{kind}:NAME" for kind in NAMED)))
    raise ValueError(f"unknown dimension {dimension!r}, expected one of {expected}")


def _first(reads: tuple[Read, ...]) -> Read:
    return lambda facts: next(filter(None, (read(facts) for read in reads)), "")
