"""Which route a request takes, and where its service is.

The order of Kong's `traditional_compatible` router (kong/router/transform.lua): the route with the most kinds of
conditions wins, then one without wildcard hosts, then the one with more headers, then a regular expression over a
prefix, the higher `regex_priority`, the longer prefix, and at last the one that was declared first. A route with
several paths counts as one for each. Conditions on names of TLS and on addresses are not looked at.

Routes are filed by host and path, so that the cost does not grow with their number, but for regular expressions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from limiter.kong.candidates import Ask, Candidate, Shelf, conditions, is_host, nearest, ranked, split_host
from limiter.kong.entities import Gateway, Route, Service
from limiter.kong.paths import joined, normal

__all__ = ["DEFAULT_PORTS", "Ask", "Match", "Router", "Upstream"]

DEFAULT_PORTS = {"http": 80, "https": 443}
SECURE = frozenset({"https", "grpcs", "wss", "tls"})
"""Protocols of services that are spoken to over TLS."""
HTTP_ROUTES = frozenset({"http", "https", "grpc", "grpcs", "ws", "wss"})


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


class Router:
    """The routes of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._services = {service.id: service for service in gateway.services}
        routes = [route for route in gateway.routes if self._is_open(route)]
        self._hosts: dict[str, Shelf] = {}
        self._heads: dict[str, Shelf] = {}
        self._tails: dict[str, Shelf] = {}
        self._anywhere = Shelf()
        self._conditions = {route.id: tuple(conditions(route)) for route in routes}
        self._routes_of: dict[str, list[Candidate]] = {}
        self._routes_to: dict[str, list[Candidate]] = {}
        proxied = {(each.scope.service, each.scope.route): each.providers for each in gateway.proxied}
        for candidate in ranked(routes):
            self._file(candidate)
            self._routes_of.setdefault(candidate.route.service, []).append(candidate)
            for provider in nearest(proxied, candidate.route.service, candidate.route.id) or ():
                self._routes_to.setdefault(provider, []).append(candidate)
        self._destinations: dict[tuple[str, int], list[Service]] = {}
        for service in gateway.services:
            if service.enabled:
                self._destinations.setdefault((service.host.lower().rstrip("."), service.port), []).append(service)
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

    def towards(self, ask: Ask, provider: str = "") -> Match | None:
        """The service that a request to somewhere else goes to, and the route by which it could have come.

        A client that uses a forward proxy asks the upstream itself. Of the services there the one with the longest path
        is meant; of its routes, the first by the same order that would have led to what was asked for. Where no service
        is, the first route is meant whose `ai-proxy` leads to the provider, as the host of such a service is a dummy.

        Args:
            provider: that the request goes to, as the provider table calls it; empty: none that is known.
        """
        path = normal(ask.target.partition("?")[0])
        for service in self._destinations.get((ask.host, ask.port), ()):
            beyond = _beyond(service.path, path)
            if beyond is not None:
                leading = [
                    candidate
                    for candidate in self._routes_of.get(service.id, ())
                    if self._could_lead(candidate, beyond)
                ]
                # A client that leaves out what all routes ask for must not get around their limits.
                fitting = [candidate for candidate in leading if self._fits(candidate, ask, hosts=False)] or leading
                return Match(min(fitting).route if fitting else None, service, path)
        for candidate in self._routes_to.get(provider, ()):
            if self._fits(candidate, ask, hosts=False):
                return Match(candidate.route, self._services.get(candidate.route.service), path)
        return None

    def _is_open(self, route: Route) -> bool:
        service = self._services.get(route.service)
        return (service is None or service.enabled) and any(name in HTTP_ROUTES for name in route.protocols)

    def _file(self, candidate: Candidate) -> None:
        for host in candidate.route.hosts or ("",):
            name, _ = split_host(host)
            if not name:
                shelf = self._anywhere
            elif name.startswith("*"):
                shelf = self._tails.setdefault(name[1:], Shelf())
            elif name.endswith("*"):
                shelf = self._heads.setdefault(name[:-1], Shelf())
            else:
                shelf = self._hosts.setdefault(name, Shelf())
            shelf.add(candidate)

    def _shelves(self, host: str) -> Iterator[Shelf]:
        yield self._anywhere
        if host in self._hosts:
            yield self._hosts[host]
        if self._heads or self._tails:
            for cut in range(len(host) + 1):
                if shelf := self._heads.get(host[:cut]):
                    yield shelf
                if shelf := self._tails.get(host[cut:]):
                    yield shelf

    def _fitting(self, ask: Ask, path: str) -> Iterator[tuple[Candidate, str]]:
        for candidate in chain.from_iterable(shelf.find(path) for shelf in self._shelves(ask.host)):
            rest = candidate.rest(path)
            if rest is not None and self._fits(candidate, ask, hosts=True):
                yield candidate, rest

    def _fits(self, candidate: Candidate, ask: Ask, *, hosts: bool) -> bool:
        route = candidate.route
        if route.methods and ask.method not in route.methods:
            return False
        if hosts and route.hosts and not any(is_host(host, ask.host, ask.port) for host in route.hosts):
            return False
        return all(condition(ask) for condition in self._conditions[route.id])

    @staticmethod
    def _could_lead(candidate: Candidate, beyond: str) -> bool:
        """Whether a request on the route could have become one for `beyond` the service's own path."""
        if candidate.route.strip_path or candidate.rest(beyond) is not None:
            return True
        # Some upstreams take a path in any case.
        return candidate.pattern is None and beyond.lower().startswith(candidate.prefix.lower())


def _beyond(base: str, path: str) -> str | None:
    """What a path has after a service's own, with a slash before it; None if it begins otherwise."""
    bare = base.rstrip("/")
    if not path.lower().startswith(bare.lower()):  # Some upstreams take a path in any case.
        return None
    rest = path[len(bare) :]
    return rest or "/" if not rest or rest.startswith("/") else None


def _authority(host: str, port: int, scheme: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if DEFAULT_PORTS.get(scheme) == port else f"{shown}:{port}"
