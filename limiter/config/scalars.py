"""What an unquoted scalar of a document means.

The rules are YAML 1.2's core schema and not the 1.1 of most Python software, where `no` is a boolean, `12:30` the
number 750, `010` the number 8 and `1_000` another. Whatever is not plainly a number, a boolean or nothing stays text,
and a field that wants something else says so. Fractions become `Decimal`, so that a price is exactly what was written.
"""

import re
from collections.abc import Callable
from decimal import Decimal

Scalar = str | int | Decimal | bool | None

_WHOLE = r"[-+]?(?:0|[1-9][0-9]{0,38})"
_FRACTION = rf"(?:{_WHOLE}(?:\.[0-9]{{0,38}})?|[-+]?\.[0-9]{{1,38}})(?:[eE][-+]?[0-9]{{1,3}})?"
# The bounds on digits keep a hostile number from costing more than its text.
SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], Scalar]], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(_WHOLE, re.ASCII), int),
    (
        re.compile(rf"(?:{_WHOLE}(?:\.[0-9]{{0,38}})?|[-+]?\.[0-9]{{1,38}})(?:[eE][-+]?[0-9]{{1,3}})?", re.ASCII),
        Decimal,
    ),
)

_TAG = "tag:yaml.org,2002:"
TAGS: dict[str, tuple[type, ...]] = {
    f"{_TAG}null": (type(None),),
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, Decimal),
}
"""Explicit tags of scalars and what the text must be then."""
TEXT_TAGS = ("!", f"{_TAG}str")
COLLECTION_TAGS = (f"{_TAG}map", f"{_TAG}seq")


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    for pattern, make in SCALARS:
        if pattern.fullmatch(text):
            return make(text)
    return text


def tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with an explicit tag.

    Raises:
        ValueError: the tag is not known, or the text does not fit it.
    """
    if tag in TEXT_TAGS:
        return text
    wanted = TAGS.get(tag)
    if wanted is None:
        raise ValueError(f"found the tag {short_tag(tag)}, expected no tag or one of !!str !!int !!float !!bool !!null")
    value = resolve(text)
    if type(value) not in wanted:
        raise ValueError(f"found {text!r} with the tag {short_tag(tag)}, expected a value of that kind")
    return value


def short_tag(tag: str) -> str:
    """As one writes it: `!!int`, `!env`."""
    return tag.replace(_TAG, "!!", 1)
