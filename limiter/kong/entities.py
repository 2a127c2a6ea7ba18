"""Kong's entities, as far as traffic is told apart by them: services, routes, consumers and what proves who one is.

Ids are texts, usually UUIDs. The empty text stands for none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

HTTP = ("http", "https")
"""Protocols of a route that names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An upstream."""

    id: str
    name: str = ""
    protocol: str = "http"
    host: str = ""
    port: int = 80
    path: str = ""
    """Before the path of each request."""
    enabled: bool = True
    """False: as if its routes were not there."""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which requests go to a service. An empty condition is met by each request."""

    id: str
    name: str = ""
    service: str = ""
    """Id of the service; empty for a route that only plugins answer."""
    hosts: tuple[str, ...] = ()
    """Lower case; with a `*` at one end, and a `:port`, where given."""
    paths: tuple[str, ...] = ()
    """Prefixes; after a `~` a regular expression that holds from the beginning of the path."""
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Lower-case name → accepted values in lower case; after `~*` a regular expression. Sorted by name."""
    protocols: tuple[str, ...] = HTTP
    strip_path: bool = True
    preserve_host: bool = False
    regex_priority: int = 0
    path_handling: str = "v0"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Proves by a secret who a consumer is."""

    id: str
    digest: str = field(repr=False)
    """SHA-256 of the key, or of the password, in hexadecimal digits; the first 16 of them where no more is known."""
    username: str = ""
    """Of basic authentication; empty for a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Of consumers."""

    id: str
    name: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Who asks. Has a username, a custom id, or both."""

    id: str
    username: str = ""
    custom_id: str = ""
    groups: tuple[str, ...] = ()
    """Names; sorted."""
    keys: tuple[Credential, ...] = ()
    passwords: tuple[Credential, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What limits and logs call the consumer."""
        return self.username or self.custom_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a plugin instance is attached to, by ids. All empty: to everything."""

    service: str = ""
    route: str = ""
    consumer: str = ""
    group: str = ""


GLOBAL = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAuth:
    """An instance of the plugin `key-auth`."""

    scope: Scope = GLOBAL
    names: tuple[str, ...] = ("apikey",)
    """Of headers and query parameters that hold a key, asked in this order."""
    in_header: bool = True
    in_query: bool = True
    hide: bool = False
    """Whether the upstream must not see the key."""
    anonymous: str = ""
    """Consumer (its id) for requests without a valid key; empty: they are refused."""
    realm: str = ""
    on_preflight: bool = True
    """False: OPTIONS requests pass unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """An instance of the plugin `basic-auth`."""

    scope: Scope = GLOBAL
    hide: bool = False
    anonymous: str = ""
    realm: str = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """An instance of the plugin `ai-proxy` or `ai-proxy-advanced`: where requests go in place of the service's host."""

    scope: Scope = GLOBAL
    providers: frozenset[str] = frozenset()
    """Names of the provider table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Everything that tells whose request it is and where it goes, of all Kong documents of a configuration."""

    services: tuple[Service, ...] = ()
    routes: tuple[Route, ...] = ()
    """In the order in which they were declared: of equal ones the first wins."""
    consumers: tuple[Consumer, ...] = ()
    groups: tuple[Group, ...] = ()
    authentication: tuple[KeyAuth | BasicAuth, ...] = ()
    proxied: tuple[Proxied, ...] = ()

    @property
    def destinations(self) -> Mapping[str, str]:
        """`host:port` of each service → the one provider to which `ai-proxy` says that it leads, else `service`."""
        return {
            f"{service.host.rstrip('.')}:{service.port}".lower(): self._provider(service)
            for service in self.services
            if service.host
        }

    def _provider(self, service: Service) -> str:
        routes = {route.id for route in self.routes if route.service == service.id}
        found = {
            provider
            for proxied in self.proxied
            if proxied.scope == GLOBAL or proxied.scope.service == service.id or proxied.scope.route in routes
            for provider in proxied.providers
        }
        return found.pop() if len(found) == 1 else "service"
