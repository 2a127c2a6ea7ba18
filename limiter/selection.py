"""Which limits of a policy apply to a request.

Every rule is filed under one of its conditions, the one that the fewest rules share, so the cost follows the rules that
match and not the rules that exist.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter, itemgetter
from typing import NamedTuple

from limiter.dimensions import GROUP, Read, reader
from limiter.facts import Facts
from limiter.lookup import Accepts, Lookup, Place, Text, test, texts
from limiter.plans import Plan
from limiter.rules import Choice, Condition, Policy

REMEMBERED = 1024
"""Values of one dimension whose rules are kept at hand. Values come from clients, so there must be an end."""
LONG = 256
"""Characters. The rules of longer values are not kept at hand."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A rule, ready to run."""

    index: int
    plans: tuple[Plan, ...]
    choices: tuple[Choice, ...]
    tests: tuple[Callable[[Facts], object], ...]
    """Of the conditions that it is not filed under, and of `Rule.when`."""

    def applies(self, facts: Facts) -> bool:
        return all(accepts(facts) for accepts in self.tests)


class _Dimension(NamedTuple):
    """The rules that are filed under conditions of one dimension."""

    read: Read
    lookup: Lookup[_Entry]
    known: Callable[[str], tuple[_Entry, ...]]
    """`lookup.find`, remembered."""

    def find(self, facts: Facts) -> tuple[_Entry, ...]:
        return self._find(self.read(facts))

    def find_of_groups(self, facts: Facts) -> tuple[_Entry, ...]:
        """As `find`, for the one dimension that has several values."""
        return tuple({entry.index: entry for group in facts.groups or ("",) for entry in self._find(group)}.values())

    def _find(self, value: str) -> tuple[_Entry, ...]:
        return self.known(value) if len(value) <= LONG else self.lookup.find(value)


class Selector:
    """Finds the limits of a policy that apply to facts. Built once for each policy."""

    def __init__(self, policy: Policy) -> None:
        self._always: list[_Entry] = []
        """Rules without any test."""
        self._unfiled: list[_Entry] = []
        """Rules with `when` alone."""
        self._choosing = any(rule.choices for rule in policy.rules)
        self._dimensions: dict[str, _Dimension] = {}
        rules = [[(condition, tuple(texts(condition))) for condition in rule.conditions] for rule in policy.rules]
        shared = Counter(
            (condition.dimension, place)
            for conditions in rules
            for condition, accepted in conditions
            for text in accepted
            for place in text.places
        )
        tests = cache(test)
        for index, (rule, conditions) in enumerate(zip(policy.rules, rules, strict=True)):
            plans = tuple(Plan(rule, limit) for limit in rule.limits)
            last = (rule.when,) if rule.when else ()
            if not conditions:
                unfiled = self._unfiled if last else self._always
                unfiled.append(_Entry(index, plans, rule.choices, last))
                continue
            _, own, filed = min((_file(*pair, shared) for pair in conditions), key=itemgetter(0))
            others = tuple(tests(condition) for condition, _ in conditions if condition is not own)
            entry = _Entry(index, plans, rule.choices, (*others, *last))
            for place, accepts in filed:
                self._lookup(own.dimension).add(place, accepts, entry)
        for dimension in self._dimensions.values():
            dimension.lookup.prepare()

    def _lookup(self, dimension: str) -> Lookup[_Entry]:
        known = self._dimensions.get(dimension)
        if known is None:
            lookup: Lookup[_Entry] = Lookup()
            known = _Dimension(reader(dimension), lookup, lru_cache(REMEMBERED)(lookup.find))
            self._dimensions[dimension] = known
        return known.lookup

    def select(self, facts: Facts) -> Sequence[Plan]:
        """The limits that apply, in the policy's order."""
        found = [*self._always, *(entry for entry in self._unfiled if entry.applies(facts))]
        for name, dimension in self._dimensions.items():
            filed = dimension.find_of_groups(facts) if name == GROUP else dimension.find(facts)
            found += [entry for entry in filed if entry.applies(facts)]
        found.sort(key=attrgetter("index"))
        if self._choosing:
            found = _chosen(found)
        return [plan for entry in found for plan in entry.plans]


def _chosen(entries: Iterable[_Entry]) -> list[_Entry]:
    """Those whose options are taken, by themselves or by one before."""
    taken: dict[str, int] = {}
    return [
        entry
        for entry in entries
        if all(taken.setdefault(choice.of, choice.option) == choice.option for choice in entry.choices)
    ]


def _file(
    condition: Condition, accepted: Iterable[Text], shared: Counter[tuple[str, Place]]
) -> tuple[int, Condition, list[tuple[Place, Accepts]]]:
    """How much of a crowd the condition is filed in at worst, and the places for its texts, each the least crowded.

    Ten thousand consumers of one provider are told by the consumer.
    """

    def crowd(place: Place) -> int:
        return shared[condition.dimension, place]

    filed = [(min(text.places, key=crowd), text.accepts) for text in accepted]
    return max((crowd(place) for place, _ in filed), default=0), condition, filed
