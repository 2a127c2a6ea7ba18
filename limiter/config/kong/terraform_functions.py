"""Terraform's functions, as far as they need nothing but their arguments."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any


class UnknownError(Exception):
    """A value that cannot be known here, with the reason."""


def text(value: Any) -> str:
    """A value as a template shows it.

    Raises:
        UnknownError: it has no text.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    raise UnknownError("a template can only hold texts, numbers and booleans")


def pairs(value: Any) -> list[tuple[Any, Any]]:
    """Keys and values of what can be gone through.

    Raises:
        UnknownError: nothing such.
    """
    if isinstance(value, Mapping):
        return sorted(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    raise UnknownError("found something else, expected a list or a map to go through")


def _number(value: Any) -> int | Decimal:
    number = Decimal(text(value))
    return int(number) if number == number.to_integral_value() else number


def _first_known(*values: Any) -> Any:
    return next(value for value in values if value not in (None, ""))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tonumber": _number,
    "tostring": text,
    "tobool": lambda value: {"true": True, "false": False}[text(value)],
    "tolist": list,
    "toset": lambda values: sorted(set(values)),
    "tomap": dict,
    "sensitive": lambda value: value,
    "nonsensitive": lambda value: value,
    "lower": lambda value: value.lower(),
    "upper": lambda value: value.upper(),
    "trimspace": lambda value: value.strip(),
    "replace": lambda value, old, new: value.replace(old, new),
    "join": lambda separator, values: separator.join(map(text, values)),
    "split": lambda separator, value: value.split(separator),
    "concat": lambda *lists: [item for items in lists for item in items],
    "merge": lambda *maps: {key: value for each in maps for key, value in each.items()},
    "keys": sorted,
    "values": lambda value: [value[key] for key in sorted(value)],
    "lookup": lambda value, key, *default: value.get(key, *default),
    "length": len,
    "coalesce": _first_known,
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":")),
    "jsondecode": lambda value: json.loads(value, parse_float=Decimal),
    "min": min,
    "max": max,
}
