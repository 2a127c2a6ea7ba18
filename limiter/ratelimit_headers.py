"""The `RateLimit-Policy` and `RateLimit` response fields: draft-ietf-httpapi-ratelimit-headers-10, RFC 9651 syntax.

    RateLimit-Policy: "daily";q=5000000;qu="usd-micros";w=86400
    RateLimit: "daily";r=1250000;t=11520

Both are lists with one item for each limit that applies to the request; `q` and `r` count the unit `qu` (requests where
it is absent), `w` and `t` are seconds.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from limiter.decisions import Standing

LARGEST = 999_999_999_999_999
"""RFC 9651 §3.3.1: integers have at most 15 digits."""

MOST = 10
"""Limits that are shown."""

UNITS: Mapping[str, tuple[str, int]] = {
    "requests": ("", 1),
    "prompt_tokens": ("tokens", 1),
    "completion_tokens": ("tokens", 1),
    "total_tokens": ("tokens", 1),
    "io_tokens": ("tokens", 1),
    "weighted_tokens": ("tokens", 1),
    "cost": ("usd-micros", 1000),
}
"""Meter → (quota unit, how many of the meter's unit make one). A custom unit goes by the last part of its name."""


def fields(standings: Sequence[Standing], now: int) -> tuple[tuple[str, str], ...]:
    """The two fields; none when no limit is to be shown. Limits in shadow mode are not.

    Of more than `MOST` limits the scarcest are shown: clients give up on headers that are too large.

    Args:
        now: milliseconds of the store's clock, as in the standings.
    """
    shown = [standing for standing in standings if standing.limit.mode != "shadow"]
    if not shown:
        return ()
    if len(shown) > MOST:
        scarcest = sorted(shown, key=lambda standing: standing.remaining / (standing.limit.amount or 1))[:MOST]
        shown = [standing for standing in shown if standing in scarcest]
    return (
        ("RateLimit-Policy", ", ".join(map(_policy, shown))),
        ("RateLimit", ", ".join(_remaining(standing, now) for standing in shown)),
    )


def _policy(standing: Standing) -> str:
    limit = standing.limit
    unit, scale = UNITS.get(limit.meter) or (limit.meter.rpartition(":")[2], limit.scale)
    quoted = f";qu={_string(unit)}" if unit else ""
    return f"{_string(limit.name)};q={_integer(limit.amount // scale)}{quoted};w={_seconds(standing.size)}"


def _remaining(standing: Standing, now: int) -> str:
    _, scale = UNITS.get(standing.limit.meter, ("", standing.limit.scale))
    left = _integer(standing.remaining // scale)
    return f"{_string(standing.limit.name)};r={left};t={_seconds(standing.reset_at - now)}"


def _integer(value: int) -> int:
    return min(max(value, 0), LARGEST)


def _seconds(milliseconds: int) -> int:
    """At least 1: a window of no length is not allowed, and a reset in no time would make clients spin."""
    return _integer(max(1, -(-milliseconds // 1000)))


@lru_cache(maxsize=1024)  # Names and units come from the configuration.
def _string(text: str) -> str:
    """A structured-field string holds printable ASCII; anything else becomes `?`."""
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
