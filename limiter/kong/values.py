"""Dimensions of Kong's own, read off facts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote, unquote

from limiter.facts import Facts
from limiter.kong.paths import normal

PATH = "kong:path"
"""The path that the client asked for, which a route may have changed on the way."""


def _asked(facts: Facts) -> str:
    return normal(facts.target.partition("?")[0]) if facts.route and facts.target else facts.path


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
    {"kong": lambda _: _asked, "within": _within}
)
"""By their first part: `within:/v1/chat`."""
