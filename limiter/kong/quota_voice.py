"""What Kong's response-ratelimiting says, and how it decides when the upstream has answered.

kong/plugins/response-ratelimiting/{access,header_filter}.lua. Numbers are exact here; where Kong's doubles leave a
residue that it does not print, the same is printed.

Other than in Kong: names of limits that no header may have are told with dashes in place of what does not fit, and an
increment that is no number (`nan`), which would open a quota for ever, counts for nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, isnan
from typing import NamedTuple

from limiter.decisions import Refusal, Standing
from limiter.facts import Facts
from limiter.kong import quota_answers
from limiter.kong.numbers import tostring
from limiter.kong.quota_header import increments
from limiter.units import MOST, scaled
from limiter.voices import Answer, Fields, Heard

STOPPED = 429
FAILED = 500
_UNFIT = re.compile(r"[^!#$%&'*+.^`|~0-9A-Za-z_-]", re.ASCII)
"""What no header's name has in it."""


class Quota(NamedTuple):
    """One configured amount."""

    limit: str
    """Name of the limit in the policy."""
    unit: str
    """Name of the custom unit that it counts."""
    name: str
    period: str
    amount: Fraction


class _Left(NamedTuple):
    """A quota as a request found it."""

    quota: Quota
    scale: int
    number: Fraction | float
    """In whole units; negative where more than all was used. Infinite where it was more than can be counted."""


@dataclass(frozen=True, slots=True)
class QuotaVoice:
    """Of one instance of the plugin."""

    header: str
    """Lower-case name of the response header by which the upstream counts."""
    quotas: tuple[Quota, ...]
    """All periods of one name side by side."""
    hides: bool = False
    """Clients are told nothing."""
    whole: bool = False
    """Fractions are not counted: Kong adds with INCRBY in Redis, which refuses them."""

    def __str__(self) -> str:
        return "Kong's response-ratelimiting"

    def __hash__(self) -> int:
        # Standings are sorted by voice with every request, and the quotas are many.
        return hash((self.header, len(self.quotas)))

    def refuse(self, refusal: Refusal, *, streaming: bool) -> Answer:  # noqa: ARG002 as the others
        """On arrival, for a quota of which exactly nothing is left (`block_on_first_violation`)."""
        name = next(quota.name for quota in self.quotas if quota.limit == refusal.limit.name)
        message = f"API rate limit exceeded for '{name}'"
        return quota_answers.error(STOPPED, message, refusal.facts, refusal.now)

    def unserved(self, facts: Facts) -> Answer:
        return quota_answers.error(FAILED, "An unexpected error occurred", facts)

    def fields(self, standings: Sequence[Standing], now: int) -> Fields:  # noqa: ARG002 as the others
        return self._fields(self._left(standings), {})

    def asks(self, standings: Sequence[Standing], now: int) -> Fields:  # noqa: ARG002 as the others
        """`X-RateLimit-Remaining-NAME`: the least of its periods."""
        least: dict[str, Fraction | float] = {}
        for quota, _, number in self._left(standings):
            least[quota.name] = min(number, least.get(quota.name, inf))
        return tuple((f"X-RateLimit-Remaining-{_UNFIT.sub('-', name)}", tostring(it)) for name, it in least.items())

    def hear(self, standings: Sequence[Standing], response: Fields, facts: Facts, now: int) -> Heard:  # noqa: ARG002
        """Counts what the upstream says, unless something that it counts was used up when the request came."""
        lefts = list(self._left(standings))
        if not lefts:
            return Heard()  # The store did not answer, and nobody is to notice.
        value = next((value for name, value in response if name == self.header), "")
        used = {name: number for name, number in increments(value, self._names).items() if not isnan(number)}
        fields = self._fields(lefts, used)
        # What another gateway on the way has told by the same names gives way.
        removed = frozenset({self.header, *(name.lower() for name, _ in fields)})
        if any(used.get(quota.name, 0) > 0 and number <= 0 for quota, _, number in lefts):
            return Heard(fields, removed=removed, answer=Answer(STOPPED, _for_grpc(response, facts), b""))
        units = {
            quota.unit: scaled(used[quota.name], scale)
            for quota, scale, _ in lefts
            if quota.name in used and not (self.whole and _refused(used[quota.name]))
        }
        return Heard(fields, units, removed)

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(quota.name for quota in self.quotas)

    def _left(self, standings: Sequence[Standing]) -> Iterator[_Left]:
        """Nothing when the store did not answer."""
        found = {standing.limit.name: standing for standing in standings if standing.reading.known}
        for quota in self.quotas:
            if standing := found.get(quota.limit):
                scale, used = standing.limit.scale, standing.used
                number = quota.amount - Fraction(used, scale) if -MOST < used < MOST else -inf if used > 0 else inf
                yield _Left(quota, scale, number)

    def _fields(self, lefts: Iterator[_Left] | Sequence[_Left], used: Mapping[str, float]) -> Fields:
        if self.hides:
            return ()
        return tuple(
            field
            for quota, _, number in lefts
            for field in (
                (_told("Limit", quota), tostring(quota.amount)),
                (_told("Remaining", quota), tostring(max(0, number - _exact(used.get(quota.name, 0))))),
            )
        )


def _told(kind: str, quota: Quota) -> str:
    # nginx turns underscores of response headers into dashes.
    return f"X-RateLimit-{kind}-{_UNFIT.sub('-', quota.name).replace('_', '-')}-{quota.period}"


def _refused(number: float) -> bool:
    """Whether INCRBY refuses what Kong makes of a number: fractions, and what it writes with an exponent."""
    return number % 1 != 0 or "e" in tostring(number)


def _exact(number: float) -> Fraction | float:
    return number if number in (inf, -inf) else Fraction(repr(float(number)))


def _for_grpc(response: Fields, facts: Facts) -> Fields:
    """gRPC's status, where the response or, if it says nothing of its type, the request is gRPC's."""
    told = dict(response)
    kind = told.get("content-type", facts.headers.get("content-type", ""))
    return quota_answers.grpc(STOPPED) if kind.startswith(quota_answers.GRPC) and "grpc-status" not in told else ()
