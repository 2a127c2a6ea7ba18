"""Sessions whose messages are events with a `type`: OpenAI's and Azure's realtime API, xAI's, and the Responses API.

https://platform.openai.com/docs/guides/realtime ; https://developers.openai.com/api/docs/guides/websocket-mode
"""

from collections import deque
from dataclasses import replace
from typing import Any

import msgspec

from limiter.usage import counts
from limiter.usage.jsonpeek import count, dig, opened, text
from limiter.usage.readers import READERS
from limiter.usage.requests import Ask, read_request
from limiter.usage.session import BYTES_PER_TOKEN, NOTHING, Beside, Objection, Session, Told
from limiter.usage.turns import Turn

_ENDS = frozenset({"response.done", "response.completed", "response.incomplete", "response.failed"})
_SOUND = frozenset({"response.audio.delta", "response.output_audio.delta"})
_NO_ANSWER = ("response.steer.",)
"""Events about what the client sent, and no part of a response."""
_SETTINGS = frozenset({"session.update", "transcription_session.update"})
_SETTLED = frozenset({
    "session.created", "session.updated", "transcription_session.created", "transcription_session.updated",
})  # fmt: skip
_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
_TRANSCRIBERS = (("audio", "input", "transcription", "model"), ("input_audio_transcription", "model"))
_BOUNDS = ("max_output_tokens", "max_response_output_tokens")
_MEDIA_OUT = 3200
"""Bytes of base64 in a token of speech: 24,000 samples of two bytes a second, and 20 tokens."""
_MOST_IDS = 64


class EventSession(Session):
    """What both have in common: `response.create` starts a turn, and its end has the usage.

    A response that no such message asked for was started by the provider: by its voice detection, or to answer input
    that was queued by `response.steer`. It shows with the first event that names it.
    """

    media_in = 6400  # 24,000 samples of two bytes a second, and 10 tokens.

    def __init__(self, ask: Ask, path: str) -> None:
        super().__init__(ask, path)
        self._over: deque[str] = deque(maxlen=_MOST_IDS)
        """Ids of responses that ended or were refused: what comes late starts nothing."""

    def begin(self, turn: Turn) -> tuple[Turn, ...]:
        over = super().begin(turn)
        self._over.extend(each.response_id for each in over if each.response_id)
        return over

    def _told(self, event: dict[str, Any], content: bytes) -> Told:
        kind = text(event.get("type"))
        if kind == "error":
            return self._erred(event)
        if not kind.startswith("response.") or kind.startswith(_NO_ANSWER):
            return self._heard(kind, event)
        response = text(dig(event, ("response", "id"))) or text(event.get("response_id"))
        if response and response in self._over:
            return NOTHING
        turn = self._find(response, text(event.get("stream_id")))
        begun = None
        if turn is None:
            if not response:
                return NOTHING
            begun = turn = self._turn(self.ask, b"")
            turn.by_server, turn.lane = True, text(event.get("stream_id"))
        turn.response_id = turn.response_id or response
        turn.follow(event, len(content) // _MEDIA_OUT if kind in _SOUND else 0)
        if kind not in _ENDS:
            return Told(begun)
        turn.failed = self._gave_up(kind, event) and not turn.reported and not turn.finish().visible_tokens
        self._close(turn)
        return Told(begun, (turn,))

    def refuse(self, turn: Turn) -> None:
        self._over.append(turn.response_id)

    def _close(self, turn: Turn) -> None:
        super()._close(turn)
        self._over.append(turn.response_id)

    def _find(self, response: str, lane: str) -> Turn | None:
        """The turn that an event belongs to."""
        if response and (known := next((turn for turn in self.turns if turn.response_id == response), None)):
            return known
        # Events without an id belong to a response that has begun, a new id to the first that has not.
        return next(
            (turn for turn in self.turns if turn.lane == lane and bool(turn.response_id) != bool(response)), None
        )

    def _gave_up(self, kind: str, event: dict[str, Any]) -> bool:
        return kind == "response.failed" or text(dig(event, ("response", "status"))) == "failed"

    def _heard(self, kind: str, event: dict[str, Any]) -> Told:  # noqa: ARG002  (for those that listen)
        """An event that is no part of a response."""
        return NOTHING

    def _erred(self, event: dict[str, Any]) -> Told:
        raise NotImplementedError


class Realtime(EventSession):
    """A conversation by voice or text. The provider keeps it, and tells all of it to the model again at every turn."""

    def __init__(self, ask: Ask, path: str) -> None:
        super().__init__(ask, path)
        self._transcriber = ""
        self._named = ask.model != ""
        """The upgrade or the provider named the model, so that a client's later word no longer counts. The name in the
        upgrade stays, as limits match names as they were asked for: Azure answers with what is behind a deployment."""

    def _asked(self, event: dict[str, Any], content: bytes) -> Turn | Objection | None:
        match kind := text(event.get("type")):
            case "response.create":
                return self._response(event)
            case "conversation.item.create":
                self._add(content)
            case "input_audio_buffer.append":
                self._add(content, media=True)
            case _ if kind in _SETTINGS:
                self._settings = len(content) // BYTES_PER_TOKEN
                self._learn(opened(event.get("session")), confirmed=False)
        return None

    def _response(self, event: dict[str, Any]) -> Turn:
        asked = opened(event.get("response"))
        asked = asked if isinstance(asked, dict) else {}
        body = msgspec.json.encode(asked)
        own = read_request(self.ask.endpoint, self._path, {}, body)
        bounded = any(name in asked for name in _BOUNDS)
        # The session's model answers, whatever a response asks for.
        ask = replace(self.ask, max_output=own.max_output if bounded else self.ask.max_output)
        turn = self._turn(ask, body, remembers=text(asked.get("conversation")) != "none")
        turn.event_id = text(event.get("event_id"))
        return turn

    def _heard(self, kind: str, event: dict[str, Any]) -> Told:
        if kind in _SETTLED:
            self._learn(opened(event.get("session")), confirmed=True)
        elif kind == _TRANSCRIBED:
            reported = opened(event.get("usage"))
            usage = counts.read(READERS["openai-realtime"].counts, reported) if isinstance(reported, dict) else None
            if usage is not None:
                return Told(beside=Beside(self._transcriber, usage))
        return NOTHING

    def _learn(self, session: Any, *, confirmed: bool) -> None:
        if not isinstance(session, dict):
            return
        model = text(session.get("model"))
        if model and not self._named:
            self._named = confirmed
            self.ask = replace(self.ask, model=model)
        for name in _BOUNDS:
            if name in session:
                self.ask = replace(self.ask, max_output=count(session[name]))
        for place in _TRANSCRIBERS:
            self._transcriber = text(dig(session, place)) or self._transcriber

    def _erred(self, event: dict[str, Any]) -> Told:
        """Errors name the client's message only if it had a name. One that does not may mean the oldest unanswered
        turn: it stays open, in case its answer comes, and counts as refused if none does."""
        named = text(dig(event, ("error", "event_id")))
        waiting = [turn for turn in self.turns if not turn.response_id]
        if named:
            turn = next((turn for turn in waiting if turn.event_id == named), None)
            if turn is None:
                return NOTHING
            turn.failed = True
            self._close(turn)
            return Told(ended=(turn,))
        for turn in waiting[:1]:
            turn.doubtful = not turn.event_id
        return NOTHING


class Responses(EventSession):
    """Requests of the Responses API, one after the other in each lane (`stream_id`)."""

    def __init__(self, ask: Ask, path: str) -> None:
        super().__init__(ask, path)
        self._sizes: dict[str, int] = {}
        """Tokens of the conversation that ends with a response, by its id."""

    def _asked(self, event: dict[str, Any], content: bytes) -> Turn | Objection | None:
        if text(event.get("type")) != "response.create":
            return None
        ask = replace(read_request(self.ask.endpoint, self._path, {}, content), streaming=True)
        if opened(event.get("generate")) is False or dig(event, ("prompt_cache_options", "prewarm")) is True:
            # Prepares a later turn and writes nothing; a request all the same, as nobody promises that it is free.
            ask = replace(ask, max_output=0)
        self.ask = replace(self.ask, model=ask.model)
        turn = Turn(ask, content, self._sizes.get(text(event.get("previous_response_id")), 0))
        turn.lane, turn.event_id = text(event.get("stream_id")), text(event.get("event_id"))
        return turn

    def _close(self, turn: Turn) -> None:
        super()._close(turn)
        usage = turn.finish().usage
        if usage is not None and turn.response_id:
            if len(self._sizes) >= _MOST_IDS:
                del self._sizes[next(iter(self._sizes))]
            self._sizes[turn.response_id] = usage.total_tokens

    def _erred(self, event: dict[str, Any]) -> Told:
        """An error ends the request at the head of its lane."""
        lane = text(event.get("stream_id"))
        turn = next((turn for turn in self.turns if turn.lane == lane), None)
        if turn is None:
            return NOTHING
        turn.failed = not turn.reported and not turn.finish().visible_tokens
        self._close(turn)
        return Told(ended=(turn,))
