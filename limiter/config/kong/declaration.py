"""What Kong documents declare: one frozen model, whichever carrier they came in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from limiter.config.documents import Document
from limiter.config.notices import Notice, Place, Steps, field_name
from limiter.kong.conditions.condition import Expression
from limiter.kong.conditions.entities import Entities
from limiter.kong.entities import GLOBAL, Consumer, Gateway, Group, Route, Scope, Service

Record = Mapping[str, Any]
"""A validated record with all its fields: defaults are filled in, None stands where there is neither value nor default.
Holds read-only mappings, tuples, str, int, Decimal, bool and None."""

NO_GATEWAY = Gateway()


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entity was declared."""

    document: Document = field(repr=False)
    path: Steps

    def place(self, *inner: str | int) -> Place:
        return self.document.place((*self.path, *inner))

    def notice(self, message: str, *inner: str | int) -> Notice:
        """A problem or a warning about the field at the path `inner` of the entity."""
        return Notice(self.place(*inner), field_name((*self.path, *inner)), message)

    def inside(self, *inner: str | int) -> "Source":
        return Source(self.document, (*self.path, *inner))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An enabled plugin instance with a valid configuration."""

    name: str
    """`ai-rate-limiting-advanced`, `response-ratelimiting` …"""
    config: Record = field(repr=False)
    """May hold secrets."""
    id: str
    scope: Scope = GLOBAL
    instance_name: str = ""
    tags: tuple[str, ...] = ()
    condition: Expression | None = None
    source: Source = field(compare=False)

    @property
    def label(self) -> str:
        """What the instance is called where a name is needed."""
        return self.instance_name or self.name


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """All Kong documents of a configuration."""

    services: tuple[Service, ...] = ()
    routes: tuple[Route, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    groups: tuple[Group, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    """In the order of the documents. Those that are disabled, or have no effect here, are left out."""
    gateway: Gateway = NO_GATEWAY
    """What of it the running proxy needs."""

    def of(self, name: str) -> tuple[Plugin, ...]:
        """The instances of the plugin called `name`."""
        return tuple(plugin for plugin in self.plugins if plugin.name == name)

    @cached_property
    def entities(self) -> Entities:
        """As conditions of plugins read them."""
        return Entities.of(self.gateway)

    @cached_property
    def services_by_id(self) -> Mapping[str, Service]:
        return {service.id: service for service in self.services}

    @cached_property
    def routes_by_id(self) -> Mapping[str, Route]:
        return {route.id: route for route in self.routes}

    @cached_property
    def consumers_by_id(self) -> Mapping[str, Consumer]:
        return {consumer.id: consumer for consumer in self.consumers}

    @cached_property
    def groups_by_id(self) -> Mapping[str, Group]:
        return {group.id: group for group in self.groups}
