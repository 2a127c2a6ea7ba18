"""`WasmPlugin` resources, and the form that a gateway makes of them: configurations and the requests they are for.

A request is for the first of the matching rules, else for the default, else for none. Nothing is inherited: each rule
has a whole configuration. https://github.com/higress-group/higress/blob/main/api/extensions/v1alpha1/wasmplugin.proto
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from limiter.config.explain import Report, hint, shown
from limiter.config.higress.coercion import items, text
from limiter.config.higress.configured import FIELDS, plugin
from limiter.config.higress.plugin import Plugin
from limiter.config.higress.thresholds import UNITS
from limiter.config.notices import Steps

KIND = "WasmPlugin"
NAME = "ai-token-ratelimit"
SPEC = (
    "url",
    "sha256",
    "imagePullPolicy",
    "imagePullSecret",
    "verificationKey",
    "pluginConfig",
    "pluginName",
    "phase",
    "priority",
    "failStrategy",
    "vmConfig",
    "selector",
    "defaultConfig",
    "defaultConfigDisable",
    "matchRules",
    "mode",
)
MODE = "mode"
"""Beside all configurations of a document: for those that do not say otherwise."""
MATCHES = ("ingress", "domain", "service")
FLATTENED = "_rules_"
PREFIXED = "_match_route_prefix_"
CONDITIONS = {f"_match_{'route' if name == 'ingress' else name}_": name for name in MATCHES} | {PREFIXED: "prefix"}


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a configuration is for: what is empty does not matter, of the rest each must be met."""

    routes: tuple[str, ...] = ()
    """Names of ingresses."""
    prefixes: tuple[str, ...] = ()
    """How such names begin."""
    domains: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A configuration and the requests that it is for."""

    match: Match
    plugin: Plugin


EVERYTHING = Match()
NOTHING = "nothing is limited: no rule is in force, and no default"


def is_resource(data: object) -> bool:
    return isinstance(data, dict) and data.get("kind") == KIND


def resource(data: dict[str, Any], report: Report) -> list[Part]:
    """The parts of a `WasmPlugin`, in the order in which they are tried."""
    spec = data.get("spec")
    if not isinstance(spec, dict):
        report.expected(("spec",), spec, "a mapping with defaultConfig or matchRules")
        return []
    if not _is_ours(data, spec):
        report.warning((), f"this plugin is not {NAME} and has no effect here")
        return []
    for name in spec:
        if name not in SPEC:
            report.warning(("spec", name), f"unknown key, which the gateway ignores{hint(SPEC, name)}")
    if spec.get("pluginConfig") is not None:
        if "defaultConfig" in spec or "matchRules" in spec:
            report.warning(("spec", "pluginConfig"), "is used alone: defaultConfig and matchRules have no effect")
        return flattened(spec["pluginConfig"], ("spec", "pluginConfig"), report)
    before = len(report.problems)
    shared = {MODE: mode} if (mode := data.get(MODE, spec.get(MODE))) else {}
    parts = _rules(spec, shared, report)
    default = spec.get("defaultConfig")
    if default is not None and not _flag(spec, "defaultConfigDisable", ("spec",), report):
        parts += _part(EVERYTHING, shared, default, ("spec", "defaultConfig"), report)
    if not parts and len(report.problems) == before:
        report.warning(("spec",), NOTHING)
    return parts


def flattened(data: object, path: Steps, report: Report) -> list[Part]:
    """The parts of a configuration that may hold `_rules_`, as the gateway's control plane writes them."""
    if not isinstance(data, dict) or FLATTENED not in data:
        return _part(EVERYTHING, {}, data, path, report)
    shared = {MODE: data[MODE]} if MODE in data else {}
    parts: list[Part] = []
    before = len(report.problems)
    for index, rule in enumerate(items(data[FLATTENED])):
        inner = (*path, FLATTENED, index)
        if not isinstance(rule, dict):
            report.expected(inner, rule, "a mapping")
            continue
        named = {name: rule[key] for key, name in CONDITIONS.items() if key in rule}
        config = {key: value for key, value in rule.items() if key not in CONDITIONS}
        match = _match(named, inner, report, {name: key for key, name in CONDITIONS.items()})
        parts += _part(match, shared, config, inner, report) if match else []
    default = {key: value for key, value in data.items() if key not in (FLATTENED, MODE)}
    parts += _part(EVERYTHING, shared, default, path, report) if default else []
    if not parts and len(report.problems) == before:
        report.warning(path, NOTHING)
    return parts


def _rules(spec: dict[str, Any], shared: dict[str, Any], report: Report) -> list[Part]:
    parts: list[Part] = []
    known = (*MATCHES, "config", "configDisable", "routeType")
    for index, rule in enumerate(items(spec.get("matchRules"))):
        path = ("spec", "matchRules", index)
        if not isinstance(rule, dict):
            report.expected(path, rule, "a mapping with a config and ingress, domain or service")
            continue
        for name in rule:
            if name not in known:
                report.warning((*path, name), f"unknown key, which the gateway ignores{hint(known, name)}")
        if _flag(rule, "configDisable", path, report):
            continue
        if rule.get("routeType") not in (None, "HTTP"):
            found = shown(rule["routeType"])
            report.warning((*path, "routeType"), f"found {found}, which has no effect here: routes are matched by name")
        match = _match(rule, path, report, {name: name for name in MATCHES})
        parts += _part(match, shared, rule.get("config"), (*path, "config"), report) if match else []
    return parts


def _match(rule: dict[str, Any], path: Steps, report: Report, fields: dict[str, str]) -> Match | None:
    """Which of several conditions the gateway looks at is a rule of its own: see the warnings.

    Args:
        fields: how each condition is called in this form.
    """
    found = {name: tuple(filter(None, map(text, items(rule.get(name))))) for name in fields}
    routes, domains, services = found["ingress"], found["domain"], found["service"]
    prefixes = found.get("prefix", ())
    if not (routes or domains or services or prefixes):
        listed = ", ".join(fields.values())
        report.problem(path, f"found no condition, expected at least one of {listed}")
        return None

    def ignored(name: str, other: str) -> None:
        text = f"has no effect: a rule with {fields[other]} does not look at it"
        report.warning((*path, fields[name]), text)

    if routes:
        if domains:
            ignored("domain", "ingress")
        return Match(routes=routes, services=services)
    if domains:
        if services:
            ignored("service", "domain")
        return Match(domains=domains)
    return Match(services=services) if services else Match(prefixes=prefixes)


def _part(match: Match, shared: dict[str, Any], config: object, path: Steps, report: Report) -> list[Part]:
    found = plugin({**shared, **config} if isinstance(config, dict) else config, path, report)
    return [Part(match, found)] if found else []


def _flag(entry: dict[str, Any], name: str, path: Steps, report: Report) -> bool:
    value = entry.get(name)
    if value is not None and not isinstance(value, bool):
        report.expected((*path, name), value, "true or false")
    return value is True


def _is_ours(data: dict[str, Any], spec: dict[str, Any]) -> bool:
    """By thresholds of tokens, which no other plugin has; else by the image; else by fields of a configuration."""
    rules = [rule.get("config") for rule in items(spec.get("matchRules")) if isinstance(rule, dict)]
    configs = [spec.get("defaultConfig"), spec.get("pluginConfig"), *rules]
    if not UNITS.keys().isdisjoint(_names(configs)):
        return True
    if url := text(spec.get("url")):
        return NAME in url or not any(other in url for other in ("/plugins/", "ratelimit", "rate-limit"))
    metadata = data.get("metadata")
    named = isinstance(metadata, dict) and NAME in text(metadata.get("name"))
    return named or any(isinstance(config, dict) and not config.keys().isdisjoint(FIELDS) for config in configs)


def _names(value: object) -> Iterator[str]:
    """Of all fields in there, at any depth."""
    if isinstance(value, dict):
        yield from value
        yield from _names([*value.values()])
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
