"""The compiled policy, and which of its limits apply to a request.

A policy is what every dialect compiles to. Selection looks rules up by one exact condition each, so that its cost
follows the rules that match and not the rules that exist.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from limiter.facts import Facts, Read, reader
from limiter.windows import Window

Mode = Literal["enforce", "warn", "shadow"]
Reserve = Literal["none", "estimate", "maximum"]
Dialect = Literal["native"]


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one meter over one window, kept per value of its dimensions."""

    name: str
    """Unique in its policy; part of the counters' keys, so renaming it starts new counters."""
    meter: str
    """A key of `meters.METERS`."""
    amount: int
    """Requests, tokens, or billionths of a dollar."""
    window: Window
    per: tuple[str, ...] = ()
    """Dimensions (`facts.reader`); one counter for each combination of their values. None: one for all."""
    mode: Mode = "enforce"
    reserve: Reserve = "none"
    status: int | None = None
    """HTTP status of a refusal; None: what suits the calling client best."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One dimension must have one of several values.

    An absent value is the empty text: only that text and patterns that match it accept it.
    """

    dimension: str
    values: frozenset[str] = frozenset()
    """Accepted as they are."""
    patterns: tuple[str, ...] = ()
    """Shell patterns: `*`, `?`, `[…]`; case matters."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """For `ip`."""

    @classmethod
    def parse(cls, dimension: str, accepted: Iterable[str]) -> "Condition":
        """A condition from the texts of a configuration.

        Patterns are those with `*`, `?` or `[`; networks those with `/` on `ip`.

        Raises:
            ValueError: unknown dimension, or a network that is none.
        """
        reader(dimension)
        exact: set[str] = set()
        patterns: list[str] = []
        networks: list[IPv4Network | IPv6Network] = []
        for text in accepted:
            if dimension == "ip" and "/" in text:
                networks.append(ip_network(text))
            elif any(mark in text for mark in "*?["):
                patterns.append(text)
            else:
                exact.add(str(ip_address(text)) if dimension == "ip" else text)
        return cls(dimension, frozenset(exact), tuple(patterns), tuple(networks))


@dataclass(frozen=True, slots=True)
class Rule:
    """Limits that apply to requests which meet every condition."""

    limits: tuple[Limit, ...]
    conditions: tuple[Condition, ...] = ()
    dialect: Dialect = "native"
    """Whose refusals and headers the rule speaks."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, in the order of their documents."""

    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Selected:
    """A limit that applies to the request at hand."""

    rule: Rule
    limit: Limit
    readers: tuple[Read, ...]
    """Readers of `limit.per`."""


Test = Callable[[Facts], bool]


@dataclass(slots=True)
class _Entry:
    """A rule, ready to run."""

    index: int
    tests: tuple[Test, ...]
    selected: tuple[Selected, ...]


@dataclass(slots=True)
class Selector:
    """Finds the limits of a policy that apply to facts. Built once for each policy."""

    policy: Policy
    _indexed: dict[str, tuple[Read, dict[str, list[_Entry]]]] = field(default_factory=dict)
    _scanned: list[_Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        shared = Counter(
            (condition.dimension, value)
            for rule in self.policy.rules
            for condition in _exact(rule)
            for value in condition.values
        )
        for index, rule in enumerate(self.policy.rules):
            self._add(index, rule, shared)

    def _add(self, index: int, rule: Rule, shared: Counter[tuple[str, str]]) -> None:
        # The condition that the fewest rules share: ten thousand consumers of one provider are told by the consumer.
        exact = min(_exact(rule), key=lambda c: max(shared[c.dimension, value] for value in c.values), default=None)
        tests = tuple(_test(c) for c in rule.conditions if c is not exact)
        selected = tuple(Selected(rule, limit, tuple(map(reader, limit.per))) for limit in rule.limits)
        entry = _Entry(index, tests, selected)
        if exact is None:
            self._scanned.append(entry)
            return
        _, buckets = self._indexed.setdefault(exact.dimension, (reader(exact.dimension), {}))
        for value in exact.values:
            buckets.setdefault(value, []).append(entry)

    def select(self, facts: Facts) -> Sequence[Selected]:
        """The limits that apply, in the policy's order."""
        found = [entry for entry in self._candidates(facts) if all(test(facts) for test in entry.tests)]
        found.sort(key=lambda entry: entry.index)
        return [selected for entry in found for selected in entry.selected]

    def _candidates(self, facts: Facts) -> Iterable[_Entry]:
        yield from self._scanned
        for read, buckets in self._indexed.values():
            yield from buckets.get(read(facts), ())


def _exact(rule: Rule) -> list[Condition]:
    """Conditions that can be looked up."""
    return [c for c in rule.conditions if c.values and not c.patterns and not c.networks]


def _test(condition: Condition) -> Test:
    read = reader(condition.dimension)
    values = condition.values
    networks = condition.networks
    pattern: re.Pattern[str] | None = None
    if condition.patterns:
        pattern = re.compile("|".join(f"(?:{translate(text)})" for text in condition.patterns))

    def test(facts: Facts) -> bool:
        value = read(facts)
        if value in values or (pattern is not None and pattern.match(value) is not None):
            return True
        return bool(networks) and _within(value, networks)

    return test


def _within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def limits(policy: Policy) -> Mapping[str, Limit]:
    """Every limit of the policy by name."""
    return {limit.name: limit for rule in policy.rules for limit in rule.limits}
