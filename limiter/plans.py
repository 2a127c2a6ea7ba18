"""From limits that apply to charges on counters: the key, the window, what must be free and what is booked now."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from limiter.counters import Charge
from limiter.facts import Facts, Read, is_secret, reader
from limiter.identity import digest
from limiter.meters import METERS, Usage
from limiter.rules import Limit, Rule
from limiter.windows import Window

PREFIX = "{ai-limit}"
"""First part of every key of the native dialect. Braces make it a Redis Cluster's hash tag: the limits of one request
are booked in one atomic step, so their counters must live on one node."""


class Held(NamedTuple):
    """What the request at hand may consume, priced. Read by limits that reserve."""

    prompt: Usage
    """Its input alone: what stays booked when the answer is never seen."""
    likely: Usage
    most: Usage


NOTHING_HELD = Held(Usage(), Usage(), Usage())


class Plan:
    """A limit, ready to be charged: the parts that requests or windows share are worked out once."""

    __slots__ = ("_fixed", "_laid", "_readers", "_stem", "limit", "meter", "reserves", "rule", "settles")

    def __init__(self, rule: Rule, limit: Limit) -> None:
        self.rule = rule
        self.limit = limit
        self.meter = METERS[limit.meter]
        self.settles = limit.meter != "requests"
        """What it counts is known when the exchange has ended."""
        self.reserves = limit.reserve != "none"
        """Needs to know beforehand what a request may consume."""
        self._fixed = None if self.settles and self.reserves else _amounts(limit, NOTHING_HELD)
        self._readers = tuple(map(_reader, limit.per))
        self._stem = f"{PREFIX}:{quote(limit.name, safe='')}:{limit.window.label}:"
        self._laid = _Laid(0, 0, 0, 0, 0, "", "")

    def charge(self, facts: Facts, held: Held, now: int) -> Charge:
        """What the limit charges a request.

        Args:
            now: milliseconds of the store's clock.
        """
        limit = self.limit
        laid = self._laid
        if not laid.since <= now < laid.until:
            laid = self._laid = _lay(limit.window, self._stem, now)
        _, _, start, size, expires_at, head, previous = laid
        values = ""
        for read in self._readers:
            value = read(facts)
            values += f":{_quoted(value) if _is_odd(value) else value}"
        need, take, keep = self._fixed or _amounts(limit, held)
        # By position, which takes half the time: key, limit, need, take, ttl, expires_at, previous, start, size, hold,
        # keep, penalty, blocks.
        return Charge(
            head + values,
            limit.amount,
            need,
            take,
            size,
            expires_at,
            previous and previous + values,
            start,
            size,
            self.settles and take > 0,
            keep,
            0,
            limit.mode == "enforce",
        )

    def bare(self, facts: Facts, now: int) -> Charge:
        """The charge of usage that no request stands for: on the window of `now`, with nothing booked beforehand."""
        return self.charge(facts, NOTHING_HELD, now)._replace(need=0, take=0, hold=False, keep=0)


class Planned(NamedTuple):
    """A charge and what it stands for."""

    plan: Plan
    charge: Charge

    @property
    def limit(self) -> Limit:
        return self.plan.limit


def reserves(plans: Iterable[Plan]) -> bool:
    """Whether any limit reserves, so that the request's size must be known beforehand."""
    return any(plan.reserves for plan in plans)


def charges(plans: Iterable[Plan], facts: Facts, held: Held, now: int) -> tuple[Planned, ...]:
    """The charges of one request, in the limits' order.

    Args:
        now: milliseconds of the store's clock.
    """
    return tuple([Planned(plan, plan.charge(facts, held, now)) for plan in plans])


def _reader(dimension: str) -> Read:
    """Reads what goes into keys, where no secret may stand."""
    read = reader(dimension)
    return (lambda facts: digest(read(facts))) if is_secret(dimension) else read


_is_odd = re.compile(r"[^\w.~-]", re.ASCII).search
"""Whether quoting changes a text. Few values are odd, and quoting itself takes long to find that out."""


def _quoted(value: str) -> str:
    # Headers that are no UTF-8 and escapes in JSON bring code points that UTF-8 does not have.
    return quote(value, safe="", errors="surrogatepass")


class _Laid(NamedTuple):
    """A window of a limit, and the parts of a charge that follow from it. All instants are in milliseconds."""

    since: int
    until: int
    """From `since` on, and before `until`, charges are on this window."""
    start: int
    size: int
    expires_at: int
    head: str
    """The key of its counters, up to the values of the dimensions."""
    previous: str
    """The same for the window before; empty where that one does not count."""


def _lay(window: Window, stem: str, now: int) -> _Laid:
    start, end = window.span(now)
    size = end - start
    head = f"{stem}{start // 1000}"
    match window.kind:
        case "anchored":
            # Until something is booked, the window of every moment is one of its own.
            return _Laid(start, start, start, size, 0, stem, "")
        case "sliding":
            return _Laid(start, end, start, size, end + size, head, f"{stem}{(start - size) // 1000}")
        case _:
            return _Laid(start, end, start, size, end, head, "")


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
