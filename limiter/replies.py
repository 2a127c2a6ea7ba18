"""What clients are told of the limits that apply to their requests, each in the voice of its dialect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from limiter import ratelimit_headers, refusals
from limiter.decisions import Refusal, Standing
from limiter.voices import Answer, Fields, Voice


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


class Replies:
    """All voices of a policy.

    Args:
        native: of the rules that have none of their own.
    """

    def __init__(self, native: Voice) -> None:
        self._native = native

    def refuse(self, refusal: Refusal, *, streaming: bool) -> Answer:
        """The answer of the voice that refused, with the header fields of the others."""
        refusing = refusal.rule.voice or self._native
        answer = refusing.refuse(refusal, streaming=streaming)
        for voice, ours in self._by_voice(refusal.standings):
            if voice != refusing:
                answer = answer._replace(headers=answer.headers + voice.fields(ours, refusal.now))
        return answer

    def fields(self, standings: Sequence[Standing], now: int) -> Fields:
        """Header fields of a response to an admitted request."""
        return tuple(field for voice, ours in self._by_voice(standings) for field in voice.fields(ours, now))

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
