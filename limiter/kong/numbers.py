"""Numbers as the Lua of a gateway reads and prints them: LuaJIT's `tonumber(text, 10)` and `tostring(number)`.

https://github.com/LuaJIT/LuaJIT/blob/v2.1/src/lj_strscan.c, https://luajit.org/extensions.html. Every number is a
double. Beside decimal numbers, hexadecimal ones (with a fraction, and an exponent of two) and binary ones are read.
"""

import math
import re
from fractions import Fraction

BLANKS = " \t\n\v\f\r"
"""What Lua takes for blank."""
_EXPONENT = 2**20
"""What is not below it is no exponent."""
_BITS = 64
"""Of a binary number, without leading zeros."""

_NUMBER = re.compile(
    r"""
    (?P<sign> [-+] )?
    (?: 0x (?P<hex> [0-9a-f]+ \.? [0-9a-f]* | \. [0-9a-f]+ ) (?: p (?P<power> [-+]? [0-9]+ ) )?
      | 0b (?P<bits> [01]+ )
      | (?P<decimal> [0-9]+ \.? [0-9]* | \. [0-9]+ ) (?: e (?P<exponent> [-+]? [0-9]+ ) )?
      | (?P<name> inf | infinity | nan ) )
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_BEYOND = 1100
"""A power of two beyond any double's."""


def tonumber(text: str) -> float | None:
    """The number that a text spells, with blanks around it or not; None for any other text."""
    found = _NUMBER.fullmatch(text.strip(BLANKS))
    if found is None:
        return None
    exponent = _exponent(found["power"] or found["exponent"] or "0")
    if exponent is None:
        return None
    if found["name"]:
        value = math.nan if found["name"].lower() == "nan" else math.inf
    elif found["hex"]:
        value = _hexadecimal(found["hex"], exponent)
    elif found["bits"]:
        number = int(found["bits"], 2)
        if number.bit_length() > _BITS:
            return None
        value = float(number)
    else:
        value = float(f"{found['decimal']}e{exponent}")
    return -value if found["sign"] == "-" else value


def tostring(number: float | Fraction) -> str:
    """The number as Lua prints it: 14 significant digits, and no fraction where there is none."""
    value = _double(number) if isinstance(number, Fraction | int) else number
    return "nan" if math.isnan(value) else f"{value:.14g}"


def _hexadecimal(digits: str, power: int) -> float:
    whole, _, fraction = digits.partition(".")
    number = int(whole + fraction, 16)
    power -= 4 * len(fraction)
    if not number or number.bit_length() + power < -_BEYOND:
        return 0.0
    if number.bit_length() + power > _BEYOND:
        return math.inf
    return _double(Fraction(number) * Fraction(2) ** power)


def _exponent(text: str) -> int | None:
    digits = text.lstrip("+-").lstrip("0") or "0"
    # Python does not read integers of any length.
    size = int(digits) if len(digits) < 8 else _EXPONENT
    if size >= _EXPONENT:
        return None
    return -size if text.startswith("-") else size


def _double(number: Fraction | int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
