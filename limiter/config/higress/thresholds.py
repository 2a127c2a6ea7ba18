"""`token_per_second` and its like: of `global_threshold` and of each of `limit_keys`."""

from collections.abc import Mapping
from typing import Any

from limiter.config.amounts import LARGEST
from limiter.config.explain import Report, shown
from limiter.config.higress.coercion import is_whole, number
from limiter.config.higress.plugin import Threshold
from limiter.config.notices import Steps
from limiter.windows import Unit

UNITS: Mapping[str, Unit] = {
    "token_per_second": "second",
    "token_per_minute": "minute",
    "token_per_hour": "hour",
    "token_per_day": "day",
}
NAMES = ", ".join(f"'{name}'" for name in UNITS)


def threshold(entry: Mapping[str, Any], path: Steps, report: Report, prefix: str, key: str | None) -> Threshold | None:
    """The one threshold of an entry; None where something is wrong with it, which the report says.

    Args:
        prefix: what the gateway's messages begin with.
        key: of an item, for its messages; None: the global one.
    """
    found = [name for name in UNITS if name in entry]
    if not found:
        owner = "for global_threshold" if key is None else f"for key: {key}"
        report.problem(path, f"found none, expected one threshold ({prefix}one of {NAMES} must be set {owner})")
        return None
    if len(found) > 1:
        report.problem(path, f"found {' and '.join(found)}, expected one of them: the gateway takes any, at random")
        return None
    name = found[0]
    value, amount = entry[name], number(entry[name])
    if amount <= 0:
        owner = "" if key is None else f" for key '{key}'"
        theirs = f"{prefix}'{name}' must be a positive integer{owner}, got {amount}"
        report.problem((*path, name), f"found {shown(value)}, expected a whole number above 0 ({theirs})")
        return None
    if amount > LARGEST:
        report.expected((*path, name), value, f"at most {LARGEST:,}, as more cannot be counted exactly")
        return None
    if not is_whole(value):
        report.warning((*path, name), f"found {shown(value)}, which the gateway takes for {amount}")
    return Threshold(amount, UNITS[name])
