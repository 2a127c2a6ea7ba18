"""Finds what accepts a value: conditions filed by the texts in them, so that the cost does not grow with their number.

A value as a whole, a network by its prefix, a pattern by how it begins or ends: each text is filed under a part of what
it accepts, and a value is looked up by the same parts of its own.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from fnmatch import translate
from functools import lru_cache, partial
from ipaddress import ip_address
from operator import itemgetter
from typing import NamedTuple

from limiter.dimensions import GROUP, reader
from limiter.expressions import Expressions
from limiter.facts import Facts
from limiter.rules import Condition

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
EXPRESSION = Drawer("expression")
"""Filed by expressions themselves, which are searched together: no part of a value tells which of them match."""


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
        self._by_expression: dict[str, list[Item]] = {}
        self._expressions = Expressions(())
        """Of all of those that were there when it was prepared."""

    def add(self, place: Place, accepts: Accepts, item: Item) -> None:
        drawer, part = place
        if drawer is EXPRESSION:
            self._by_expression.setdefault(str(part), []).append(item)
            return
        if drawer not in self._drawers:
            self._drawers[drawer] = (CUTS[drawer.kind](drawer.length), {})
        self._drawers[drawer][1].setdefault(part, []).append((accepts, item))

    def prepare(self) -> None:
        """Compiles the expressions; call it when all items are there. Large ones take a good part of a second."""
        self._expressions = Expressions(self._by_expression)

    def find(self, value: str) -> tuple[Item, ...]:
        """Each item that accepts the value, once."""
        found: dict[Item, None] = {}
        for cut, filed in self._drawers.values():
            for accepts, item in filed.get(cut(value), ()):
                if accepts(value):
                    found[item] = None
        if self._by_expression:
            for expression in self._expressions.find(value):
                found.update(dict.fromkeys(self._by_expression[expression]))
        return tuple(found)


def texts(condition: Condition) -> Iterator[Text]:
    """All that the condition accepts."""
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
    for expression in condition.regexes:
        yield Text((Place(EXPRESSION, expression),), _surely)


def _surely(_: str) -> bool:
    """For texts that accept all that is found in their place."""
    return True


def test(condition: Condition) -> Callable[[Facts], object]:
    """Tells whether facts meet the condition."""
    accepts = _accepts(condition)
    if condition.dimension == GROUP:
        return lambda facts: any(accepts(group) for group in facts.groups or ("",))
    read = reader(condition.dimension)
    return lambda facts: accepts(read(facts))


def _accepts(condition: Condition) -> Accepts:
    if not condition.patterns and not condition.networks and not condition.regexes:
        return condition.values.__contains__
    lookup: Lookup[bool] = Lookup()
    for text in texts(condition):
        lookup.add(text.places[0], text.accepts, True)
    lookup.prepare()
    return lookup.find


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
