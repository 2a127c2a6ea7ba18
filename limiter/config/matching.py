"""`match:` of a limit: from a mapping of dimensions to conditions, and back."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from limiter.config import values
from limiter.config.explain import Report, hint
from limiter.config.notices import MisfitError, Steps
from limiter.dimensions import NAMED
from limiter.identity import CLIENTS
from limiter.rules import Condition
from limiter.settings import Network

CANONICAL: Mapping[str, Callable[[str], str]] = {
    "host": values.host_text,
    "method": str.upper,
    "ip": values.ip_text,
    "credential": values.credential,
}
"""Dimensions whose values come in one form only; another form would never match."""
APPLICATIONS = tuple(application.name for application in CLIENTS)
"""What `client` may be."""


def conditions(match: Mapping[str, Any], path: Steps, report: Report) -> tuple[Condition, ...]:
    """The conditions of a `match:`, in its order. What is wrong goes to the report.

    `header: {x-team: core}` says the same as `header:x-team: core`.
    """
    found: dict[str, Condition] = {}
    for key, value, inner in _flat(match, path):
        try:
            dimension = values.dimension(key)
        except MisfitError as error:
            report.problem(inner, f"found the dimension {key!r}, expected {error}")
            continue
        if dimension in found:
            report.problem(inner, f"found {dimension!r} twice, expected it once, with a list of values")
            continue
        accepted = _accepted(dimension, value, inner, report)
        if not accepted:
            continue
        found[dimension] = Condition.parse(dimension, accepted)
        _warn(found[dimension], inner, report)
    return tuple(found.values())


def form(rule_conditions: tuple[Condition, ...]) -> dict[str, str | list[str]]:
    """The `match:` that says the same."""
    return {condition.dimension: _one_or_list(condition) for condition in rule_conditions}


def _flat(match: Mapping[str, Any], path: Steps) -> Iterator[tuple[str, Any, Steps]]:
    for key, value in match.items():
        if key in NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield f"{key}:{name}", inner, (*path, key, name)
        else:
            yield key, value, (*path, key)


def _accepted(dimension: str, value: object, path: Steps, report: Report) -> list[str]:
    if value == []:
        report.problem(path, "found an empty list, expected at least one value")
        return []
    accepted: list[str] = []
    canonical = CANONICAL.get(dimension, str)
    for index, item in enumerate(values.texts(value)):
        try:
            accepted.append(canonical(values.text(item)))
        except MisfitError as error:
            report.expected((*path, index) if isinstance(value, list) else path, item, error)
    return accepted


def _warn(condition: Condition, path: Steps, report: Report) -> None:
    """About values that no request has."""
    for text in sorted(condition.values):
        if condition.dimension == "path" and text and not text.startswith("/"):
            report.warning(path, f"{text!r} matches no request, as a path begins with a slash")
        if condition.dimension == "client" and text and text not in APPLICATIONS:
            report.warning(path, f"{text!r} is no known application{hint(APPLICATIONS, text)}")


def _one_or_list(condition: Condition) -> str | list[str]:
    plain = [_literal(text, condition.dimension) for text in sorted(condition.values)]
    accepted = [*plain, *condition.patterns, *map(str, condition.networks)]
    return accepted[0] if len(accepted) == 1 else accepted


def network_form(network: Network) -> str:
    """A network of one address as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _literal(text: str, dimension: str) -> str:
    """Other dialects have exact values that would be read as patterns here."""
    if dimension == "ip":
        return text
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
