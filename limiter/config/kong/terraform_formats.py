"""Terraform's function `format`: texts with verbs, as in Go.

https://developer.hashicorp.com/terraform/language/functions/format
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from limiter.config.kong.terraform_functions import UnknownError, text

_VERB = re.compile(r"%(?P<flags>[-+ 0]*)(?P<width>[0-9]{0,3})(?:\.(?P<precision>[0-9]{1,2}))?(?P<verb>.)", re.DOTALL)


def formatted(template: Any, *values: Any) -> str:
    """The template with its values.

    Raises:
        UnknownError: a verb is not known here, a value does not fit it, or their numbers differ.
    """
    if not isinstance(template, str):
        raise UnknownError("the function format takes a text first")
    rest = list(values)

    def filled(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if verb not in VERBS:
            raise UnknownError(f"the function format knows these verbs here: {', '.join(VERBS)}")
        if not rest:
            raise UnknownError("the function format has more verbs than values")
        return _padded(VERBS[verb](rest.pop(0), match["precision"]), match, number=verb in "df")

    whole = _VERB.sub(filled, template)
    if rest:
        raise UnknownError("the function format has more values than verbs")
    return whole


def _padded(shown: str, match: re.Match[str], *, number: bool) -> str:
    flags, width = match["flags"], int(match["width"] or 0)
    if number and not shown.startswith("-"):
        shown = ("+" if "+" in flags else " " if " " in flags else "") + shown
    if "-" in flags:
        return shown.ljust(width)
    # `zfill` puts zeros behind a sign.
    return shown.zfill(width) if "0" in flags else shown.rjust(width)


def _whole(value: Any, _: str | None) -> str:
    return str(int(_decimal(value)))


def _fraction(value: Any, precision: str | None) -> str:
    return f"{_decimal(value):.{precision or 6}f}"


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise UnknownError("the function format takes a number for %d and %f")
    return Decimal(text(value))


def _shown(value: Any, precision: str | None) -> str:
    return text(value)[: int(precision) if precision else None]


def _any(value: Any, _: str | None) -> str:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else text(value)


VERBS: Mapping[str, Callable[[Any, str | None], str]] = {
    "s": _shown,
    "v": _any,
    "q": lambda value, _: json.dumps(text(value)),
    "d": _whole,
    "f": _fraction,
    "t": lambda value, _: text(value),
}
