"""`policies` of ai-rate-limiting-advanced as parts of rules: what they match, and what counters are kept by."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from limiter.config.explain import hint
from limiter.config.kong.airla_limits import Budget, Draft, Part, Span
from limiter.config.kong.airla_naming import tidy
from limiter.config.kong.airla_schema import WEEKDAYS
from limiter.config.kong.airla_schema import path as wrong_path
from limiter.config.kong.declaration import Declaration, Record
from limiter.config.notices import Steps
from limiter.kong.airla.names import KNOWN, ours
from limiter.kong.values import GROUP, PATH, PROVIDER, header
from limiter.rules import Choice, Condition, Limit, Reserve
from limiter.windows import Window

ANY = ("?*",)
"""Patterns of whatever is not empty."""


class Variant(NamedTuple):
    """One way to meet a matcher, with counters of its own."""

    conditions: tuple[Condition, ...] = ()
    per: tuple[str, ...] = ()
    mark: str = ""
    """For the names of limits."""


class Matcher(NamedTuple):
    """A `match` entry, where it stands, and what to look names up in."""

    record: Record
    path: Steps
    draft: Draft
    declaration: Declaration

    @property
    def values(self) -> tuple[str, ...]:
        return self.record["values"] or ()

    def condition(self, dimension: str, known: frozenset[str] | None = None) -> Condition:
        """That one of the values is met; without values, that there is any.

        Args:
            known: what values can be; others are warned of.
        """
        if not self.values:
            return Condition(dimension, patterns=ANY)
        for index, value in enumerate(self.values):
            if known is not None and value not in known:
                self.draft.warning(f"{value!r} matches nothing that is declared", (*self.path, "values", index))
        return Condition(dimension, frozenset(self.values))

    def by_value(self, made: Callable[[str], Condition]) -> Iterator[Variant]:
        """A variant for each value: what they match is more than the values themselves."""
        for value in self.values:
            yield Variant((made(value),), mark=tidy(value, 24))

    def by_dimension(self, condition: Condition) -> Variant:
        return Variant((condition,), (condition.dimension,) if self.record["partition_by"] else ())


def policies(draft: Draft, declaration: Declaration) -> list[Part]:
    """All policies, those without `match` last: they are for requests that no other matches."""
    found: list[Part] = []
    fallbacks: list[Part] = []
    configured = draft.config["policies"]
    mixed = len({bool(policy["match"]) for policy in configured}) > 1
    for index, policy in enumerate(configured):
        path: Steps = ("config", "policies", index)
        if policy["id"]:
            draft.problem("found a reference to a stored policy, expected its limits here", (*path, "id"))
            continue
        matched = bool(policy["match"])
        if mixed and not matched:
            draft.warning("applies only to requests that no other policy of this instance matches", path)
        outer = (Choice(f"kong:{draft.plugin.id}:fallback", 0 if matched else 1),) if mixed else ()
        for variant, choices in _variants(policy, path, draft, declaration):
            limits = _limits(policy, f"policy-{index + 1}", variant, path, draft)
            (found if matched else fallbacks).append(Part(limits, variant.conditions, (*outer, *choices)))
    return found + fallbacks


def _variants(
    policy: Record, path: Steps, draft: Draft, declaration: Declaration
) -> Iterator[tuple[Variant, tuple[Choice, ...]]]:
    """All combinations of its matchers' variants. Of several that match a request, the first counts it."""
    each = [
        tuple(MATCHERS[match["type"]](Matcher(match, (*path, "match", number), draft, declaration)))
        for number, match in enumerate(policy["match"] or ())
    ]
    combined = list(product(*each))
    for option, variants in enumerate(combined):
        choice = Choice(f"kong:{draft.plugin.id}:{path[-1]}", option)
        whole = Variant(
            tuple(condition for variant in variants for condition in variant.conditions),
            tuple(dict.fromkeys(dimension for variant in variants for dimension in variant.per)),
            ".".join(variant.mark for variant in variants if variant.mark),
        )
        yield whole, (choice,) if len(combined) > 1 else ()


def _limits(policy: Record, label: str, variant: Variant, path: Steps, draft: Draft) -> tuple[Limit, ...]:
    by_model = "model" in variant.per
    limits: list[Limit] = []
    for number, limit in enumerate(policy["limits"]):
        at = (*path, "limits", number)
        span = _span(policy, limit, at, draft)
        if span is None:
            continue
        strategy = limit["tokens_count_strategy"]
        deferred = strategy == "completion_tokens" or (strategy == "cost" and by_model)
        reserve: Reserve = "none" if deferred else "prompt"
        budget = Budget(label, limit["limit"], span, at, variant.mark)
        limits.append(draft.metered(budget, strategy, variant.per, reserve=reserve))
    return tuple(limits)


def _span(policy: Record, limit: Record, path: Steps, draft: Draft) -> Span | None:
    kind = policy["window_type"]
    if kind != "calendar":
        return draft.window(kind or draft.config["window_type"], limit["window_size"], path)
    period = limit["period"]
    first = limit["month_day"] if period == "month" else WEEKDAYS.index(limit["week_start_day"] or "monday") + 1
    return Span(Window("calendar", 1, period, policy["timezone"] or "UTC", first_day=int(first)), period)


def _consumer(matcher: Matcher) -> Iterator[Variant]:
    consumers = matcher.declaration.consumers
    match matcher.record["key"]:
        case "id":
            yield matcher.by_dimension(matcher.condition("consumer_id", frozenset(each.id for each in consumers)))
        case "custom_id":
            known = frozenset(each.custom_id for each in consumers)
            yield matcher.by_dimension(matcher.condition("custom_id", known))
        case "username":
            known = frozenset(each.username for each in consumers)
            yield matcher.by_dimension(matcher.condition("consumer", known))
        case _:
            names = {each.id: each.name for each in consumers}
            known = frozenset(names) | frozenset(names.values())
            condition = matcher.condition("consumer", known)
            renamed = frozenset(names.get(value, value) for value in condition.values)
            yield matcher.by_dimension(Condition("consumer", renamed, condition.patterns))


def _group(matcher: Matcher) -> Iterator[Variant]:
    names = {group.id: group.name for group in matcher.declaration.groups}
    known = frozenset(names) if matcher.record["key"] == "id" else frozenset(names.values())
    if matcher.record["key"] is None:
        known |= frozenset(names)
    condition = matcher.condition("group", known)
    if not matcher.record["partition_by"]:
        renamed = frozenset(names.get(value, value) for value in condition.values)
        yield Variant((Condition("group", renamed, condition.patterns),))
    elif matcher.values:
        yield from matcher.by_value(lambda value: Condition("group", frozenset({names.get(value, value)})))
    else:
        yield matcher.by_dimension(Condition(GROUP, patterns=ANY))


def _header(matcher: Matcher) -> Iterator[Variant]:
    yield matcher.by_dimension(matcher.condition(header(matcher.record["key"])))


def _ip(matcher: Matcher) -> Iterator[Variant]:
    try:
        condition = Condition.parse("ip", matcher.values) if matcher.values else Condition("ip", patterns=ANY)
    except ValueError as error:
        matcher.draft.problem(f"found {', '.join(matcher.values)}: {error}", (*matcher.path, "values"))
        return
    yield matcher.by_dimension(condition)


def _model(matcher: Matcher) -> Iterator[Variant]:
    yield matcher.by_dimension(matcher.condition("model"))


def _path(matcher: Matcher) -> Iterator[Variant]:
    for index, value in enumerate(matcher.values):
        if wrong := wrong_path(value):
            message = f"{value!r} matches no path: {wrong}"
            matcher.draft.warning(message, (*matcher.path, "values", index))
    if not matcher.values:
        yield matcher.by_dimension(Condition(PATH, patterns=ANY))
    elif matcher.record["partition_by"]:
        # Of paths inside one another the innermost counts.
        inner = sorted(matcher.values, key=len, reverse=True)
        longest = matcher._replace(record=MappingProxyType({**matcher.record, "values": tuple(inner)}))
        yield from longest.by_value(_within)
    else:
        yield Variant((_within(*matcher.values),))


def _within(*paths: str) -> Condition:
    """That a request is for one of the paths or what lies below it."""
    plain = [path.rstrip("/") for path in paths]
    literal = ["".join(f"[{letter}]" if letter in "*?[" else letter for letter in path) for path in plain]
    return Condition(PATH, frozenset(plain), tuple(f"{path}/*" for path in literal))


def _provider(matcher: Matcher) -> Iterator[Variant]:
    for index, value in enumerate(matcher.values):
        if value != value.lower():
            message = f"{value!r} matches no provider: their names are in lower case{hint(KNOWN, value.lower())}"
            matcher.draft.warning(message, (*matcher.path, "values", index))
    if not matcher.values:
        yield matcher.by_dimension(Condition(PROVIDER, patterns=ANY))
    elif matcher.record["partition_by"]:
        yield from matcher.by_value(lambda value: Condition("provider", ours(value)))
    else:
        yield Variant((Condition("provider", frozenset().union(*map(ours, matcher.values))),))


MATCHERS: Mapping[str, Callable[[Matcher], Iterator[Variant]]] = MappingProxyType(
    {
        "consumer": _consumer,
        "consumer_group": _group,
        "header": _header,
        "ip": _ip,
        "model": _model,
        "path": _path,
        "provider": _provider,
    }
)
"""By `type`: the ways to meet it, each with counters of its own."""
