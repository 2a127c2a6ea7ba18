"""What a Higress gateway tells clients of its token limits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from limiter.facts import Facts
from limiter.voices import Answer, Fields, Heard

if TYPE_CHECKING:  # They know the rules, which know their voices.
    from limiter.decisions import Refusal, Standing

JSON = "application/json"
PLAIN = "text/plain"
LIMIT, REMAINING, RESET = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"
_QUOTA = frozenset(name.lower() for name in (LIMIT, REMAINING, RESET))


@dataclass(frozen=True, slots=True, kw_only=True)
class HigressVoice:
    """Speaks as one plugin's configuration says.

    A refusal is the configured status and message, `X-TokenRateLimit-Reset` with the seconds that Redis would tell, and
    `Retry-After`, which is never less than 1 and which no retry in vain follows from. Other responses tell nothing,
    unless quota headers are asked for: `X-RateLimit-Limit` and `-Remaining` of the tightest limit.
    """

    status: int = 429
    message: str = "Too many requests"
    shows_quota: bool = False
    """`show_limit_quota_header`: https://higress.cn documents it, and no gateway has it."""

    def __str__(self) -> str:
        return f"Higress does: {self.status} {self.message!r}" + (", with quota headers" if self.shows_quota else "")

    def refuse(self, refusal: "Refusal", *, streaming: bool) -> Answer:  # noqa: ARG002 as the others
        ours = [standing for standing in refusal.standings if standing.rule.voice == self]
        # The first one in the order of the configuration is reported, whichever opens last.
        reported = next(standing for standing in ours if standing.over)
        fields: Fields = (
            ("X-TokenRateLimit-Reset", str(_seconds(reported, refusal.now))),
            ("Retry-After", str(refusal.retry_after)),
            ("Content-Type", JSON if _is_json(self.message) else PLAIN),
        )
        if self.shows_quota:
            fields += (
                (LIMIT, str(reported.limit.amount)),
                (REMAINING, "0"),
                (RESET, str(_seconds(reported, refusal.now))),
            )
        return Answer(self.status, fields, self.message.encode("utf-8", "surrogateescape"))

    def fields(self, standings: "Sequence[Standing]", now: int) -> Fields:  # noqa: ARG002 as the others
        known = [standing for standing in standings if standing.reading.known]
        if not self.shows_quota or not known:
            return ()
        tightest = min(known, key=lambda standing: Fraction(standing.remaining, standing.limit.amount))
        return (
            (LIMIT, str(tightest.limit.amount)),
            (REMAINING, str(tightest.remaining)),
        )

    def hear(self, standings: "Sequence[Standing]", response: Fields, facts: Facts, now: int) -> Heard:  # noqa: ARG002
        """The upstream's own quota gives way: two numbers of one name would be read as either, or as a list."""
        fields = self.fields(standings, now)
        return Heard(fields, removed=_QUOTA if fields else frozenset())

    def asks(self, standings: "Sequence[Standing]", now: int) -> Fields:  # noqa: ARG002 as the others
        return ()


def _seconds(standing: "Standing", now: int) -> int:
    """As Redis rounds the time that a key has left."""
    return max(0, standing.reset_at - now + 500) // 1000


def _is_json(message: str) -> bool:
    """Objects and lists: whoever writes `true` or `5` means a text."""
    if message.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(message)
    except ValueError:
        return False
    return True
