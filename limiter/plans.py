"""From limits that apply to charges on counters: the key, the window, what must be free and what is booked now."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from limiter.counters import Charge
from limiter.dimensions import Read, is_secret, reader
from limiter.facts import Facts
from limiter.identity import digest
from limiter.lookup import test
from limiter.meters import ASKED, Usage, meter
from limiter.rules import KeyLayout, Limit, Rule
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
    asked: Mapping[str, int] = MappingProxyType({})
    """Custom units by name that are known when the request arrives."""


NOTHING_HELD = Held(Usage(), Usage(), Usage())


class Plan:
    """A limit, ready to be charged: the parts that requests or windows share are worked out once."""

    __slots__ = ("_blocks", "_counts", "_fixed", "_laid", "_layout", "_outlives", "_readers", "asked", "limit", "meter",
        "reserves", "rule", "settles")  # fmt: skip

    def __init__(self, rule: Rule, limit: Limit) -> None:
        self.rule = rule
        self.limit = limit
        self.meter = meter(limit.meter)
        self.asked = limit.meter.removeprefix(ASKED) if limit.meter.startswith(ASKED) else ""
        """Name of the custom unit that must be known when a request arrives; empty: none."""
        self.settles = limit.meter != "requests" and not self.asked
        """What it counts is known when the exchange has ended."""
        self.reserves = limit.reserve != "none"
        """Needs to know beforehand what a request may consume."""
        known_now = not self.asked and not (self.settles and self.reserves)
        self._fixed = _amounts(limit, NOTHING_HELD, Facts()) if known_now else None
        self._counts = limit.only and test(limit.only)
        self._blocks = limit.mode == "enforce" and limit.checked and not limit.closes_at_zero
        read = _reader if limit.key is None else _digesting if limit.key.digested else reader
        self._readers = tuple(map(read, limit.per))
        stem = f"{PREFIX}:{quote(limit.name, safe='')}:{limit.window.label}:"
        self._layout = limit.key or stem
        self._outlives = limit.key is not None and limit.key.lives > 0
        self._laid = _Laid(0, 0, 0, 0, 0, 0, "", "", None)

    def charge(self, facts: Facts, held: Held, now: int) -> Charge:
        """What the limit charges a request.

        Args:
            now: milliseconds of the store's clock.
        """
        limit = self.limit
        laid = self._laid
        if not laid.since <= now < laid.until:
            laid = self._laid = _lay(limit.window, self._layout, now)
        _, _, start, size, ttl, expires_at, head, tail, before = laid
        if limit.key:
            values = ":".join([read(facts) for read in self._readers])
        else:
            values = ""
            for read in self._readers:
                value = read(facts)
                values += f":{_quoted(value) if _is_odd(value) else value}"
        need, take, keep = self._fixed or _amounts(limit, held, facts)
        if self._counts and not self._counts(facts):
            take = keep = 0
        # By position, which takes half the time: key, limit, need, take, ttl, expires_at, previous, start, size, hold,
        # keep, penalty, blocks, capped, until.
        return Charge(
            f"{head}{values}{tail}",
            limit.amount,
            need,
            take,
            ttl,
            expires_at,
            f"{before[0]}{values}{before[1]}" if before else "",
            start,
            size,
            self.settles and take > 0,
            keep,
            take if limit.penalty else 0,
            self._blocks,
            limit.capped,
            laid.until if self._outlives else 0,
        )

    def bare(self, facts: Facts, now: int) -> Charge:
        """The charge of usage that no request stands for: on the window of `now`, with nothing booked beforehand."""
        return self.charge(facts, NOTHING_HELD, now)._replace(need=0, take=0, hold=False, keep=0, penalty=0)

    def consumed(self, facts: Facts, usage: Usage) -> int:
        """What an exchange amounts to: nothing where the limit counts other exchanges only."""
        if self._counts and not self._counts(facts):
            return 0
        costs = self.limit.costs
        return costs(facts, usage) if costs else self.meter(usage)


class Planned(NamedTuple):
    """A charge and what it stands for."""

    plan: Plan
    charge: Charge

    @property
    def limit(self) -> Limit:
        return self.plan.limit

    @property
    def rule(self) -> Rule:
        return self.plan.rule


def reserves(plans: Iterable[Plan]) -> bool:
    """Whether any limit reserves, so that the request's size must be known beforehand."""
    return any(plan.reserves for plan in plans)


def _reader(dimension: str) -> Read:
    """Reads what goes into keys, where no secret may stand."""
    return _digesting(dimension) if is_secret(dimension) else reader(dimension)


def _digesting(dimension: str) -> Read:
    read = reader(dimension)
    return lambda facts: digest(read(facts))


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
    ttl: int
    expires_at: int
    head: str
    """The key of its counters, up to the values of the dimensions."""
    tail: str
    """What follows the values."""
    before: tuple[str, str] | None
    """Both for the window before; None where that one does not count."""


def _lay(window: Window, layout: KeyLayout | str, now: int) -> _Laid:
    start, end = window.span(now)
    size = end - start
    match window.kind:
        case "anchored":
            # Until something is booked, the window of every moment is one of its own.
            head, tail = (layout, "") if isinstance(layout, str) else (layout.head, "")
            return _Laid(start, start, start, size, size, 0, head, tail, None)
        case "sliding":
            before = _dated(layout, start - size)
            return _Laid(start, end, start, size, size, end + size, *_dated(layout, start), before)
        case _:
            lives = 0 if isinstance(layout, str) else layout.lives
            return _Laid(start, end, start, size, lives or size, 0 if lives else end, *_dated(layout, start), None)


def _dated(layout: KeyLayout | str, start: int) -> tuple[str, str]:
    """What stands before and after the values in the keys of the window that began at `start`."""
    if isinstance(layout, str):
        return f"{layout}{start // 1000}", ""
    if layout.dated is None:
        return layout.head, ""
    before, after = layout.dated
    return layout.head, f"{before}{start}{after}"


def _amounts(limit: Limit, held: Held, facts: Facts) -> tuple[int, int, int]:
    """need, take, keep.

    An estimate may be wrong, so it never refuses a request that an empty budget would admit. A maximum must fit whole.
    """
    if limit.meter == "requests":
        return 1, 1, 1
    if limit.meter.startswith(ASKED):
        number = held.asked.get(limit.meter.removeprefix(ASKED), 0)
        return number, number, number
    read = partial(limit.costs, facts) if limit.costs else meter(limit.meter)
    match limit.reserve:
        case "none":
            return (0 if limit.admits_full else 1), 0, 0
        case "prompt":
            take = read(held.prompt)
            return min(max(1, take), max(1, limit.amount)), take, take
        case "estimate":
            take = max(1, read(held.likely))
            return min(take, max(1, limit.amount)), take, min(take, read(held.prompt))
        case "maximum":
            take = max(1, read(held.most))
            return take, take, min(take, read(held.prompt))
