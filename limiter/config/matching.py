"""`match:` of a limit: from a mapping of dimensions to conditions, and back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from limiter import expressions
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
REGEXP = "regexp"
"""The one key of a mapping that stands for an expression."""
APPLICATIONS = tuple(application.name for application in CLIENTS)
"""What `client` may be."""


def conditions(match: Mapping[str, Any], path: Steps, report: Report) -> tuple[Condition, ...]:
    """The conditions of a `match:`, in its order. What is wrong goes to the report.

    `header: {x-team: core}` says the same as `header:x-team: core`. `{regexp: "^core-"}` accepts all values that hold a
    match of the expression.
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
        accepted, regexes = _accepted(dimension, value, inner, report)
        if not accepted and not regexes:
            continue
        found[dimension] = replace(Condition.parse(dimension, accepted), regexes=tuple(regexes))
        _warn(found[dimension], inner, report)
    return tuple(found.values())


def form(rule_conditions: tuple[Condition, ...]) -> dict[str, Any]:
    """The `match:` that says the same."""
    return {condition.dimension: _one_or_list(condition) for condition in rule_conditions}


def _flat(match: Mapping[str, Any], path: Steps) -> Iterator[tuple[str, Any, Steps]]:
    for key, value in match.items():
        if key in NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield f"{key}:{name}", inner, (*path, key, name)
        else:
            yield key, value, (*path, key)


def _accepted(dimension: str, value: object, path: Steps, report: Report) -> tuple[list[str], list[str]]:
    """Texts as `Condition.parse` takes them, and expressions."""
    if value == []:
        report.problem(path, "found an empty list, expected at least one value")
    accepted: list[str] = []
    regexes: list[str] = []
    canonical = CANONICAL.get(dimension, str)
    for index, item in enumerate(values.texts(value)):
        inner = (*path, index) if isinstance(value, list) else path
        try:
            if isinstance(item, dict) and list(item) == [REGEXP]:
                regexes.append(_expression(item[REGEXP]))
            else:
                accepted.append(canonical(values.text(item)))
        except MisfitError as error:
            report.expected((*inner, *error.at), item if error.found is ... else error.found, error)
    return accepted, regexes


def _expression(value: object) -> str:
    text = values.text(value)
    if problem := expressions.problem(text):
        raise MisfitError(f"an expression of RE2: {problem}", text, (REGEXP,))
    return text


def _warn(condition: Condition, path: Steps, report: Report) -> None:
    """About values that no request has."""
    for text in sorted(condition.values):
        if condition.dimension == "path" and text and not text.startswith("/"):
            report.warning(path, f"{text!r} matches no request, as a path begins with a slash")
        if condition.dimension == "client" and text and text not in APPLICATIONS:
            report.warning(path, f"{text!r} is no known application{hint(APPLICATIONS, text)}")


def _one_or_list(condition: Condition) -> Any:
    plain = [_literal(text, condition.dimension) for text in sorted(condition.values)]
    regexes = [{REGEXP: expression} for expression in condition.regexes]
    accepted = [*plain, *condition.patterns, *map(str, condition.networks), *regexes]
    return accepted[0] if len(accepted) == 1 else accepted


def network_form(network: Network) -> str:
    """A network of one address as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _literal(text: str, dimension: str) -> str:
    """Other dialects have exact values that would be read as patterns here."""
    if dimension == "ip":
        return text
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
