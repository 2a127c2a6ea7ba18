"""Finds the provider and the endpoint that a request calls; the table is in `provider_table`.

Whatever is unclear is metered: a request that only looks as if it were free must not be.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from limiter.usage.addresses import canonical_host, canonical_path, is_plain, tidy
from limiter.usage.endpoints import UPGRADE, Endpoint, Route
from limiter.usage.provider_table import BY_NAME, PROVIDER_NAMES, PROVIDERS, Provider
from limiter.usage.readers import SNIFF

__all__ = [
    "PROVIDERS",
    "PROVIDER_NAMES",
    "Directory",
    "Endpoint",
    "Provider",
    "is_known_host",
    "path_of",
    "recognise",
    "upgrades",
]

_HOSTS = tuple((re.compile(host), provider) for provider in PROVIDERS for host in provider.hosts)
_PORTS = {port: provider for provider in PROVIDERS for port in provider.ports}
_LOCAL_PORTS = {port: provider for provider in PROVIDERS for port in provider.local_ports}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "host.docker.internal"})
_FREE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
"""Headers that some servers take the method from."""
_OVERRIDING = frozenset({"POST", "PUT", "PATCH"})

_AZURE_ASKS_SINCE = "2024-09"
"""Deployments refuse `stream_options` under older `api-version`s; Foundry's `/models` route takes it under all."""
_API_VERSION = re.compile(r"[?&]api-version=(\d{4}-\d\d)", re.IGNORECASE)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_BRACKETS = re.compile(r"[\[\]]")


class _Match(NamedTuple):
    provider: Provider
    local: bool
    exact: bool = False
    """Only paths of the table: the port is a guess."""


class _Called(NamedTuple):
    """What a path and a method mean to a provider."""

    route: Route | None
    metered: bool
    """Where there is no route."""
    plain: bool


@lru_cache(maxsize=4096)
def _public(host: str) -> Provider | None:
    return next((provider for pattern, provider in _HOSTS if pattern.fullmatch(host)), None)


_SHORT = 256
"""Characters of a path that is worth remembering."""


def _called(provider: str, method: str, path: str) -> _Called:
    found = BY_NAME[provider]
    canonical, plain, free = canonical_path(path), is_plain(path), method in _FREE_METHODS
    route = next((row for row in found.routes if row.method == method and row.pattern.search(canonical)), None)
    if route is not None and (not route.metered or route.repeats) and not free:
        # Never refused, so it must be that to any server.
        believed = plain and route.pattern.search(tidy(path)) is not None
        return _Called(route, True, plain) if believed else _Called(None, True, plain=False)
    modelled = not found.paths or re.search(found.paths, canonical, re.IGNORECASE) is not None
    return _Called(route, not free and (modelled or not plain), plain)


_called_before = lru_cache(maxsize=4096)(_called)


class Directory:
    """Finds the provider and the endpoint that a request calls, the hosts of the configuration included."""

    def __init__(self, extra: Mapping[str, str] = _NOTHING, services: Mapping[str, str] = _NOTHING) -> None:
        """Of the table, and what a configuration adds to it.

        Args:
            extra: `host` or `host:port`, lower case → a provider's name; it goes before the table.
            services: `host:port`, lower case, where every request counts → the provider that answers there; `service`
                where it is unknown. What is no call of a model counts as one to `other`.

        Raises:
            ValueError: no such provider; the text lists those that there are.
        """
        unknown = sorted({name for name in extra.values() if name not in BY_NAME})
        if unknown:
            raise ValueError(
                f"unknown provider {', '.join(map(repr, unknown))}, expected one of {', '.join(PROVIDER_NAMES)}"
            )
        # IPv6 hosts are written in brackets and given without.
        self._extra = {canonical_host(_BRACKETS.sub("", host)): BY_NAME[name] for host, name in extra.items()}
        self._services = {canonical_host(_BRACKETS.sub("", host)): BY_NAME[name] for host, name in services.items()}

    def is_known_host(self, host: str, port: int) -> bool:
        """Whether a TLS connection to this host is worth opening. Ports that are mere guesses are not."""
        host = canonical_host(host)
        match = self._match(host, port)
        return (match is not None and not match.exact) or f"{host}:{port}" in self._services

    def is_named(self, host: str, port: int) -> bool:
        """Whether the host is known by its name, or the configuration says what it is; not by a usual port alone."""
        host = canonical_host(host)
        return self._named(host, port) is not None or f"{host}:{port}" in self._services

    def recognise(self, host: str, port: int, method: str, path: str, headers: Mapping[str, str]) -> Endpoint | None:
        """What the request calls; None for a host that is no provider's.

        Args:
            path: with the query.
            headers: lower-case names. They tell a request for a WebSocket from a plain one.
        """
        host = canonical_host(host)
        match = self._match(host, port)
        endpoint = _endpoint(match, host, method, path, headers) if match else None
        service = self._services.get(f"{host}:{port}")
        if service is None:
            return endpoint
        if endpoint is not None and (endpoint.metered or endpoint.repeats or self._named(host, port) is not None):
            return endpoint  # What a port is only usually used for is not believed to be free.
        return _service(service, host, method, path, headers)

    def _named(self, host: str, port: int) -> _Match | None:
        if self._extra:
            provider = self._extra.get(f"{host}:{port}") or self._extra.get(host)
            if provider is not None:
                return _Match(provider, provider.local and _public(host) is not provider)
        provider = _public(host)
        return _Match(provider, local=False) if provider is not None else None

    def _match(self, host: str, port: int) -> _Match | None:
        named = self._named(host, port)
        if named is not None:
            return named
        if port in _PORTS:
            return _Match(_PORTS[port], local=True)
        if port in _LOCAL_PORTS and host in _LOOPBACK:
            return _Match(_LOCAL_PORTS[port], local=True, exact=True)
        return None


def _endpoint(match: _Match, host: str, method: str, path: str, headers: Mapping[str, str]) -> Endpoint | None:
    """What a request to a host of the provider calls; None where the port was only a guess, and a wrong one."""
    provider = match.provider
    if provider.opaque:
        return _opaque(provider, host, local=match.local)
    method = _method(method, headers)
    bare = path.partition("?")[0]
    called = (_called_before if len(bare) <= _SHORT else _called)(provider.name, method, bare)
    name, route = provider.bills_as or provider.name, called.route
    if route is None:
        if match.exact:
            return None
        return Endpoint(
            name, "other", provider.api, called.metered, SNIFF, asks_usage=False,
            local=match.local, estimated=not called.plain, host=host,
        )  # fmt: skip
    return Endpoint(
        name, route.name, route.api or provider.api, route.metered, route.reader or provider.reader,
        asks_usage=route.streams_usage_on_request and provider.asks_usage and _may_ask(provider, path),
        local=match.local, repeats=route.repeats, protocol=route.protocol, defers=route.defers,
        estimated=not route.defers, host=host,
        json=route.json and route.metered and method == "POST" and not route.repeats and not route.defers,
    )  # fmt: skip


def _service(provider: Provider, host: str, method: str, path: str, headers: Mapping[str, str]) -> Endpoint:
    """What a request to a gateway's service calls. Each one counts, and usage is read where an answer may have it."""
    local = host in _LOOPBACK
    endpoint = _endpoint(_Match(provider, local), host, method, path, headers)
    if (endpoint is None or endpoint.name == "other") and provider is not BY_NAME["service"]:
        # Many servers speak OpenAI's format beside their own.
        endpoint = _endpoint(_Match(BY_NAME["service"], local), host, method, path, headers)
        if endpoint is not None and endpoint.name != "other":
            endpoint = replace(endpoint, provider=provider.bills_as or provider.name)
    if endpoint is None or not (endpoint.metered or endpoint.repeats or endpoint.protocol):
        return _opaque(BY_NAME["other"], host, local=True)
    if endpoint.name == "other":
        return (
            replace(endpoint, provider="other", local=True)
            if method in _OVERRIDING
            else _opaque(BY_NAME["other"], host, local=True)
        )
    return endpoint


def _opaque(provider: Provider, host: str, *, local: bool) -> Endpoint:
    return Endpoint(
        provider.name, "other", provider.api, True, SNIFF, asks_usage=False, local=local, defers=True, estimated=False,
        opaque=True, host=host,
    )  # fmt: skip


def path_of(endpoint: Endpoint, path: str) -> str:
    """The path that limits match: canonical, and in lower case where the provider takes any."""
    provider = BY_NAME.get(endpoint.provider)
    canonical = canonical_path(path)
    return canonical.lower() if provider is not None and provider.insensitive else canonical


def upgrades(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the request asks for a WebSocket. With another method it is a plain request, whatever its headers say."""
    return method.upper() == "GET" and headers.get("upgrade", "").strip().lower() == "websocket"


def _method(method: str, headers: Mapping[str, str]) -> str:
    """The method that counts: of two that a server may choose from, the one that is not free."""
    if upgrades(method, headers):
        return UPGRADE
    method = method.upper()
    if method in _FREE_METHODS:
        overrides = (headers.get(name, "").strip().upper() for name in _OVERRIDES)
        return next((override for override in overrides if override in _OVERRIDING), method)
    return method


def _may_ask(provider: Provider, path: str) -> bool:
    if provider.name != "azure" or "/deployments/" not in canonical_path(path).lower():
        return True
    version = _API_VERSION.search(path)
    return version is None or version[1] >= _AZURE_ASKS_SINCE


_DEFAULT = Directory()
is_known_host = _DEFAULT.is_known_host
recognise = _DEFAULT.recognise
