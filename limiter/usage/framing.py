"""Bodies cut into JSON texts: JSON lines, a streamed JSON array, one JSON document; and the choice among all framers.

A framer is `feed(piece)`, which returns the JSON texts that became complete, and `finish()`, which returns what the end
of the body completes. Whatever comes in, it raises nothing and holds at most `MOST_HELD` bytes: of an event that is
longer, `truncated` says that it was skipped. Server-sent events are in `sse`, AWS's binary frames in `eventstream`.
"""

import re
from collections.abc import Callable
from typing import Protocol

from limiter.usage.sse import BOM, MOST_HELD, Events

DONE = b"[DONE]"
"""End marker of OpenAI-compatible streams; passed on like an event."""

_SPACE = b" \t\r\n"


class Framer(Protocol):
    truncated: bool
    streams: bool
    """False: what comes out is one whole document."""

    def feed(self, piece: bytes) -> list[bytes]: ...
    def finish(self) -> list[bytes]: ...


class Lines:
    """JSON lines. Blank ones are skipped."""

    streams = True

    def __init__(self) -> None:
        self.truncated = False
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        last = piece.rfind(b"\n")
        if last < 0:
            self._hold(piece)
            return []
        lines = bytes(self._rest + piece[:last]).split(b"\n")
        self._rest.clear()
        self._hold(piece[last + 1 :])
        return [stripped for line in lines if (stripped := line.strip())]

    def finish(self) -> list[bytes]:
        rest = bytes(self._rest).strip()
        self._rest.clear()
        return [rest] if rest else []

    def _hold(self, tail: bytes) -> None:
        self._rest += tail
        if len(self._rest) > MOST_HELD:
            # What is left of the line will not decode, and so will be skipped.
            self.truncated = True
            self._rest.clear()


class Elements:
    """The elements of one JSON array, each as soon as it is complete. What follows the array is ignored."""

    streams = True
    _OUTSIDE = re.compile(rb'["{}\[\],]')
    _INSIDE = re.compile(rb'["\\]')

    def __init__(self) -> None:
        self.truncated = False
        self.closed = False
        self._held = bytearray()
        """From the start of the current element."""
        self._depth = 0
        self._string = False
        self._escape = False

    def feed(self, piece: bytes) -> list[bytes]:
        if self.closed:
            return []
        held = self._held
        at = len(held)
        held += piece
        elements = []
        while at < len(held):
            if self._escape:
                self._escape = False
                at += 1
                continue
            found = (self._INSIDE if self._string else self._OUTSIDE).search(held, at)
            if found is None:
                break
            at = found.end()
            byte = held[at - 1]
            del found
            if self._string:
                self._escape = byte == 0x5C
                self._string = byte != 0x22
            elif byte == 0x22:
                self._string = True
            elif byte in b"{[":
                self._depth += 1
                if self._depth == 1:
                    del held[:at]
                    at = 0
            elif byte in b"}]":
                self._depth -= 1
                if self._depth <= 0:
                    elements.append(bytes(held[: at - 1]))
                    held.clear()
                    self.closed = True
                    break
            elif self._depth == 1:
                elements.append(bytes(held[: at - 1]))
                del held[:at]
                at = 0
        if len(held) > MOST_HELD:
            # The element's brackets are still counted, its text is gone and will not decode.
            self.truncated = True
            held.clear()
        return [stripped for element in elements if (stripped := element.strip(_SPACE))]

    def finish(self) -> list[bytes]:
        self._held.clear()
        return []


class Document:
    """One JSON document, complete at the end of the body. Several, one a line, pass as well."""

    streams = False

    def __init__(self) -> None:
        self.truncated = False
        self._held = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        if not self.truncated:
            self._held += piece
            if len(self._held) > MOST_HELD:
                self.truncated = True
                self._held.clear()
        return []

    def finish(self) -> list[bytes]:
        document = bytes(self._held).removeprefix(BOM).strip()
        self._held.clear()
        return [document] if document else []


class Opaque:
    """Nothing that can be read: audio, text, images."""

    streams = False
    truncated = False

    def feed(self, piece: bytes) -> list[bytes]:  # noqa: ARG002  (the interface's)
        return []

    def finish(self) -> list[bytes]:
        return []


_EVENT_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")


def by_first_bytes(head: bytes, expected: type[Lines] | type[Document]) -> Framer | None:
    """Chooses by how the body begins; None when more of it must be seen.

    Args:
        expected: how objects that are no array and no events follow one another.
    """
    head = b"" if BOM.startswith(head) else head.removeprefix(BOM).lstrip()
    beginnings: dict[bytes, Callable[[], Framer]] = {
        b"[": Elements,
        b"{": expected,
        **dict.fromkeys(_EVENT_FIELDS, Events),
    }
    for beginning, framer in beginnings.items():
        if head.startswith(beginning):
            return framer()
    return None if any(beginning.startswith(head) for beginning in beginnings) else Opaque()
