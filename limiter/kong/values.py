"""Dimensions of Kong's own, read off facts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote, unquote

from limiter.facts import Facts
from limiter.kong.airla.names import theirs
from limiter.kong.paths import normal

PATH = "kong:path"
"""The path that the client asked for, which a route may have changed on the way."""
PROVIDER = "kong:provider"
"""Kong's name of the provider, which may be one for several of ours."""
GROUP = "kong:group"
"""Of the groups that a consumer is in, the first by name: as with scopes of plugins."""


def _asked(facts: Facts) -> str:
    return normal(facts.target.partition("?")[0]) if facts.route and facts.target else facts.path


def _first_group(facts: Facts) -> str:
    return next(iter(facts.groups), "")


_PARTS: Mapping[str, Callable[[Facts], str]] = MappingProxyType(
    {"path": _asked, "provider": lambda facts: theirs(facts.provider), "group": _first_group}
)


def _part(name: str) -> Callable[[Facts], str]:
    if name not in _PARTS:
        raise ValueError(f"unknown part {name!r} of a request, expected one of {', '.join(_PARTS)}")
    return _PARTS[name]


def header(name: str) -> str:
    """The dimension whose value is the first field of that name; hyphens and underscores are the same in names."""
    return f"kong-header:{_dashed(name)}"


def _header(name: str) -> Callable[[Facts], str]:
    dashed = _dashed(name)
    return lambda facts: next((value for field, value in facts.fields if _dashed(field) == dashed), "")


def _dashed(name: str) -> str:
    return name.lower().replace("_", "-")


def within(path: str) -> str:
    """The dimension whose value is the path itself, for requests of it or of what lies below it."""
    return f"within:{quote(path)}"  # A bar would part it from the next dimension.


def _within(path: str) -> Callable[[Facts], str]:
    path = unquote(path)
    below = path if path.endswith("/") else f"{path}/"

    def read(facts: Facts) -> str:
        asked = _asked(facts)
        return path if asked == path or asked.startswith(below) else ""

    return read


KINDS: Mapping[str, Callable[[str], Callable[[Facts], str]]] = MappingProxyType(
    {"kong": _part, "kong-header": _header, "within": _within}
)
"""By their first part: `within:/v1/chat`."""
