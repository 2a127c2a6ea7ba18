"""From limits that apply to charges on counters: the key, the window, what must be free and what is booked now."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from limiter.counters import Charge
from limiter.facts import Facts
from limiter.meters import METERS, Usage
from limiter.rules import Limit, Selected

PREFIX = "ai-limit"
"""First part of every key of the native dialect."""


class Held(NamedTuple):
    """What the request at hand may consume, priced. Read by limits that reserve."""

    prompt: Usage
    """Its input alone: what stays booked when the answer is never seen."""
    likely: Usage
    most: Usage


class Planned(NamedTuple):
    """A charge and the limit that it stands for."""

    selected: Selected
    charge: Charge

    @property
    def limit(self) -> Limit:
        return self.selected.limit


NOTHING_HELD = Held(Usage(), Usage(), Usage())


def reserves(selected: Iterable[Selected]) -> bool:
    """Whether any limit reserves, so that the request's size must be known beforehand."""
    return any(item.limit.reserve != "none" for item in selected)


def charges(selected: Iterable[Selected], facts: Facts, held: Held, now: int) -> tuple[Planned, ...]:
    """The charges of one request, in the limits' order.

    Args:
        now: milliseconds of the store's clock.
    """
    return tuple(Planned(item, _charge(item, facts, held, now)) for item in selected)


def _charge(selected: Selected, facts: Facts, held: Held, now: int) -> Charge:
    limit = selected.limit
    window = limit.window
    start, end = window.span(now)
    stem = f"{PREFIX}:{quote(limit.name, safe='')}:{window.label}"
    values = "".join(f":{quote(read(facts), safe='')}" for read in selected.readers)
    size = end - start
    need, take, keep = _amounts(limit, held)
    match window.kind:
        case "anchored":
            key, previous, expires_at = f"{stem}:{values}", "", 0
        case "sliding":
            key, previous = f"{stem}:{start // 1000}{values}", f"{stem}:{(start - size) // 1000}{values}"
            expires_at = end + size
        case _:
            key, previous, expires_at = f"{stem}:{start // 1000}{values}", "", end
    return Charge(
        key=key,
        limit=limit.amount,
        need=need,
        take=take,
        ttl=size,
        expires_at=expires_at,
        previous=previous,
        start=start,
        size=size,
        hold=limit.meter != "requests" and take > 0,
        keep=keep,
        blocks=limit.mode == "enforce",
    )


def _amounts(limit: Limit, held: Held) -> tuple[int, int, int]:
    """need, take, keep.

    An estimate may be wrong, so it never refuses a request that an empty budget would admit. A maximum must fit whole.
    """
    if limit.meter == "requests":
        return 1, 1, 1
    meter = METERS[limit.meter]
    match limit.reserve:
        case "none":
            return 1, 0, 0
        case "estimate":
            take = max(1, meter(held.likely))
            return min(take, max(1, limit.amount)), take, min(take, meter(held.prompt))
        case "maximum":
            take = max(1, meter(held.most))
            return take, take, min(take, meter(held.prompt))
