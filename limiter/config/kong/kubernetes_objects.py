"""Objects of a cluster as documents have them, and whose they are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from limiter.config.explain import hint
from limiter.config.kong.declaration import Source
from limiter.config.kong.entries import Collected
from limiter.config.kong.shapes import items, mapping

GROUPS = ("configuration.konghq.com", "aiconfiguration.konghq.com", "konnect.konghq.com")
KONG = ("KongPlugin", "KongClusterPlugin", "KongConsumer", "KongConsumerGroup", "AIGatewayPolicy")
"""Kinds of those groups that are read."""
QUIET = (
    "KongLicense",
    "KongUpstreamPolicy",
    "KongReferenceGrant",
    "IngressClassParameters",
    "KonnectAPIAuthConfiguration",
    "KonnectExtension",
    "KonnectGatewayControlPlane",
)
"""Kinds of those groups of no effect on what is limited."""
OTHERS = (
    "KongIngress",
    "KongVault",
    "KongCustomEntity",
    "KongPluginBinding",
    "KongService",
    "KongRoute",
    "KongCredentialAPIKey",
    "KongCredentialBasicAuth",
    "TCPIngress",
    "UDPIngress",
)
"""Kinds of those groups that are not read."""
ATTACHABLE = ("Service", "Ingress", "HTTPRoute", "GRPCRoute", "KongConsumer", "KongConsumerGroup")
"""Kinds of any group that plugins are attached to."""
CLASS = "kubernetes.io/ingress.class"
CONTROLLER = "ingress-controllers.konghq.com/kong"
DEFAULT_CLASS = "kong"


def is_object(data: object) -> bool:
    """Whether a document is an object of a cluster."""
    return isinstance(data, dict) and isinstance(data.get("apiVersion"), str) and isinstance(data.get("kind"), str)


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a cluster."""

    data: Mapping[str, Any] = field(repr=False)
    """May hold secrets."""
    source: Source

    @property
    def kind(self) -> str:
        return str(self.data.get("kind"))

    @property
    def group(self) -> str:
        """Of the API that the kind belongs to; empty for the core."""
        group, slash, _ = str(self.data.get("apiVersion")).partition("/")
        return group if slash else ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        return mapping(self.data.get("metadata"))

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace") or "default")

    @property
    def annotations(self) -> Mapping[str, Any]:
        return mapping(self.metadata.get("annotations"))

    def annotation(self, name: str) -> str:
        return _text(self.annotations.get(name))

    def listed(self, name: str, separator: str = ",") -> list[str]:
        """The values of an annotation that has several."""
        return [value for value in map(str.strip, self.annotation(name).split(separator)) if value]

    def label(self, name: str) -> str:
        return _text(mapping(self.metadata.get("labels")).get(name))

    @property
    def tags(self) -> list[str]:
        return self.listed("konghq.com/tags")

    @property
    def ingress_class(self) -> str:
        """Of an Ingress: whose it is; empty where it does not say."""
        return self.annotation(CLASS) or _text(mapping(self.data.get("spec")).get("ingressClassName"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower() if value is not None else ""


def unpacked(source: Source, data: Mapping[str, Any]) -> Iterator[Object]:
    """The object of a document, or those of a list of objects."""
    if data.get("kind") != "List":
        yield Object(data, source)
        return
    for index, item in enumerate(items(data.get("items"))):
        if isinstance(item, dict):
            yield from unpacked(source.inside("items", index), item)


def ours(objects: list[Object], collected: Collected) -> list[Object]:
    """The objects that have an effect. Others of a cluster are passed over, beside an object of Kong."""
    kong = [item for item in objects if item.kind in KONG and item.group in GROUPS]
    misplaced = [item for item in objects if item.kind in KONG and item.group not in GROUPS]
    collected.problems += [
        item.source.notice(f"found the group {item.group!r}, expected one of {', '.join(GROUPS)}", "apiVersion")
        for item in misplaced
    ]
    others = [item for item in objects if item.kind not in KONG]
    if not kong and not misplaced:
        # They may be another gateway's.
        for item in others:
            _alone(item, collected)
        return []
    for item in others:
        if item.group in GROUPS and item.kind not in QUIET:
            meant = "" if item.kind in OTHERS else hint(KONG, item.kind)
            message = f"the kind {item.kind!r} has no effect here{meant}"
            collected.warnings.append(item.source.notice(message, "kind"))
    return [*kong, *_of_class(others, _classes(objects, kong), collected)]


def _alone(item: Object, collected: Collected) -> None:
    if item.kind in (*ATTACHABLE, "Secret"):
        collected.warnings.append(item.source.notice("has no effect without Kong's objects beside it"))
    else:
        message = f"found the kind {item.kind!r}, expected one of {', '.join(KONG)} here or in another document"
        collected.problems.append(item.source.notice(message + hint(KONG, item.kind), "kind"))


def _classes(objects: list[Object], kong: list[Object]) -> frozenset[str]:
    """The classes of Ingresses that are Kong's: as its own objects and those of the kind IngressClass tell."""
    controlled = {
        item.name
        for item in objects
        if item.kind == "IngressClass" and mapping(item.data.get("spec")).get("controller") == CONTROLLER
    }
    return frozenset({"", DEFAULT_CLASS, *controlled, *(item.annotation(CLASS) for item in kong)})


def _of_class(objects: Iterable[Object], classes: frozenset[str], collected: Collected) -> Iterator[Object]:
    for item in objects:
        if item.kind == "Ingress" and item.ingress_class not in classes:
            collected.warnings.append(
                item.source.notice(
                    f"has no effect here, as it is of the class {item.ingress_class!r}; Kong's are "
                    f"{', '.join(sorted(filter(None, classes)))} and those of an IngressClass with the controller "
                    f"{CONTROLLER}"
                )
            )
        else:
            yield item
