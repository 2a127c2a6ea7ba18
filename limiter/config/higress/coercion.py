"""Values as the gateway reads them, whose JSON library turns anything into a number or a text.

https://pkg.go.dev/github.com/tidwall/gjson: `Result.Int` and `Result.String`.
"""

import json
from decimal import Decimal
from typing import Any


def number(value: object) -> int:
    """Fractions are cut off; digits in a text count; true is 1, and all else 0."""
    if isinstance(value, int | Decimal):
        return int(value)
    if isinstance(value, str):
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() else 0
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
