"""From the documents of a configuration to the whole, and the contradictions between them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from limiter.config.adapter import Adapted, Named, Setting
from limiter.config.configuration import Configuration, Key
from limiter.config.notices import ConfigError, Notice, Place
from limiter.rules import Limit, Policy
from limiter.settings import Settings

TABLES = ("providers", "models", "service_addresses", "functions")
"""Settings that map."""
LISTS = ("prices", "consumers", "trusted_peers")
"""Settings that list, in the order of the documents."""


def combine(documents: Sequence[Adapted], files: Iterable[Path] = (), source: str = "") -> Configuration:
    """One configuration from all documents.

    Args:
        documents: in their order, which is the order of the policy.
        files: all that was read.
        source: the file or folder, for what concerns no single line.

    Raises:
        ConfigError: the problems of all documents, and their contradictions.
    """
    named, repeated = _named(documents)
    settings, contradictions = _agreed(setting for document in documents for setting in document.settings)
    problems = [problem for document in documents for problem in document.problems]
    if problems or repeated or contradictions:
        raise ConfigError([*problems, *repeated, *contradictions])
    whole = _assembled(settings)
    documents = _completed(documents, whole, named)
    if problems := [problem for document in documents for problem in document.problems]:
        raise ConfigError(problems)
    policy = Policy(tuple(rule for document in documents for rule in document.rules))
    warnings = [warning for document in documents for warning in document.warnings]
    warnings += _idle(policy, named)
    if not any(rule.limits for rule in policy.rules):
        warnings.append(Notice(Place(source, 0), "", "no limits: nothing is capped"))
    places: dict[Key, Place] = {key: setting.place for key, setting in settings.items()}
    places.update({("limits", name): limit.place for name, limit in named.items()})
    return Configuration(
        policy=policy,
        settings=whole,
        warnings=tuple(sorted(set(warnings))),
        files=tuple(files),
        places=MappingProxyType(places),
    )


def _named(documents: Iterable[Adapted]) -> tuple[dict[str, Named], list[Notice]]:
    """The first limit of each name, and a problem for every later one."""
    first: dict[str, Named] = {}
    problems = []
    for named in (named for document in documents for named in document.names):
        other = first.setdefault(named.name, named)
        if other is not named:
            message = f"found {named.name!r} again, expected another name than that of the limit at {other.place}"
            problems.append(Notice(named.place, named.field, message))
    return first, problems


def _completed(documents: Iterable[Adapted], settings: Settings, named: dict[str, Named]) -> list[Adapted]:
    """The documents, with the rules of those that waited for the settings; `named` grows by their limits."""
    completed = []
    for document in documents:
        if document.late is None:
            completed.append(document)
            continue
        late = document.late(settings, named)
        named.update((each.name, each) for each in late.names)
        completed.append(replace(late, warnings=document.warnings + late.warnings))
    return completed


def _agreed(settings: Iterable[Setting]) -> tuple[dict[Key, Setting], list[Notice]]:
    """The first of each setting, and a problem for each that differs. Values stay unsaid: a store's URL is a secret."""
    agreed: dict[Key, Setting] = {}
    problems = []
    for setting in settings:
        first = agreed.setdefault(setting.key, setting)
        if first.value != setting.value:
            message = f"found another value than at {first.place}, expected the same or only one of them"
            problems.append(Notice(setting.place, setting.field, message))
    return agreed, problems


def _assembled(settings: Mapping[Key, Setting]) -> Settings:
    grouped: dict[str, dict[Key, object]] = defaultdict(dict)
    for (name, *inner), setting in settings.items():
        grouped[name][tuple(inner)] = setting.value
    values: dict[str, Any] = {}
    for name, entries in grouped.items():
        if name in TABLES:
            values[name] = MappingProxyType({key: value for (key,), value in entries.items()})
        elif name in LISTS:
            values[name] = tuple(entries.values())
        else:
            values[name] = entries[()]
    return Settings(**values)


def _idle(policy: Policy, named: Mapping[str, Named]) -> Iterator[Notice]:
    """A warning for each limit that counts the same requests in the same way as one before it."""
    first: dict[object, Limit] = {}
    for rule in policy.rules:
        for limit in rule.limits:
            scope = (
                rule.ledger,
                rule.choices,
                rule.when,
                limit.key,
                limit.only,
                limit.meter,
                limit.window,
                limit.per,
                limit.mode,
                frozenset(rule.conditions),
            )
            other = first.setdefault(scope, limit)
            if other.name != limit.name:
                at = named[limit.name]
                yield Notice(at.place, at.field, f"counts the same as {other.name!r}: only the lower amount decides")
