"""Refusals inside a WebSocket session: the provider's own error event, made from the answer that HTTP would get."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from limiter.error_bodies import encoded
from limiter.voices import Answer


class Ending(NamedTuple):
    """How a session is told off, and whether it is over thereby."""

    event: bytes
    """Empty: the protocol has none, and only the close says it."""
    code: int
    """Of the close."""
    reason: str
    closes: bool = False
    """The protocol cannot refuse a message and go on."""


class _Refused(NamedTuple):
    answer: Answer
    error: Mapping[str, Any]
    message: str
    event_id: str
    lane: str


def _realtime(refused: _Refused) -> Ending:
    """https://platform.openai.com/docs/api-reference/realtime-server-events/error"""
    error = {"param": None, **refused.error, "event_id": refused.event_id or None}
    event = {"type": "error", "event_id": "event_ai_limit", "error": error}
    return Ending(encoded(event), 1008, refused.message)


def _responses(refused: _Refused) -> Ending:
    """Status and headers stand in the event: Codex reads it as it would read the answer to a request.

    https://developers.openai.com/api/docs/guides/websocket-mode
    """
    event: dict[str, Any] = {"type": "error", "status": refused.answer.status, "error": refused.error}
    # SDKs that know the error of event streams only read these.
    event |= {"code": refused.error.get("code"), "message": refused.message, "param": None, "sequence_number": 0}
    event["headers"] = {name: value for name, value in refused.answer.headers if name != "content-type"}
    if refused.lane:
        event["stream_id"] = refused.lane
    return Ending(encoded(event), 1008, refused.message)


def _live(refused: _Refused) -> Ending:
    """Gemini has no event for errors. It closes with 1011 when a quota is used up, and SDKs show the reason."""
    return Ending(b"", 1011, refused.message, closes=True)


_MADE: Mapping[str, Callable[[_Refused], Ending]] = {
    "openai-realtime": _realtime,
    "openai-responses": _responses,
    "gemini-live": _live,
}


def ending(protocol: str, answer: Answer, event_id: str = "", lane: str = "") -> Ending:
    """What the protocol says instead of the answer.

    Args:
        protocol: a key of `usage.sessions.PROTOCOLS`.
        event_id: the client's name of the message that is refused.
        lane: of a multiplexed session.
    """
    error = _error(answer)
    refused = _Refused(answer, error, str(error.get("message", "")), event_id, lane)
    return _MADE.get(protocol, _realtime)(refused)


def _error(answer: Answer) -> Mapping[str, Any]:
    """What the answer says; those of gateways are plain texts, or empty."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        text = answer.body.decode("utf-8", "replace").strip() or f"refused with status {answer.status}"
        return {"type": "rate_limit_error", "message": text}
    found = body[0] if isinstance(body, list) and body else body
    error = found.get("error", found) if isinstance(found, dict) else found
    return error if isinstance(error, dict) else {"message": str(error)}
