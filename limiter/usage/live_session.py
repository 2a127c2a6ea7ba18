"""Sessions of Gemini Live: a message is an object whose one member says what it is, in either spelling.

https://ai.google.dev/api/live
"""

from dataclasses import replace
from typing import Any

import msgspec

from limiter.usage.jsonpeek import opened
from limiter.usage.requests import read_request
from limiter.usage.session import BYTES_PER_TOKEN, NOTHING, Objection, Session, Told
from limiter.usage.turns import Turn

_MEDIA_OUT = 2560
"""Bytes of base64 in a token of speech: 24,000 samples of two bytes a second, and 25 tokens."""
_REACTIONS = frozenset({
    "modelTurn", "outputTranscription", "generationComplete", "turnComplete", "interrupted", "groundingMetadata",
})  # fmt: skip
"""Members of `serverContent` that belong to an answer. `inputTranscription` only repeats what was said."""


class Live(Session):
    """A turn begins with a message of text, a tool's answer, or the first sound since the last turn.

    Nobody says which sound begins an utterance, and what is refused must be refused before it is heard. So the first
    sound is admitted as a turn; it is given back at the end of the session if the model never answered.
    """

    media_in = 1700  # 16,000 samples of two bytes a second, and 25 tokens.

    def _asked(self, event: dict[str, Any], content: bytes) -> Turn | Objection | None:
        if (setup := _member(event, "setup", "setup")) is not None:
            self._set_up(setup)
        elif (said := _member(event, "clientContent", "client_content")) is not None:
            if (said.get("turnComplete") or said.get("turn_complete")) is not True:
                self._add(content)
                return None
            return self._firm(_contents(said))
        elif _member(event, "toolResponse", "tool_response") is not None:
            self._add(content)
            return None if self._open() else self._firm(b"")
        elif (heard := _member(event, "realtimeInput", "realtime_input")) is not None:
            self._add(content, media="text" not in heard)
            if "text" in heard:
                return self._firm(b"") if not self._open() or self._waiting() else None
            if not self._open() and heard.keys() - {"audioStreamEnd", "audio_stream_end"}:
                turn = self._turn(self.ask, b"")
                turn.tentative = True
                return turn
        return None

    def _firm(self, body: bytes) -> Turn | None:
        """A turn for certain, unless one waits for its answer: then this is more to be answered at once."""
        waiting = self._waiting()
        if waiting is None:
            return self._turn(self.ask, body)
        waiting.tentative = False
        waiting.body = waiting.body or body
        return None

    def _told(self, event: dict[str, Any], content: bytes) -> Told:
        said = _member(event, "serverContent", "serverContent") or {}
        reaction = not _REACTIONS.isdisjoint(said) or "toolCall" in event
        reported = "usageMetadata" in event
        if not reaction and not reported:
            return NOTHING
        late = next((turn for turn in self.turns if turn.ended), None)
        if late is not None and not reaction:
            late.follow(event)
            self._close(late)
            return Told(ended=(late,))
        turn = self._open()
        begun = None
        if turn is None:
            begun = turn = self._turn(self.ask, b"")
            turn.by_server = True
        turn.follow(event, len(content) // _MEDIA_OUT if b'"inlineData"' in content else 0)
        if opened(said.get("turnComplete")) is not True:
            return Told(begun)
        turn.ended = True
        if not turn.reported and begun is None:
            return NOTHING  # Its usage may come in a message of its own.
        self._close(turn)
        return Told(begun, (turn,))

    def _open(self) -> Turn | None:
        return next((turn for turn in self.turns if not turn.ended), None)

    def _waiting(self) -> Turn | None:
        turn = self._open()
        return turn if turn and not turn.answered else None

    def _set_up(self, setup: dict[str, Any]) -> None:
        body = msgspec.json.encode(setup)
        own = read_request(self.ask.endpoint, self._path, {}, body)
        self._settings = len(body) // BYTES_PER_TOKEN
        self.ask = replace(self.ask, model=own.model.rpartition("/")[2], max_output=own.max_output)


def _member(event: dict[str, Any], *names: str) -> dict[str, Any] | None:
    found = next((opened(event[name]) for name in names if name in event), None)
    return found if isinstance(found, dict) else None


def _contents(said: dict[str, Any]) -> bytes:
    """The turns of a message, where a forecast looks for them."""
    return msgspec.json.encode({"contents": said.get("turns", [])})
