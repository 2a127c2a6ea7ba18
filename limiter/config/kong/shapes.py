"""What a document has in a place where a mapping or a list is expected; anything else counts as an empty one."""

from collections.abc import Iterator, Mapping
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """The mapping."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The items of the list."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """The mappings in the list."""
    return (item for item in items(value) if isinstance(item, dict))
