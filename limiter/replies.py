"""What clients are told of the limits that apply to their requests, each in the voice of its dialect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from limiter import ratelimit_headers, refusals
from limiter.decisions import Refusal, Standing
from limiter.facts import Facts
from limiter.meters import UNIT
from limiter.rules import Rule
from limiter.units import HEADER, told
from limiter.voices import Answer, Fields, Heard, Listening, Unserved, Voice

UNSERVED = 503


@dataclass(frozen=True, slots=True)
class NativeVoice:
    """The native dialect's: answers in the format of the API that was asked, and the IETF's fields."""

    shows_fields: bool = True
    """Whether responses tell of the limits (`settings.Settings.rate_limit_headers`)."""

    def refuse(self, refusal: Refusal, *, streaming: bool) -> Answer:
        answer = refusals.answer(refusal, streaming=streaming)
        ours = [standing for standing in refusal.standings if standing.rule.voice is None]
        return answer._replace(headers=answer.headers + self.fields(ours, refusal.now))

    def fields(self, standings: Sequence[Standing], now: int) -> Fields:
        return ratelimit_headers.fields(standings, now) if self.shows_fields else ()

    def asks(self, standings: Sequence[Standing], now: int) -> Fields:  # noqa: ARG002 as the others
        return ()

    def hear(self, standings: Sequence[Standing], response: Fields, facts: Facts, now: int) -> Heard:  # noqa: ARG002
        meters = {standing.limit.meter for standing in standings}
        names = [meter.removeprefix(UNIT) for meter in meters if meter.startswith(UNIT + HEADER)]
        fields = self.fields(standings, now)
        return Heard(fields, told(names, response)) if names else Heard(fields)

    def unserved(self, facts: Facts) -> Answer:
        message = "ai-limit: the store of the counters does not answer; try again later"
        return refusals.failure(facts, UNSERVED, message)


class Replies:
    """All voices of a policy.

    Args:
        native: of the rules that have none of their own.
    """

    def __init__(self, native: NativeVoice) -> None:
        self._native = native

    def refuse(self, refusal: Refusal, *, streaming: bool) -> Answer:
        """The answer of the voice that refused, with the header fields of the others."""
        refusing = refusal.rule.voice or self._native
        answer = refusing.refuse(refusal, streaming=streaming)
        for voice, ours in self._by_voice(refusal.standings):
            if voice != refusing:
                answer = answer._replace(headers=answer.headers + voice.fields(ours, refusal.now))
        return answer

    def unserved(self, rule: Rule | None, facts: Facts) -> Answer:
        """The answer to a request that is refused since a store did not answer, that of a rule where it is known."""
        voice: object = rule and rule.voice
        return voice.unserved(facts) if isinstance(voice, Unserved) else self._native.unserved(facts)

    def hear(self, standings: Sequence[Standing], response: Fields, facts: Facts, now: int) -> Heard:
        """What the response to an admitted request comes to; of several answers the first is given.

        Args:
            response: header fields one by one, with lower-case names.
            now: milliseconds of the store's clock at arrival.
        """
        heard = [
            voice.hear(ours, response, facts, now) if isinstance(voice, Listening) else Heard(voice.fields(ours, now))
            for voice, ours in self._by_voice(standings)
        ]
        if len(heard) == 1:
            return heard[0]
        answer = next((part.answer for part in heard if part.answer), None)
        return Heard(
            tuple(field for part in heard for field in part.fields),
            {} if answer else {name: number for part in heard for name, number in part.units.items()},
            frozenset(name for part in heard for name in part.removed),
            answer,
        )

    def asks(self, standings: Sequence[Standing], now: int) -> Fields:
        """Header fields for the admitted request itself."""
        return tuple(field for voice, ours in self._by_voice(standings) for field in voice.asks(ours, now))

    def _by_voice(self, standings: Sequence[Standing]) -> Iterator[tuple[Voice, Sequence[Standing]]]:
        if all(standing.rule.voice is None for standing in standings):
            if standings:
                yield self._native, standings
            return
        parts: dict[Voice, list[Standing]] = {}
        for standing in standings:
            parts.setdefault(standing.rule.voice or self._native, []).append(standing)
        yield from parts.items()
