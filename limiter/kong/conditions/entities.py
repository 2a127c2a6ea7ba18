"""What conditions read of a gateway's entities, by their ids."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from limiter.kong.entities import Consumer, Gateway, Route, Service


def _none[Item]() -> Mapping[str, Item]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Entities:
    """Of one declaration; equal to nothing but itself."""

    services: Mapping[str, Service] = field(default_factory=_none, repr=False)
    routes: Mapping[str, Route] = field(default_factory=_none, repr=False)
    consumers: Mapping[str, Consumer] = field(default_factory=_none, repr=False)
    groups: Mapping[str, str] = field(default_factory=_none, repr=False)
    """Name → id."""

    @classmethod
    def of(cls, gateway: Gateway) -> "Entities":
        return cls(
            {service.id: service for service in gateway.services},
            {route.id: route for route in gateway.routes},
            {consumer.id: consumer for consumer in gateway.consumers},
            {group.name: group.id for group in gateway.groups},
        )
