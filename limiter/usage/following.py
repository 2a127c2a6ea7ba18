"""Follows the decoded bytes of a response: framing, then events, and at the end an `Observation`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from limiter.meters import Usage
from limiter.usage import tokens
from limiter.usage.eventstream import Frames
from limiter.usage.framing import Document, Elements, Framer, Lines, Opaque, by_first_bytes
from limiter.usage.reading import Reading
from limiter.usage.requests import Ask
from limiter.usage.sse import Events

_FRAMERS: Mapping[str, type[Events] | type[Lines] | type[Frames]] = {
    "text/event-stream": Events,
    "application/x-ndjson": Lines,
    "application/ndjson": Lines,
    "application/jsonl": Lines,
    "application/x-jsonl": Lines,
    "application/json-lines": Lines,
    "application/stream+json": Lines,
    "application/vnd.amazon.eventstream": Frames,
}
"""By content-type. Any other body shows by its first bytes what it is."""
_OPAQUE = ("audio/", "image/", "video/")
_BINARY_NAMES = frozenset({"converse-stream", "invoke-with-response-stream"})
"""Endpoints whose frames do not show by their first bytes."""
_MOST_HEAD = 1024
_SERVED_MODEL = "x-ms-served-model"
"""Azure: what stands behind a deployment, for bodies that do not name it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a response showed."""

    usage: Usage | None
    """None: none was reported. A cost that the provider reported is in it."""
    model: str
    """As the response names it; empty: it does not."""
    complete: bool
    """The end marker, or the whole body, was seen. True for error responses, of which nothing else is read."""
    visible_tokens: int
    """Our count of the output text, where `usage` is None or the response was cut; 0 otherwise."""
    response_id: str
    """Empty: it has none. A poll of the same work shows the same id."""
    truncated: bool
    """A bound of ours was hit, or the bytes could not be decoded."""
    streamed: bool = False
    """The body came as a stream of events; false for errors, which come whole even where a stream was asked for."""
    pending: bool = False
    """The provider works on in the background; the usage comes with a later poll of `response_id`."""
    background: bool | None = None
    """Made in the background, as the response says; None: it does not say."""


UNREAD = Observation(None, "", complete=True, visible_tokens=0, response_id="", truncated=False)
"""Of a response that is an error, or no model's."""
UNREADABLE = replace(UNREAD, complete=False, truncated=True)


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


class Following:
    """One response. `feed` its decoded bytes, then `observe` once."""

    def __init__(self, ask: Ask, headers: Mapping[str, str]) -> None:
        self._ask = ask
        self._type = media_type(headers)
        self._framer = self._by_type()
        self._head = b""
        self._served_model = headers.get(_SERVED_MODEL, "")[:256]
        self._reading = Reading(ask.endpoint.reader, self._count, headers)

    def feed(self, piece: bytes) -> None:
        framer = self._framer
        if framer is None:
            self._head += piece
            framer = by_first_bytes(self._head, Lines if self._ask.streaming and "json" not in self._type else Document)
            if framer is None:
                if len(self._head) <= _MOST_HEAD:
                    return
                framer = Opaque()
            self._framer = framer
            piece, self._head = self._head, b""
        for event in framer.feed(piece):
            self._reading.read(event)

    def observe(self, *, broken: bool) -> Observation:
        """What was seen.

        Args:
            broken: the bytes behind the last piece could not be had.
        """
        reading, framer = self._reading, self._framer
        whole = self._finish(framer) and not broken
        complete = reading.complete or whole
        usage = reading.reported()
        visible = 0 if usage is not None and complete else reading.visible_tokens()
        if usage is not None and not complete:
            # The counts so far of a stream that was cut: right for the prompt, perhaps behind for the output.
            completion = max(usage.completion_tokens, visible)
            total = usage.prompt_tokens + completion
            usage = replace(usage, completion_tokens=completion, total_tokens=total, estimated=True)
        return Observation(
            usage=usage,
            model=reading.model or self._served_model,
            complete=complete,
            visible_tokens=visible,
            response_id=reading.response_id,
            truncated=broken or (framer is not None and framer.truncated),
            streamed=framer is not None and framer.streams,
            pending=reading.pending and usage is None,
            background=reading.background,
        )

    def _by_type(self) -> Framer | None:
        if self._type in _FRAMERS:
            return _FRAMERS[self._type]()
        if self._type.startswith(_OPAQUE):
            return Opaque()
        if self._ask.endpoint.name in _BINARY_NAMES and self._type != "application/json":
            return Frames()
        return None

    def _finish(self, framer: Framer | None) -> bool:
        """Reads what the end of the body completes; whether the body is whole, as far as its framing shows that."""
        if framer is None:
            return not self._head.strip()
        whole = isinstance(framer, Opaque) or (isinstance(framer, Elements) and framer.closed)
        for last in framer.finish():
            if framer.streams:
                self._reading.read(last)
            else:
                whole = self._reading.document(last)
        return whole

    def _count(self, text: str) -> int:
        return tokens.of_output(self._ask.endpoint.provider, self._ask.model, text)
