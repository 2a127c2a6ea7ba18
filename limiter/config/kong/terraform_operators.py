"""Terraform's operators between two values."""

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from limiter.config.kong.terraform_functions import UnknownError

LEVELS: tuple[Mapping[str, Callable[[Any, Any], Any]], ...] = (
    {"*": operator.mul, "/": lambda left, right: Decimal(left) / Decimal(right), "%": operator.mod},
    {"+": operator.add, "-": operator.sub},
    {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le},
    {"==": operator.eq, "!=": operator.ne},
    {"&&": lambda left, right: left and right},
    {"||": lambda left, right: left or right},
)
"""Operators, those that bind closest first."""


def folded(values: list[Any]) -> Any:
    """The value of values and operators in turn: those that bind closest first, from the left.

    Raises:
        UnknownError: an operator does not fit its values.
    """
    for level in LEVELS:
        rest = values[:1]
        for sign, right in zip(values[1::2], values[2::2], strict=True):
            if sign in level:
                rest[-1] = _applied(level[sign], rest[-1], right)
            else:
                rest += [sign, right]
        values = rest
    return values[0]


def _applied(apply: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    try:
        value = apply(left, right)
    except (TypeError, ArithmeticError) as error:
        raise UnknownError("an operator between values that it does not fit") from error
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return value
