"""From a store's answer to the outcome of a request: admitted or refused, and when it may be tried again."""

from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from limiter.counters import Acquired, Charge, Reading
from limiter.facts import Facts
from limiter.plans import Planned
from limiter.rules import Limit, Rule

SHORT = 60
"""Seconds. A refusal that ends sooner is a rate limit, worth waiting for; a longer one is a spent budget."""


class Standing(NamedTuple):
    """Where one limit stands after the decision."""

    limit: Limit
    rule: Rule
    charge: Charge
    reading: Reading
    used: int
    """Found at arrival, in the limit's unit; without this request's own part."""
    remaining: int
    """What is left after this request's own part; never negative."""
    reset_at: int
    """Milliseconds of the store's clock at which the window ends."""
    size: int
    """Milliseconds; length of the window."""
    over: bool
    """The request did not fit. In `warn` and `shadow` mode it is admitted all the same."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True, eq=False)
class Admission:
    """The request may pass; it must be settled."""

    id: str
    facts: Facts
    planned: tuple[Planned, ...] = field(repr=False)
    readings: tuple[Reading, ...] = field(repr=False)
    standings: tuple[Standing, ...]
    now: int
    """Milliseconds of the store's clock."""
    held: bool
    """Some take is a hold, whose lease must be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The request may not pass; nothing of it was booked."""

    facts: Facts
    limit: Limit
    """The limit that stays closed for the longest."""
    rule: Rule
    """Its rule."""
    used: int
    """Spent or held at arrival, in the limit's unit."""
    need: int
    """What the request needed to be free."""
    now: int
    """Milliseconds of the store's clock."""
    retry_after: int
    """Seconds, at least 1, after which the request could pass if nothing else is booked."""
    impossible: bool
    """The request needs more than the whole amount: waiting does not help."""
    standings: tuple[Standing, ...]

    @property
    def short(self) -> bool:
        """Worth waiting for."""
        return self.retry_after <= SHORT and not self.impossible


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """The request may not pass, since a limit counts its cost and nobody knows the model's price."""

    facts: Facts
    limit: Limit


def decide(id: str, facts: Facts, planned: tuple[Planned, ...], acquired: Acquired) -> Admission | Refusal:
    """The outcome of a batch. Of several limits that refuse, the one that opens last is named: no retry is in vain.

    A batch that the store admitted may be refused here (`Limit.closes_at_zero`): what it booked is to be given back.
    """
    standings = _standings(planned, acquired, admitted=acquired.admitted)
    if acquired.admitted and not any(map(_closed, standings)):
        held = True in [item.charge.hold for item in planned]
        return Admission(
            id=id,
            facts=facts,
            planned=planned,
            readings=acquired.readings,
            standings=standings,
            now=acquired.now,
            held=held,
        )
    if acquired.admitted:
        standings = _standings(planned, acquired, admitted=False)
    refused = [
        (item.charge.need > item.charge.limit, _opening(item, reading, acquired.now), index)
        for index, (item, reading) in enumerate(zip(planned, acquired.readings, strict=True))
        if not reading.fits or _closed(standings[index])
    ]
    impossible, opening, index = max(refused)
    charge = planned[index].charge
    return Refusal(
        facts=facts,
        limit=planned[index].limit,
        rule=planned[index].rule,
        used=acquired.readings[index].used,
        need=charge.need,
        now=acquired.now,
        retry_after=max(1, ceil((opening - acquired.now) / 1000)),
        impossible=impossible,
        standings=standings,
    )


def _standings(planned: tuple[Planned, ...], acquired: Acquired, *, admitted: bool) -> tuple[Standing, ...]:
    pairs = zip(planned, acquired.readings, strict=True)
    return tuple([_standing(item, reading, admitted) for item, reading in pairs])


def _closed(standing: Standing) -> bool:
    return standing.limit.closes_at_zero and standing.over


def _standing(planned: Planned, reading: Reading, admitted: bool) -> Standing:
    plan, charge = planned
    used = reading.used
    left = charge.limit - used
    remaining = max(0, left - charge.take if admitted else left)
    end = charge.start + charge.size
    reset_at = end if charge.expires_at or _outlived(planned) else reading.expires_at or end
    limit = plan.limit
    over = left == 0 if limit.closes_at_zero else charge.need > left and limit.checked
    # By position, as names take twice the time.
    return Standing(limit, plan.rule, charge, reading, used, remaining, reset_at, charge.size, over)


def _outlived(planned: Planned) -> bool:
    """Whether the counter stays when its window is over, so that its own end says nothing."""
    key = planned.limit.key
    return key is not None and key.lives > 0


def _opening(planned: Planned, reading: Reading, now: int) -> int:
    charge = planned.charge
    return charge.start + charge.size if _outlived(planned) else opens_at(charge, reading, now)


def opens_at(charge: Charge, reading: Reading, now: int) -> int:
    """Milliseconds at which the charge fits if nothing more is booked; for one that never fits, the window's end."""
    if not charge.expires_at:
        return reading.expires_at or now + charge.ttl
    end = charge.start + charge.size
    if not charge.previous:
        return end
    free = charge.limit - charge.need
    if free < 0:
        return end + charge.size
    if reading.current <= free:
        # The previous window is what fills it; its share shrinks until `end`.
        return _falls_to(reading.previous, free - reading.current, end, charge.size)
    # Only when the current window has become the previous one can its share shrink.
    return _falls_to(reading.current, free, end + charge.size, charge.size)


def _falls_to(count: int, share: int, end: int, size: int) -> int:
    """When `count`, fading evenly over the `size` milliseconds before `end`, has faded to `share`."""
    if count <= share:
        return end - size
    return end - size * share // count
