"""One turn of a WebSocket session: work that is admitted and settled like an HTTP exchange."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from limiter.usage import tokens
from limiter.usage.following import Observation
from limiter.usage.reading import Reading
from limiter.usage.requests import Ask


@dataclass(slots=True, eq=False)
class Turn:
    """From the message that starts it to the event that ends it. Memory is bounded, as that of `Reading` is."""

    ask: Ask
    body: bytes
    """What the model is newly told, as JSON: what a forecast counts."""
    context: int = 0
    """Tokens that the model is told again, roughly: the conversation so far."""
    added: int = 0
    """Of `context`: what was said since the last turn that reported."""
    lane: str = ""
    """Turns of a lane run one after the other."""
    event_id: str = ""
    """The client's own name of the message, which errors repeat."""
    by_server: bool = False
    """The provider began it: its voice detection heard the end of an utterance."""
    tentative: bool = False
    """Nobody knows yet whether the message starts anything. Without an answer nothing was asked."""
    doubtful: bool = False
    """The provider sent an error that may mean this turn."""
    response_id: str = ""
    answered: bool = False
    ended: bool = False
    failed: bool = False
    """The provider gave up and says so."""
    _reading: Reading | None = None
    _media: int = 0
    """Tokens of sound that passed."""

    def follow(self, event: dict[str, Any], media: int = 0) -> None:
        """An event that belongs to this turn's answer.

        Args:
            media: tokens of the sound in it.
        """
        self.answered = True
        self._media += media
        self._read().event(event)

    def finish(self) -> Observation:
        """What was seen of the answer."""
        reading = self._read()
        usage = reading.reported()
        known = usage is not None and self.ended
        return Observation(
            usage=usage,
            model=reading.model,
            complete=self.ended,
            visible_tokens=0 if known else reading.visible_tokens() + self._media,
            response_id=self.response_id,
            truncated=False,
            streamed=True,
        )

    @property
    def reported(self) -> bool:
        """The provider said what the turn used."""
        return self._read().reported() is not None

    @property
    def status(self) -> int | None:
        """The HTTP status that would say the same; None: no answer began."""
        if self.failed or (self.doubtful and not self.answered):
            return 400
        return 200 if self.answered else None

    def _read(self) -> Reading:
        if self._reading is None:
            # Nothing that leads back here, or turns would be garbage only to a collector.
            count = partial(tokens.of_output, self.ask.endpoint.provider, self.ask.model)
            self._reading = Reading(self.ask.endpoint.reader, count)
        return self._reading
