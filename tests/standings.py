"""Standings of limits, made up for tests of what is said about them."""

from limiter.counters import Charge, Reading
from limiter.decisions import Standing
from limiter.rules import Limit, Rule


def standing(
    limit: Limit, used: int, remaining: int, reset_at: int, size: int, *, over: bool, rule: Rule | None = None
) -> Standing:
    """Of a limit that charges a request when its answer is known.

    Args:
        used: in the limit's unit, as are the others.
        reset_at: milliseconds.
        size: milliseconds.
        rule: None: the native dialect's.
    """
    charge = Charge("key", limit.amount, 1, 0, size, reset_at, start=reset_at - size, size=size)
    reading = Reading(used, 0, used, reset_at, fits=not over)
    return Standing(limit, rule or Rule((limit,)), charge, reading, used, remaining, reset_at, size, over)
