"""What all answers are made of: the request as an answer sees it, pieces of a body, frames of a stream."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.behaviour import Behaviour, Tokens

CREATED = 1_760_000_000
"""Seconds; the moment of every answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    number: int
    """Counts the requests of a server from 1; makes response ids unique."""
    method: str
    path: str
    """Without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Lower-case names."""
    body: Mapping[str, Any]
    """The JSON document; empty when there is none."""
    behaviour: Behaviour

    @property
    def model(self) -> str:
        return self.behaviour.model or str(self.body.get("model", ""))

    @property
    def tokens(self) -> Tokens:
        return self.behaviour.usage or Tokens()

    @property
    def words(self) -> tuple[str, ...]:
        """One piece of text per streamed chunk. The JSON answer has the same text in one piece."""
        return tuple(f"word{n} " for n in range(1, self.behaviour.chunks + 1))

    @property
    def text(self) -> str:
        return "".join(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[bytes, ...] = ()
    streamed: bool = False
    """Sent with chunked transfer coding, one chunk a piece; else with a content length."""


def document(body: object, *, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """A JSON answer, in two halves so that it can be cut and held like a stream."""
    raw = json.dumps(body, indent=2).encode()
    half = len(raw) // 2
    return Answer(
        status=status, headers=(("content-type", "application/json"), *headers), pieces=(raw[:half], raw[half:])
    )


def events(*pieces: bytes, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    kind = ("content-type", "text/event-stream; charset=utf-8")
    return Answer(headers=(kind, ("cache-control", "no-cache"), *headers), pieces=pieces, streamed=True)


def event(data: object, name: str = "", *, newline: str = "\n") -> bytes:
    """One server-sent event. Text is sent as it is, everything else as JSON."""
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return f"{f'event: {name}{newline}' if name else ''}data: {text}{newline}{newline}".encode()
