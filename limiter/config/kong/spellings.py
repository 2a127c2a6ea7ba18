"""Texts that stand for numbers and booleans; any other text is itself.

Terraform takes texts of both for what they spell. The YAML of Kong's tools is 1.1, where `yes` and `86_400` are no
texts; ours is 1.2, so that they come as such.
"""

import re
from decimal import Decimal

_NUMBER = re.compile(r"[-+]?[0-9]{1,38}(?P<fraction>\.[0-9]{1,38})?", re.ASCII)
_GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}[0-9_]{1,36}(?P<fraction>\.[0-9]{1,38})?", re.ASCII)
_BOOLEANS = {
    spelling: meant
    for word, meant in {"yes": True, "on": True, "no": False, "off": False}.items()
    for spelling in (word, word.title(), word.upper())
}


def number(text: str) -> str | int | Decimal:
    """The number that a text spells: `6379`, `0.5`."""
    return _made(text, _NUMBER.fullmatch(text))


def grouped_number(text: str) -> str | int | Decimal:
    """The number whose digits underscores keep apart: `86_400`."""
    return _made(text, _GROUPED.fullmatch(text)) if "_" in text else text


def _made(text: str, found: re.Match[str] | None) -> str | int | Decimal:
    if not found:
        return text
    digits = text.replace("_", "")
    return Decimal(digits) if found["fraction"] else int(digits)


def flag(text: str) -> str | bool:
    """The boolean that a text spells."""
    return {"true": True, "false": False}.get(text, text)


def plain_flag(value: object) -> object:
    """The boolean that `yes` and its like are in YAML 1.1."""
    return _BOOLEANS.get(value, value) if isinstance(value, str) else value
