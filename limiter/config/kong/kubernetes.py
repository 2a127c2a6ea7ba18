"""The Kubernetes carrier: KongPlugin and KongClusterPlugin, and the objects that they are attached to.

What the Kong Ingress Controller makes of them: https://developer.konghq.com/kubernetes-ingress-controller/
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from limiter.config.documents import Document
from limiter.config.kong import bodies
from limiter.config.kong import kubernetes_annotations as annotations
from limiter.config.kong.declaration import Source
from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.kubernetes_objects import ATTACHABLE, Object, is_object, ours, unpacked
from limiter.config.kong.kubernetes_routes import routes
from limiter.config.kong.kubernetes_secrets import Secrets, clear, configuration
from limiter.config.kong.kubernetes_services import Services
from limiter.config.kong.shapes import items, mapping
from limiter.config.kong.spellings import plain_flag

CREDENTIALS = {"key-auth": "keyauth_credentials", "basic-auth": "basicauth_credentials"}
"""Kinds of credentials that Secrets hold, by their label."""
PLAIN = {
    "plugin": "name",
    "config": "config",
    "instance_name": "instance_name",
    "protocols": "protocols",
    "condition": "condition",
    "ordering": "ordering",
    "run_on": "run_on",
}
"""Fields of a KongPlugin, and what a plugin calls them."""


def recognises(data: object) -> bool:
    """Whether a document is an object of a cluster. Those that are not Kong's are passed over beside one that is."""
    return is_object(data)


@dataclass(slots=True)
class _Targets:
    """What one plugin is attached to."""

    places: list[tuple[str, Entry]] = field(default_factory=list)
    """Services and routes, each with the name of its foreign key."""
    people: list[tuple[str, Entry]] = field(default_factory=list)
    """Consumers and consumer groups."""

    def scopes(self) -> Iterator[dict[str, Entry]]:
        """Each combination that gets an instance."""
        for key, person in self.people:
            if not self.places:
                yield {key: person}
            for place_key, place in self.places:
                yield {key: person, place_key: place}
        if not self.people:
            yield from ({key: place} for key, place in self.places)


def collect(documents: Iterable[Document], collected: Collected) -> None:
    """Adds the entities of all objects of a cluster."""
    objects = [found for document in documents for found in unpacked(Source(document, ()), document.data)]
    if effective := ours(objects, collected):
        _Cluster(effective, collected).build()


class _Cluster:
    """The objects of a cluster, being turned into entities."""

    def __init__(self, objects: list[Object], collected: Collected) -> None:
        self._objects = objects
        self._collected = collected
        self._plugins = {
            (item.namespace if item.kind == "KongPlugin" else "", item.name): item
            for item in objects
            if item.kind in ("KongPlugin", "KongClusterPlugin")
        }
        self._targets: dict[tuple[str, str], _Targets] = {key: _Targets() for key in self._plugins}
        self._groups: dict[tuple[str, str], Entry] = {}
        self._secrets = Secrets(self._of("Secret"))

    def build(self) -> None:
        for item in self._of(*ATTACHABLE):
            annotations.warn(item, self._collected)
        services = Services(self._of("Service"), self._collected)
        for item in self._of("Ingress", "HTTPRoute", "GRPCRoute"):
            for route, named in routes(item, services, self._collected):
                self._attach(item, "route", route)
                for name in named:
                    self._attach_named(item, name, "route", route)
        for item, service in services.entries():
            self._attach(item, "service", service)
        for item in self._of("KongConsumerGroup"):
            data = {"name": item.name, "tags": item.tags}
            group = self._collected.add("consumer_groups", data, item.source)
            self._groups[item.namespace, item.name] = group
            self._attach(item, "consumer_group", group)
        for item in self._of("KongConsumer"):
            self._consumer(item)
        for key, item in self._plugins.items():
            self._plugin(item, self._targets[key])
        for item in self._of("AIGatewayPolicy"):
            policy = mapping(item.data.get("spec")).get("apiSpec")
            if isinstance(policy, dict):
                bodies.add(policy, item.source.inside("spec", "apiSpec"), self._collected)
            else:
                self._collected.problems.append(item.source.notice("found no policy, expected spec.apiSpec", "spec"))

    def _of(self, *kinds: str) -> Iterator[Object]:
        return (item for item in self._objects if item.kind in kinds)

    def _attach(self, item: Object, key: str, entry: Entry) -> None:
        for name in item.listed(annotations.PLUGINS):
            self._attach_named(item, name, key, entry)

    def _attach_named(self, item: Object, name: str, key: str, entry: Entry) -> None:
        namespace, colon, bare = name.partition(":")
        wanted = [(namespace, bare)] if colon else [(item.namespace, name), ("", name)]
        targets = next((self._targets[place] for place in wanted if place in self._targets), None)
        if targets is None:
            self._collected.problems.append(
                item.source.notice(
                    f"found the plugin {name!r}, expected the name of a KongPlugin of the namespace {item.namespace} "
                    "or of a KongClusterPlugin, or namespace:name, among the documents",
                    "metadata",
                    "annotations",
                    annotations.PLUGINS,
                )
            )
            return
        (targets.places if key in ("service", "route") else targets.people).append((key, entry))

    def _consumer(self, item: Object) -> None:
        data = {name: item.data[name] for name in ("username", "custom_id") if name in item.data}
        consumer = self._collected.add("consumers", {**data, "tags": item.tags}, item.source)
        self._attach(item, "consumer", consumer)
        for index, name in enumerate(items(item.data.get("consumerGroups"))):
            group = self._groups.get((item.namespace, str(name)))
            if group is None:
                self._missing(item, "KongConsumerGroup", name, "consumerGroups", index)
            else:
                source = item.source.inside("consumerGroups", index)
                self._collected.add("memberships", {}, source, consumer=consumer, consumer_group=group)
        for index, name in enumerate(items(item.data.get("credentials"))):
            secret = self._secrets.find(item.namespace, str(name))
            if secret is None:
                self._missing(item, "Secret", name, "credentials", index)
            else:
                self._credential(secret, consumer)

    def _missing(self, item: Object, kind: str, name: object, *path: str | int) -> None:
        message = f"found {name!r}, expected the name of a {kind} of the namespace {item.namespace} among the documents"
        self._collected.problems.append(item.source.notice(message, *path))

    def _credential(self, secret: Object, consumer: Entry) -> None:
        found = clear(secret)
        label = secret.label("konghq.com/credential") or str(found.get("kongCredType") or "")
        kind = CREDENTIALS.get(label)
        if kind is None:
            self._collected.warnings.append(
                secret.source.notice(
                    f"credentials of the kind {label!r} have no effect here, only {', '.join(CREDENTIALS)}"
                )
            )
            return
        wanted = ("key",) if label == "key-auth" else ("username", "password")
        data = {name: found[name] for name in wanted if name in found}
        self._collected.add(kind, data, secret.source.inside("stringData"), consumer=consumer)

    def _plugin(self, item: Object, targets: _Targets) -> None:
        config, wrong = configuration(item, self._secrets)
        disabled = plain_flag(item.data.get("disabled", False))
        if not isinstance(disabled, bool):
            wrong.append(item.source.notice("expected a boolean", "disabled"))
        if wrong:
            self._collected.problems += wrong
            return
        plugin = {name: item.data[own] for own, name in PLAIN.items() if own in item.data}
        plugin["enabled"] = not disabled
        if config is not None:
            plugin["config"] = config
        plugin["tags"] = item.tags
        everywhere = item.kind == "KongClusterPlugin" and item.label("global") == "true"
        scopes: list[dict[str, Entry]] = [*targets.scopes(), *([{}] if everywhere else [])]
        if not scopes:
            scopes = self._unattached(item)
        for number, scope in enumerate(scopes, 1):
            copy = dict(plugin)
            if number > 1 and isinstance(copy.get("instance_name"), str):
                copy["instance_name"] += f"-{number}"
            self._collected.add("plugins", copy, item.source, **scope)

    def _unattached(self, item: Object) -> list[dict[str, Entry]]:
        """A plugin that nothing names. Where no document could, it is meant for what they leave out: everything."""
        advice = f"name it in an annotation {annotations.PLUGINS}, or make it a KongClusterPlugin with the label global"
        if any(self._of(*ATTACHABLE)):
            self._collected.warnings.append(item.source.notice(f"is attached to nothing and has no effect: {advice}"))
            return []
        self._collected.warnings.append(
            item.source.notice(f"is attached to nothing among the documents, so it is taken for a global one: {advice}")
        )
        return [{}]
