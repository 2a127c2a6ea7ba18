"""Values as the gateway reads them, whose JSON library turns anything into a number or a text.

https://pkg.go.dev/github.com/tidwall/gjson: `Result.Int` and `Result.String`.
"""

import json
from decimal import Decimal
from typing import Any

DIGITS = 18
"""Longer numbers overflow at the gateway. Here they are one that no field takes."""


def number(value: object) -> int:
    """Fractions are cut off; digits in a text count; true is 1, and all else 0."""
    if isinstance(value, int | Decimal):
        most = 10**DIGITS
        return int(max(-most, min(most, value)))
    if isinstance(value, str):
        sign, digits = ("-", value[1:]) if value.startswith("-") else ("", value)
        if not digits.isascii() or not digits.isdigit():
            return 0
        digits = digits.lstrip("0") or "0"
        return int(sign + (digits if len(digits) <= DIGITS else f"1{'0' * DIGITS}"))
    return 0


def is_whole(value: object) -> bool:
    """Whether it is what `number` makes of it, and not something that happens to be read as a number."""
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, str) and number(value) != 0))


def text(value: object) -> str:
    """Numbers and booleans as they are written; nothing is empty; the rest as JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def items(value: object) -> list[Any]:
    """A list, or the one thing that stands in its place; nothing is an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> float:
    """Of a fraction, the one kind of value that JSON's writer does not know."""
    return float(value)
