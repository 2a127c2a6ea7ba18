"""Plugin instances, from how they are written."""

from collections.abc import Iterator, Mapping
from typing import Any

from limiter.config.explain import hint
from limiter.config.kong import ids
from limiter.config.kong.declaration import Plugin
from limiter.config.kong.entity_schemas import FOREIGN, PARTIAL, PLUGIN
from limiter.config.kong.entries import Entry
from limiter.config.kong.plugin_schemas import (
    AI_PROXIES,
    AIRLA,
    PLUGINS,
    PROTOCOLS,
    RRL,
    PluginSchema,
    deprecations,
    unused,
)
from limiter.config.kong.precedence import LEVELS, parts
from limiter.config.kong.reading import Reader, texts
from limiter.config.kong.references import References
from limiter.config.kong.schema import Violation
from limiter.config.kong.shapes import items, mapping
from limiter.kong.conditions.condition import Expression
from limiter.kong.entities import Scope

FORWARDED = "only its providers, models and prices are used: requests go on as clients send them, to the service's host"
FAMILIES = (frozenset({"http", "https"}), frozenset({"grpc", "grpcs"}))
"""Protocols that requests are told apart by; a plugin's own do not."""
ALIKE = "does not tell requests apart: the plugin runs for those of HTTP and of gRPC, as in Kong, where routes do it"
CONDITIONAL = (AIRLA, RRL)
"""Plugins whose `condition` is evaluated. Without an error the others would run where they must not."""
UNCOUNTED = "has no effect here: costs are counted by input_cost and output_cost alone"
PARTIAL_PATH = "config.redis"
"""Where a partial belongs."""


def build_plugins(reader: Reader, references: References) -> tuple[Plugin, ...]:
    """The enabled instances of the plugins that have an effect here."""
    return _Plugins(reader, references).build()


class _Plugins:
    def __init__(self, reader: Reader, references: References) -> None:
        self._reader = reader
        self._collected = reader.collected
        self._references = references
        self._partials: dict[str, Mapping[str, Any]] = {}
        self._first: dict[object, Entry] = {}

    def build(self) -> tuple[Plugin, ...]:
        for entry in self._collected.of("partials"):
            self._partial(entry)
        found = [self._plugin(entry) for entry in self._collected.of("plugins")]
        return tuple(plugin for plugin in found if plugin)

    def _partial(self, entry: Entry) -> None:
        record = self._reader.read(entry, PARTIAL)
        config = entry.data.get("config")
        if record is not None and isinstance(config, dict):
            for name in filter(None, (record["id"], record["name"])):
                self._partials[name] = config

    def _plugin(self, entry: Entry) -> Plugin | None:
        name = entry.data.get("name")
        schema = PLUGINS.get(name) if isinstance(name, str) else None
        if isinstance(name, str) and schema is None:
            self._warn(entry, f"the plugin {name!r} has no effect here{hint(PLUGINS, name)}", "name")
            return None
        record = self._reader.read(entry, PLUGIN)
        named = self._references.resolve(entry)
        if record is None or named is None or schema is None:
            return None
        scope = Scope(
            service=named.get("service", ""),
            route=named.get("route", ""),
            consumer=named.get("consumer", ""),
            group=named.get("consumer_group", ""),
        )
        condition, unmet = _condition(str(name), record["condition"])
        wrong = [*_misplaced(named, schema, scope), *_protocols(record), *unmet]
        config = self._config(entry, str(name), schema, wrong, scope)
        if config is None or wrong or not record["enabled"] or not self._only(entry, str(name), scope):
            return None
        if name in AI_PROXIES:
            self._warn(entry, FORWARDED, "name")
        protocols = frozenset(texts(record["protocols"]))
        if protocols and not all(protocols & family for family in FAMILIES):
            self._warn(entry, ALIKE, "protocols")
        instance_name = record["instance_name"] or ""
        made = ids.plugin(str(name), scope.route, scope.service, scope.consumer, scope.group)
        return Plugin(
            name=str(name),
            config=config,
            id=record["id"] or (ids.named("plugins", instance_name) if instance_name else made),
            scope=scope,
            instance_name=instance_name,
            tags=texts(record["tags"]),
            condition=condition,
            source=entry.source,
        )

    def _config(
        self, entry: Entry, name: str, schema: PluginSchema, wrong: list[Violation], scope: Scope
    ) -> Mapping[str, Any] | None:
        written = self._with_partials(entry)
        config: Any = {} if written is None else written
        contradictions: list[Violation] = []
        if isinstance(config, dict):
            for old, contradiction in deprecations(name, config):
                if contradiction:
                    contradictions.append(Violation(("config", old), f"config.{old}", contradiction))
                else:
                    new = f"config.redis.{old.removeprefix('redis_')}"
                    message = f"{name}: config.{old} is deprecated, please use {new} instead (deprecated after 4.0)"
                    self._warn(entry, message, "config", old)
            config = schema.renewed(config)
        if name == AIRLA and not scope.group and isinstance(config, dict) and config.get("llm_providers"):
            wrong += _group_identifier(config)
        reading = self._reader.examined(entry, schema.schema, config, "config")
        violations = [*contradictions, *wrong, *reading.violations]
        self._reader.report(entry, violations)
        if not violations:
            for path in unused(name, config):
                self._warn(entry, UNCOUNTED, "config", *path)
        return None if violations else schema.condensed(reading.value)

    def _with_partials(self, entry: Entry) -> Any:
        """The configuration with the shared parts that it links to; what it says itself comes first."""
        config = entry.data.get("config")
        links = entry.data.get("partials")
        for index, link in enumerate(items(links)):
            names = [name for key in ("id", "name") if isinstance(name := mapping(link).get(key), str)]
            partial = next((self._partials[name] for name in names if name in self._partials), None)
            path = mapping(link).get("path", PARTIAL_PATH)
            if partial is None or path != PARTIAL_PATH or not isinstance(config, dict | None):
                message = "found a partial that is not declared, or not at config.redis"
                self._collected.problems.append(entry.source.notice(message, "partials", index))
                continue
            own = mapping(mapping(config).get("redis"))
            config = {**mapping(config), "redis": {**partial, **own}}
        return config

    def _only(self, entry: Entry, name: str, scope: Scope) -> bool:
        """Whether no other instance has the same name and scope, or the same instance_name."""
        instance = entry.data.get("instance_name")
        keys: list[object] = [(name, scope), *([instance] if isinstance(instance, str) else [])]
        for key in keys:
            first = self._first.setdefault(key, entry)
            if first is not entry:
                what = f"instance_name={instance}" if key == instance else f"name={name}, {_told(scope)}"
                self._collected.problems.append(
                    entry.source.notice(
                        f"unique constraint violation: UNIQUE violation detected on '{{{what}}}': "
                        f"also declared at {first.source.place()}"
                    )
                )
                return False
        return True

    def _warn(self, entry: Entry, message: str, *inner: str | int) -> None:
        self._collected.warnings.append(entry.source.notice(message, *inner))


def _misplaced(named: Mapping[str, str], schema: PluginSchema, scope: Scope) -> Iterator[Violation]:
    for key in FOREIGN:
        if named.get(key) and key not in schema.scopes:
            yield Violation((key,), key, "value must be null")
    if parts(scope) not in LEVELS:
        yield Violation((), "@entity", "only one or none of these fields must be set: 'consumer', 'consumer_group'")


def _condition(name: str, text: str | None) -> tuple[Expression | None, list[Violation]]:
    """The condition of an instance, and what is wrong with it."""
    if not text:
        return None, []
    if name not in CONDITIONAL:
        return None, [Violation(("condition",), "condition", f"is evaluated for {' and '.join(CONDITIONAL)} only")]
    try:
        return Expression.parse(text), []
    except ValueError as problem:
        return None, [Violation(("condition",), "condition", str(problem))]


def _protocols(record: Mapping[str, Any]) -> Iterator[Violation]:
    """All protocols of HTTP run the plugin alike; others it does not have."""
    for index, protocol in enumerate(texts(record["protocols"])):
        if protocol not in PROTOCOLS:
            text = f"expected one of: {', '.join(PROTOCOLS)}"
            yield Violation(("protocols", index), f"protocols[{index}]", text)


def _group_identifier(config: Mapping[str, Any]) -> Iterator[Violation]:
    if config.get("identifier") == "consumer-group":
        text = "consumer-group needs the plugin to be attached to a consumer group"
        yield Violation(("config", "identifier"), "config.identifier", text)


def _told(scope: Scope) -> str:
    named = {"service": scope.service, "route": scope.route, "consumer": scope.consumer, "group": scope.group}
    return ", ".join(f"{key}={value}" for key, value in named.items() if value) or "no scope"
