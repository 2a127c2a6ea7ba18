"""What single routes accept, and which of two comes first."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from limiter.kong.entities import Route
from limiter.kong.patterns import compiled


class Ask(NamedTuple):
    """What a request is routed by."""

    method: str
    scheme: str
    """`http` or `https`."""
    host: str
    """Lower case, without port."""
    port: int
    target: str
    """Path and query as sent."""
    fields: tuple[tuple[str, str], ...] = ()
    """Header fields with lower-case names."""


class Candidate(NamedTuple):
    """A route by one of its paths."""

    rank: int
    """Lower ones win."""
    route: Route
    prefix: str = ""
    pattern: re.Pattern[str] | None = None

    def rest(self, path: str) -> str | None:
        """What follows the matched part of a path; None if nothing matches."""
        if self.pattern is not None:
            found = self.pattern.match(path)
            return path[found.end() :] if found else None
        return path[len(self.prefix) :] if path.startswith(self.prefix) else None


class Shelf:
    """Candidates of one host, by path."""

    def __init__(self) -> None:
        self._prefixes: dict[str, list[Candidate]] = {}
        self._lengths: list[int] = []
        self._others: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        if candidate.pattern is not None:
            self._others.append(candidate)
            return
        self._prefixes.setdefault(candidate.prefix, []).append(candidate)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def find(self, path: str) -> Iterator[Candidate]:
        """All whose prefix the path begins with, and all with an expression."""
        yield from self._others
        for length in self._lengths:
            if length > len(path):
                return
            yield from self._prefixes.get(path[:length], ())


def ranked(routes: Iterable[Route]) -> Iterator[Candidate]:
    """A candidate for each path of each route, those that win first."""
    listed = [(route, path) for route in routes for path in route.paths or ("",)]
    ordered = sorted(listed, key=lambda pair: _weight(*pair), reverse=True)
    for rank, (route, path) in enumerate(ordered):
        if path.startswith("~"):
            yield Candidate(rank, route, pattern=compiled(path[1:]))
        else:
            yield Candidate(rank, route, prefix=path)


def _weight(route: Route, path: str) -> tuple[int, ...]:
    conditions = (route.methods, route.hosts, route.headers, route.paths)
    is_pattern = path.startswith("~")
    return (
        sum(map(bool, conditions)),
        bool(route.hosts) and not any("*" in host for host in route.hosts),
        min(len(route.headers), 255),
        is_pattern,
        route.regex_priority if is_pattern else 0,
        0 if is_pattern else len(path),
    )


def conditions(route: Route) -> Iterator[Callable[[Ask], bool]]:
    """One for each header that the route asks for: any of its values, in any of the header's fields."""
    for name, values in route.headers:
        patterns = [compiled(value[2:]) for value in values if value.startswith("~*")]
        yield _header(name, frozenset(value for value in values if not value.startswith("~*")), patterns)


def _header(name: str, exact: frozenset[str], patterns: list[re.Pattern[str]]) -> Callable[[Ask], bool]:
    def accepts(value: str) -> bool:
        lowered = value.lower()
        return lowered in exact or any(pattern.search(lowered) for pattern in patterns)

    return lambda ask: any(accepts(value) for field, value in ask.fields if field.replace("_", "-") == name)


def split_host(host: str) -> tuple[str, int | None]:
    """A host of a route as name and port."""
    name, colon, port = host.rpartition(":")
    return (name, int(port)) if colon and port.isascii() and port.isdigit() else (host, None)


def is_host(wanted: str, host: str, port: int) -> bool:
    """Whether a request's host and port are what a route wants."""
    name, number = split_host(wanted)
    if number is not None and number != port:
        return False
    if name.startswith("*"):
        return host.endswith(name[1:])
    return host.startswith(name[:-1]) if name.endswith("*") else host == name


def nearest[Instance](instances: Mapping[tuple[str, str], Instance], service: str, route: str) -> Instance | None:
    """The instance with the most telling scope: both, the route, the service, or everything."""
    places = ((service, route), ("", route), (service, ""), ("", ""))
    return next((instances[place] for place in places if place in instances), None)
