"""Custom units: numbers that upstreams tell in a response header, as the whole numbers that counters hold."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isinf, isnan

from limiter.kong.numbers import tonumber
from limiter.kong.quota_header import increments
from limiter.meters import UNIT
from limiter.voices import Fields

FINE = 10**6
"""A limit's scale where fractions count: parts of a unit that are told apart."""
MOST = 2**50
"""A counter's amount that stands for more than can be counted. A few such fit into what stores hold exactly."""
HEADER = "header:"
"""First part of the names of units that are read off a response header by the native dialect: `header:x-videos`."""
KONG_HEADER = "kong-header:"
"""The same of Kong's response-ratelimiting, in parts of its own: `kong-header:x-kong-limit:videos`."""


def is_told(meter: str) -> bool:
    """Whether a meter reads a unit that the response's header tells, whatever was asked for."""
    return meter.startswith((UNIT + HEADER, UNIT + KONG_HEADER))


def scaled(number: float, scale: int) -> int:
    """A counter's amount for a number: nothing for NaN, at most `MOST` either way."""
    if isnan(number):
        return 0
    if isinf(number):
        return MOST if number > 0 else -MOST
    return max(-MOST, min(MOST, round(Fraction(number) * scale)))


def told(names: Iterable[str], fields: Fields) -> Mapping[str, int]:
    """What a response's header fields say of units, in `FINE` parts.

    Args:
        names: `header:FIELD`, whose first field is a number, or `header:FIELD:ITEM`, where it is a list
            `item=number, other=number`. Those that the response does not tell are left out.
        fields: with lower-case names.
    """
    first = dict(reversed(fields))
    found: dict[str, int] = {}
    for name in names:
        field, colon, item = name.removeprefix(HEADER).partition(":")
        value = first.get(field)
        if value is None:
            continue
        number = increments(value, (item,)).get(item) if colon else tonumber(value)
        if number is not None:
            found[name] = scaled(number, FINE)
    return found
