"""Which route a request takes, and where its service is.

The order of Kong's `traditional_compatible` router (kong/router/transform.lua): the route with the most kinds of
conditions wins, then one without wildcard hosts, then the one with more headers, then a regular expression over a
prefix, the higher `regex_priority`, the longer prefix, and at last the one that was declared first. A route with
several paths counts as one for each. Conditions on names of TLS and on addresses are not looked at.

Routes are filed by host and path, so that the cost does not grow with their number, but for regular expressions.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from limiter.kong.entities import Gateway, Route, Service
from limiter.kong.paths import joined, normal
from limiter.kong.patterns import pythonic

DEFAULT_PORTS = {"http": 80, "https": 443}
SECURE = frozenset({"https", "grpcs", "wss", "tls"})
"""Protocols of services that are spoken to over TLS."""
HTTP_ROUTES = frozenset({"http", "https", "grpc", "grpcs", "ws", "wss"})


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


class Upstream(NamedTuple):
    """Where a request goes."""

    scheme: str
    """`http` or `https`."""
    host: str
    port: int
    target: str
    """Path and query."""
    authority: str
    """What the Host header says."""


@dataclass(frozen=True, slots=True)
class Match:
    """The route that a request takes."""

    route: Route | None
    """None where only the service is known."""
    service: Service | None
    """None for a route without service, which only plugins can answer."""
    path: str = field(default="", compare=False)
    """Of the request, normal."""
    rest: str = field(default="", compare=False)
    """What follows the part that the route's path matched."""

    def upstream(self, ask: Ask) -> Upstream | None:
        """Where the request goes; None without a service."""
        if self.service is None:
            return None
        service, route = self.service, self.route
        path = joined(
            service.path,
            self.path,
            self.rest,
            strip=route.strip_path if route else False,
            handling=route.path_handling if route else "v0",
        )
        _, mark, query = ask.target.partition("?")
        scheme = "https" if service.protocol in SECURE else "http"
        authority = _authority(service.host, service.port, scheme)
        if route and route.preserve_host:
            authority = _authority(ask.host, ask.port, ask.scheme)
        return Upstream(scheme, service.host, service.port, path + mark + query, authority)


class _Candidate(NamedTuple):
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


class _Shelf:
    """Candidates of one host, by path."""

    def __init__(self) -> None:
        self._prefixes: dict[str, list[_Candidate]] = {}
        self._lengths: list[int] = []
        self._others: list[_Candidate] = []

    def add(self, candidate: _Candidate) -> None:
        if candidate.pattern is not None:
            self._others.append(candidate)
            return
        self._prefixes.setdefault(candidate.prefix, []).append(candidate)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def find(self, path: str) -> Iterator[_Candidate]:
        yield from self._others
        for length in self._lengths:
            if length > len(path):
                return
            yield from self._prefixes.get(path[:length], ())


class Router:
    """The routes of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._services = {service.id: service for service in gateway.services}
        routes = [route for route in gateway.routes if self._is_open(route)]
        self._hosts: dict[str, _Shelf] = {}
        self._heads: dict[str, _Shelf] = {}
        self._tails: dict[str, _Shelf] = {}
        self._anywhere = _Shelf()
        self._conditions = {route.id: tuple(_conditions(route)) for route in routes}
        self._routes_of: dict[str, list[_Candidate]] = {}
        for candidate in _ranked(routes):
            self._file(candidate)
            self._routes_of.setdefault(candidate.route.service, []).append(candidate)
        self._destinations: dict[tuple[str, int], list[Service]] = {}
        for service in gateway.services:
            if service.enabled:
                self._destinations.setdefault((service.host.lower(), service.port), []).append(service)
        for services in self._destinations.values():
            services.sort(key=lambda service: -len(service.path))

    def match(self, ask: Ask) -> Match | None:
        """The route that a request to this gateway takes; None if there is none for it."""
        path = normal(ask.target.partition("?")[0])
        found = min(self._fitting(ask, path), default=None, key=lambda pair: pair[0].rank)
        if found is None:
            return None
        candidate, rest = found
        return Match(candidate.route, self._services.get(candidate.route.service), path, rest)

    def towards(self, ask: Ask) -> Match | None:
        """The service that a request to somewhere else goes to, and the route by which it could have come.

        A client that uses a forward proxy asks the upstream itself. Of the services there the one with the longest path
        is meant; of its routes, the first by the same order that would have led to what was asked for.
        """
        path = normal(ask.target.partition("?")[0])
        for service in self._destinations.get((ask.host, ask.port), ()):
            beyond = _beyond(service.path, path)
            if beyond is not None:
                candidates = (
                    candidate
                    for candidate in self._routes_of.get(service.id, ())
                    if self._could_lead(candidate, beyond) and self._fits(candidate, ask, hosts=False)
                )
                best = min(candidates, default=None)
                return Match(best.route if best else None, service, path)
        return None

    def _is_open(self, route: Route) -> bool:
        service = self._services.get(route.service)
        return (service is None or service.enabled) and any(name in HTTP_ROUTES for name in route.protocols)

    def _file(self, candidate: _Candidate) -> None:
        for host in candidate.route.hosts or ("",):
            name, _ = _split(host)
            if not name:
                shelf = self._anywhere
            elif name.startswith("*"):
                shelf = self._tails.setdefault(name[1:], _Shelf())
            elif name.endswith("*"):
                shelf = self._heads.setdefault(name[:-1], _Shelf())
            else:
                shelf = self._hosts.setdefault(name, _Shelf())
            shelf.add(candidate)

    def _shelves(self, host: str) -> Iterator[_Shelf]:
        yield self._anywhere
        if host in self._hosts:
            yield self._hosts[host]
        if self._heads or self._tails:
            for cut in range(len(host) + 1):
                if shelf := self._heads.get(host[:cut]):
                    yield shelf
                if shelf := self._tails.get(host[cut:]):
                    yield shelf

    def _fitting(self, ask: Ask, path: str) -> Iterator[tuple[_Candidate, str]]:
        for candidate in chain.from_iterable(shelf.find(path) for shelf in self._shelves(ask.host)):
            rest = candidate.rest(path)
            if rest is not None and self._fits(candidate, ask, hosts=True):
                yield candidate, rest

    def _fits(self, candidate: _Candidate, ask: Ask, *, hosts: bool) -> bool:
        route = candidate.route
        if route.methods and ask.method not in route.methods:
            return False
        if hosts and route.hosts and not any(_is_host(host, ask.host, ask.port) for host in route.hosts):
            return False
        return all(condition(ask) for condition in self._conditions[route.id])

    @staticmethod
    def _could_lead(candidate: _Candidate, beyond: str) -> bool:
        """Whether a request on the route could have become one for `beyond` the service's own path."""
        return candidate.route.strip_path or candidate.rest(beyond) is not None


def _ranked(routes: Iterable[Route]) -> Iterator[_Candidate]:
    """A candidate for each path of each route, those that win first."""
    listed = [(route, path) for route in routes for path in route.paths or ("",)]
    ordered = sorted(listed, key=lambda pair: _weight(*pair), reverse=True)
    for rank, (route, path) in enumerate(ordered):
        if path.startswith("~"):
            yield _Candidate(rank, route, pattern=re.compile(pythonic(path[1:])))
        else:
            yield _Candidate(rank, route, prefix=path)


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


def _conditions(route: Route) -> Iterator[Callable[[Ask], bool]]:
    """One for each header that the route asks for: any of its values, in any of the header's fields."""
    for name, values in route.headers:
        patterns = [re.compile(pythonic(value[2:])) for value in values if value.startswith("~*")]
        yield _header(name, frozenset(value for value in values if not value.startswith("~*")), patterns)


def _header(name: str, exact: frozenset[str], patterns: list[re.Pattern[str]]) -> Callable[[Ask], bool]:
    def accepts(value: str) -> bool:
        lowered = value.lower()
        return lowered in exact or any(pattern.search(lowered) for pattern in patterns)

    return lambda ask: any(accepts(value) for field, value in ask.fields if field.replace("_", "-") == name)


def _split(host: str) -> tuple[str, int | None]:
    name, colon, port = host.rpartition(":")
    return (name, int(port)) if colon and port.isascii() and port.isdigit() else (host, None)


def _is_host(wanted: str, host: str, port: int) -> bool:
    name, number = _split(wanted)
    if number is not None and number != port:
        return False
    if name.startswith("*"):
        return host.endswith(name[1:])
    return host.startswith(name[:-1]) if name.endswith("*") else host == name


def _beyond(base: str, path: str) -> str | None:
    """What a path has after a service's own, with a slash before it; None if it begins otherwise."""
    bare = base.rstrip("/")
    if not path.startswith(bare):
        return None
    rest = path[len(bare) :]
    return rest or "/" if not rest or rest.startswith("/") else None


def _authority(host: str, port: int, scheme: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if DEFAULT_PORTS.get(scheme) == port else f"{shown}:{port}"
