"""Which limits of a policy apply to a request.

Every rule is filed under one of its conditions, the one that the fewest rules share, and there under each text that the
condition accepts: a value as a whole, a network by its prefix, a pattern by how it begins or ends. A request is looked
up by the same parts of its values, so the cost follows the rules that match and not the rules that exist.
"""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, lru_cache, partial
from ipaddress import ip_address
from operator import attrgetter, itemgetter
from typing import NamedTuple

from limiter.facts import Facts, Read, reader
from limiter.plans import Plan
from limiter.rules import Condition, Policy

REMEMBERED = 1024
"""Values of one dimension whose rules are kept at hand. Values come from clients, so there must be an end."""
LONG = 256
"""Characters. The rules of longer values are not kept at hand."""

Accepts = Callable[[str], object]
"""Whether a value is accepted."""


class Drawer(NamedTuple):
    """Texts that are filed by the same kind of part."""

    kind: str
    """A key of `CUTS`."""
    length: int = 0
    """Of the part, in characters; for networks in bits."""


CUTS: Mapping[str, Callable[[int], Callable[[str], Hashable]]] = {
    "whole": lambda _: str,
    "head": lambda length: itemgetter(slice(length)),
    "tail": lambda length: itemgetter(slice(-length, None)),
    "IPv4": lambda length: partial(_prefix, 4, 32 - length),
    "IPv6": lambda length: partial(_prefix, 6, 128 - length),
    "nothing": lambda _: lambda _: None,
}
"""From a length to the function that cuts the part out of a value."""


class Place(NamedTuple):
    """A drawer and the part that texts have there."""

    drawer: Drawer
    part: Hashable


class Text(NamedTuple):
    """Something that a condition accepts."""

    places: tuple[Place, ...]
    """Where it can be filed: whatever it accepts is found in each of them."""
    accepts: Accepts
    """Tells what it accepts from what else is found there."""


type _Filed[Item] = dict[Hashable, list[tuple[Accepts, Item]]]


class Lookup[Item]:
    """Items by the values that they accept."""

    def __init__(self) -> None:
        self._drawers: dict[Drawer, tuple[Callable[[str], Hashable], _Filed[Item]]] = {}

    def add(self, place: Place, accepts: Accepts, item: Item) -> None:
        drawer, part = place
        if drawer not in self._drawers:
            self._drawers[drawer] = (CUTS[drawer.kind](drawer.length), {})
        self._drawers[drawer][1].setdefault(part, []).append((accepts, item))

    def find(self, value: str) -> tuple[Item, ...]:
        """Each item that accepts the value, once."""
        found: dict[Item, None] = {}
        for cut, filed in self._drawers.values():
            for accepts, item in filed.get(cut(value), ()):
                if accepts(value):
                    found[item] = None
        return tuple(found)


@dataclass(slots=True, eq=False)
class _Entry:
    """A rule, ready to run."""

    index: int
    plans: tuple[Plan, ...]
    tests: tuple[Callable[[Facts], object], ...]
    """Of the conditions that it is not filed under."""


class _Dimension(NamedTuple):
    """The rules that are filed under conditions of one dimension."""

    read: Read
    lookup: Lookup[_Entry]
    known: Callable[[str], tuple[_Entry, ...]]
    """`lookup.find`, remembered."""

    def find(self, facts: Facts) -> tuple[_Entry, ...]:
        value = self.read(facts)
        return self.known(value) if len(value) <= LONG else self.lookup.find(value)


class Selector:
    """Finds the limits of a policy that apply to facts. Built once for each policy."""

    def __init__(self, policy: Policy) -> None:
        self._always: list[_Entry] = []
        """Rules without conditions."""
        self._dimensions: dict[str, _Dimension] = {}
        rules = [[(condition, tuple(_texts(condition))) for condition in rule.conditions] for rule in policy.rules]
        shared = Counter(
            (condition.dimension, place)
            for conditions in rules
            for condition, texts in conditions
            for text in texts
            for place in text.places
        )
        test = cache(_test)
        for index, (rule, conditions) in enumerate(zip(policy.rules, rules, strict=True)):
            plans = tuple(Plan(rule, limit) for limit in rule.limits)
            if not conditions:
                self._always.append(_Entry(index, plans, ()))
                continue
            _, own, filed = min((_file(*pair, shared) for pair in conditions), key=itemgetter(0))
            entry = _Entry(index, plans, tuple(test(condition) for condition, _ in conditions if condition is not own))
            for place, accepts in filed:
                self._lookup(own.dimension).add(place, accepts, entry)

    def _lookup(self, dimension: str) -> Lookup[_Entry]:
        known = self._dimensions.get(dimension)
        if known is None:
            lookup: Lookup[_Entry] = Lookup()
            known = _Dimension(reader(dimension), lookup, lru_cache(REMEMBERED)(lookup.find))
            self._dimensions[dimension] = known
        return known.lookup

    def select(self, facts: Facts) -> Sequence[Plan]:
        """The limits that apply, in the policy's order."""
        found = list(self._always)
        for dimension in self._dimensions.values():
            found += [entry for entry in dimension.find(facts) if all(test(facts) for test in entry.tests)]
        found.sort(key=attrgetter("index"))
        return [plan for entry in found for plan in entry.plans]


def _file(
    condition: Condition, texts: Iterable[Text], shared: Counter[tuple[str, Place]]
) -> tuple[int, Condition, list[tuple[Place, Accepts]]]:
    """How much of a crowd the condition is filed in at worst, and the places for its texts, each the least crowded.

    Ten thousand consumers of one provider are told by the consumer.
    """

    def crowd(place: Place) -> int:
        return shared[condition.dimension, place]

    filed = [(min(text.places, key=crowd), text.accepts) for text in texts]
    return max((crowd(place) for place, _ in filed), default=0), condition, filed


def _texts(condition: Condition) -> Iterator[Text]:
    for value in condition.values:
        yield Text((Place(Drawer("whole"), value),), _surely)
    for network in condition.networks:
        rest = network.max_prefixlen - network.prefixlen
        drawer = Drawer(f"IPv{network.version}", network.prefixlen)
        yield Text((Place(drawer, int(network.network_address) >> rest),), _surely)
    for pattern in condition.patterns:
        head, *_ = re.split(r"[*?[]", pattern, maxsplit=1)
        *_, tail = re.split(r"[*?\[\]]", pattern)
        places = [Place(Drawer("head", len(head)), head)] if head else []
        places += [Place(Drawer("tail", len(tail)), tail)] if tail else []
        yield Text(tuple(places) or (Place(Drawer("nothing"), None),), re.compile(translate(pattern)).match)


def _surely(_: str) -> bool:
    """For texts that accept all that is found in their place."""
    return True


def _test(condition: Condition) -> Callable[[Facts], object]:
    """Tells whether facts meet the condition."""
    read = reader(condition.dimension)
    if not condition.patterns and not condition.networks:
        values = condition.values
        return lambda facts: read(facts) in values
    lookup: Lookup[bool] = Lookup()
    for text in _texts(condition):
        lookup.add(text.places[0], text.accepts, True)
    return lambda facts: lookup.find(read(facts))


def _prefix(version: int, rest: int, text: str) -> int | None:
    """All bits but the last `rest` of an address; None for another version and for what is no address."""
    found, number = _address(text)
    return number >> rest if found == version else None


@lru_cache(maxsize=1)
def _address(text: str) -> tuple[int, int]:
    """Version and number; zeros for what is no address. Remembered: a value is looked up by many prefixes in turn."""
    try:
        address = ip_address(text)
    except ValueError:
        return 0, 0
    return address.version, int(address)
