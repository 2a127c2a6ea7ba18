"""Which instance of a plugin applies to a request: Kong's order of precedence, as conditions and choices of rules.

One instance of each plugin runs for a request: the one with the most telling scope. Configurations are not merged.
https://developer.konghq.com/gateway/entities/plugin/#plugin-precedence
"""

from typing import NamedTuple

from limiter.config.kong.declaration import Declaration, Plugin
from limiter.kong.conditions.condition import Met
from limiter.kong.entities import Scope
from limiter.rules import Choice, Condition, Predicate

LEVELS: tuple[frozenset[str], ...] = tuple(
    map(
        frozenset,
        (
            ("consumer", "route", "service"),
            ("group", "service", "route"),
            ("consumer", "route"),
            ("consumer", "service"),
            ("group", "route"),
            ("group", "service"),
            ("route", "service"),
            ("consumer",),
            ("group",),
            ("route",),
            ("service",),
            (),
        ),
    )
)
"""What is set in a scope, the most telling first."""


class Instance(NamedTuple):
    """A plugin instance and when it applies."""

    plugin: Plugin
    conditions: tuple[Condition, ...]
    """Of its scope; met by requests that the instance is for, if none before it is."""
    choice: Choice
    """Shared by all instances of the plugin, with the rank as option."""
    when: Predicate | None = None
    """Its own condition, which a request has to meet as well. Where it does not, no instance runs."""


def level(scope: Scope) -> int:
    """Rank of a scope, from 0.

    Raises:
        ValueError: a consumer and a group at once.
    """
    return LEVELS.index(parts(scope))


def parts(scope: Scope) -> frozenset[str]:
    """What is set in a scope."""
    return frozenset(name for name in ("service", "route", "consumer", "group") if getattr(scope, name))


def instances(declaration: Declaration, name: str) -> tuple[Instance, ...]:
    """The instances of the plugin called `name`, the first that matches a request being the one that runs.

    Of several groups that a consumer is in, the first by name counts.
    """

    def rank(plugin: Plugin) -> tuple[int, str]:
        group = declaration.groups_by_id.get(plugin.scope.group)
        return level(plugin.scope), group.name if group else ""

    ordered = sorted(declaration.of(name), key=rank)
    return tuple(
        Instance(
            plugin,
            conditions(plugin.scope, declaration),
            Choice(f"kong:{name}", option),
            Met(plugin.condition, declaration.entities) if plugin.condition else None,
        )
        for option, plugin in enumerate(ordered)
    )


def conditions(scope: Scope, declaration: Declaration) -> tuple[Condition, ...]:
    """What a request must be for the scope to cover it."""
    group = declaration.groups_by_id[scope.group].name if scope.group else ""
    named = {
        "consumer_id": scope.consumer,
        "group": group,
        "route": scope.route,
        "service": scope.service,
    }
    return tuple(Condition(dimension, frozenset({value})) for dimension, value in named.items() if value)
