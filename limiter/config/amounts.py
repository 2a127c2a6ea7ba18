"""Amounts as people write them: `$5 per day`, `200k tokens per minute`, `1.5M prompt tokens per 2 hours`.

Numbers are exact: nothing passes through binary floating point, and what is no whole number of units is refused.
"""

import re
from difflib import get_close_matches
from fractions import Fraction
from typing import NamedTuple

from limiter.config.notices import MisfitError
from limiter.meters import NANO
from limiter.units import FINE
from limiter.windows import UNITS, Unit

EXAMPLES = 'an amount such as "$5 per day", "200k tokens per minute", "60 requests per minute"'
LARGEST = 2**53 - 1
"""In units of the meter: what every store, Lua's numbers included, holds exactly."""
LONGEST = 10
"""Years that a window may last."""

TOLD = ""
"""Meter of an amount that is a number alone: the limit says in `meter:` what it counts."""
UNTOLD = "the number to say what it counts: $, tokens, prompt tokens, completion tokens or requests"
"""Expected of an amount if the limit does not."""
NOUNS: dict[str, str] = {
    "request": "requests",
    "token": "total_tokens",
    "total token": "total_tokens",
    "prompt token": "prompt_tokens",
    "input token": "prompt_tokens",
    "completion token": "completion_tokens",
    "output token": "completion_tokens",
    "io token": "io_tokens",
    "weighted token": "weighted_tokens",
    "dollar": "cost",
    "usd": "cost",
    "$": "cost",
}
"""Singular nouns and the meter that they name."""
WRITTEN: dict[str, str] = {
    "requests": "request",
    "total_tokens": "token",
    "prompt_tokens": "prompt token",
    "completion_tokens": "completion token",
    "io_tokens": "io token",
    "weighted_tokens": "weighted token",
}
"""How a meter that is not money is written back."""
SUFFIXES: dict[str, int] = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
ABBREVIATIONS: dict[str, Unit] = {"s": "second", "sec": "second", "min": "minute", "h": "hour"}
"""Beside the units themselves, singular or plural. `m` could be a minute or a month."""
MOST: dict[Unit, int] = {
    "second": LONGEST * 366 * 86400,
    "minute": LONGEST * 366 * 1440,
    "hour": LONGEST * 366 * 24,
    "day": LONGEST * 366,
    "week": LONGEST * 52,
    "month": LONGEST * 12,
    "year": LONGEST,
}

_AMOUNT = re.compile(
    r"""
    (?P<currency> us\$ | \$ | usd )? \ ?
    (?P<number> [0-9][0-9,_]* (?: \.[0-9]+ )? | \.[0-9]+ ) \ ?
    (?: (?P<suffix> [kmb] ) (?![a-z]) )? \ ?
    (?P<noun> [a-z$\ ]*? ) \ ?
    (?: (?: \bper\b | \bevery\b | / ) \ ? (?P<count> [0-9][0-9,_.]* )? | \ban? ) \ ?
    (?P<unit> \b[a-z]+ | (?<=[0-9])[a-z]+ )
    """,
    re.ASCII | re.VERBOSE,
)
_GROUPED = re.compile(r"[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:_[0-9]{3})+")


class Amount(NamedTuple):
    """A number of units of a meter for each stretch of time."""

    meter: str
    """A key of `meters.METERS`, or `TOLD`."""
    number: int
    """Requests, tokens, billionths of a dollar, or millionths of what the limit counts."""
    every: int
    """How many units of time."""
    unit: Unit


def parse(text: object) -> Amount:
    """The amount that a text names.

    Raises:
        MisfitError: it names none, or one that cannot be counted exactly.
    """
    if not isinstance(text, str) or len(text) > 200:
        raise MisfitError(EXAMPLES)
    found = _AMOUNT.fullmatch(" ".join(text.lower().split()))
    if found is None:
        raise MisfitError(EXAMPLES)
    meter = _meter(found["currency"], found["noun"].strip())
    number = _units(meter, _fraction(found["number"]) * SUFFIXES[found["suffix"] or ""])
    unit = _unit(found["unit"])
    return Amount(meter, number, _count(found["count"], unit), unit)


def form(amount: Amount) -> str:
    """The text that `parse` reads as `amount`."""
    window = amount.unit if amount.every == 1 else f"{amount.every} {amount.unit}s"
    return f"{quantity(amount.meter, amount.number)} per {window}"


def quantity(meter: str, number: int) -> str:
    """`$0.50`, `200,000 tokens`, `1 request`, `2.5`."""
    if meter == "cost":
        dollars, rest = divmod(number, NANO)
        decimals = f"{rest:09}".rstrip("0")
        return f"${dollars:,}" + (f".{decimals:0<2}" if decimals else "")
    if meter == TOLD:
        whole, rest = divmod(number, FINE)
        decimals = f"{rest:06}".rstrip("0")
        return f"{whole:,}" + (f".{decimals}" if decimals else "")
    return f"{number:,} {WRITTEN[meter]}{'' if number == 1 else 's'}"


def _meter(currency: str | None, noun: str) -> str:
    if currency:
        if noun:
            raise MisfitError(f"dollars alone, as in $5 per day, or {noun!r} alone, without a currency")
        return "cost"
    if not noun:
        return TOLD
    singular = noun if noun == "$" else noun.removesuffix("s")
    if singular not in NOUNS:
        close = get_close_matches(singular, NOUNS, n=1)
        hint = f"; did you mean {close[0] + 's'!r}?" if close else ""
        raise MisfitError(f"$, tokens, prompt tokens, completion tokens or requests, not {noun!r}{hint}")
    return NOUNS[singular]


def _fraction(text: str) -> Fraction:
    whole, _, decimals = text.partition(".")
    if whole and not _GROUPED.fullmatch(whole):
        raise MisfitError("digits in groups of three, as in 10,000 or 10_000, or without separators")
    digits = whole.replace(",", "").replace("_", "") or "0"
    return Fraction(int(digits + decimals), 10 ** len(decimals))


def _units(meter: str, number: Fraction) -> int:
    units = number * {"cost": NANO, TOLD: FINE}.get(meter, 1)
    if units.denominator != 1:
        decimals = {"cost": "at most nine decimals of a dollar", TOLD: "at most six decimals"}
        raise MisfitError(decimals.get(meter) or f"a whole number of {WRITTEN[meter]}s")
    if units > LARGEST:
        raise MisfitError(f"at most {quantity(meter, LARGEST)}")
    return int(units)


def _unit(text: str) -> Unit:
    for unit in UNITS:
        if text in (unit, f"{unit}s"):
            return unit
    if text in ABBREVIATIONS:
        return ABBREVIATIONS[text]
    close = get_close_matches(text, UNITS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise MisfitError(f"a window of {', '.join(f'{unit}s' for unit in UNITS[:-1])} or {UNITS[-1]}s, not {text!r}{hint}")


def _count(text: str | None, unit: Unit) -> int:
    if text is None:
        return 1
    if not _GROUPED.fullmatch(text):
        raise MisfitError(f"a whole number of {unit}s, not {text}")
    count = int(text.replace(",", "").replace("_", ""))
    if count < 1:
        raise MisfitError(f"a window of at least one {unit}")
    if count > MOST[unit]:
        raise MisfitError(f"a window of at most {LONGEST} years")
    return count
