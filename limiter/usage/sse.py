"""Server-sent events: cut at their blank lines, and read.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re

MOST_HELD = 64 * 1024 * 1024
"""Bytes of one event, or of one document: base64 images make events of several MB."""

BOM = b"\xef\xbb\xbf"


class Blocks:
    """Cuts server-sent events at their blank lines, the line ends LF, CRLF and CR mixed as they like.

    The cut keeps every byte: `feed` returns the complete events with all their line ends, `rest` holds the tail.
    """

    # Atomic groups: a CRLF is one line end and never a CR and an LF.
    _END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")

    def __init__(self, most: int = MOST_HELD) -> None:
        self.rest = bytearray()
        self.overflowed = False
        """`rest` had grown past `most` and was let go; `feed` returned it as if it were an event."""
        self._most = most

    def feed(self, piece: bytes) -> list[bytes]:
        rest = self.rest
        if not rest:
            if piece.endswith(b"\n\n") and piece.find(b"\n\n") == len(piece) - 2 and b"\r" not in piece:
                return [piece]  # The usual chunk: exactly one event.
            searched = 0
        else:
            searched = max(len(rest) - 3, 0)
        rest += piece
        blocks = []
        start = 0
        # Only what is new is looked at, or a long event would cost the square of its length. A search for two bytes
        # takes a tenth of one for a pattern.
        plain = rest.find(b"\r", searched) < 0
        while (stop := rest.find(b"\n\n", searched) + 2 if plain else self._end(searched)) > 1:
            blocks.append(bytes(memoryview(rest)[start:stop]))
            start = searched = stop
        if start:
            del rest[:start]
        if len(rest) > self._most:
            self.overflowed = True
            blocks.append(bytes(rest))
            rest.clear()
        return blocks

    def _end(self, searched: int) -> int:
        """Where the next event ends; 0: it does not yet."""
        end = self._END.search(self.rest, searched)
        return end.end() if end is not None else 0


class Events:
    """A framer (see `framing`) that reads leniently.

    A last event without its blank line counts, and so does a bare JSON object where an event should be (Vertex reports
    errors in the middle of a stream like that).
    """

    streams = True
    _LINE = re.compile(rb"\r\n|\n|\r")

    def __init__(self) -> None:
        self.truncated = False
        self._blocks = Blocks()
        self._first = True

    def feed(self, piece: bytes) -> list[bytes]:
        blocks = self._blocks.feed(piece)
        if self._blocks.overflowed:
            self.truncated, self._blocks.overflowed = True, False
            del blocks[-1]
        return [data for block in blocks if (data := self.data(block))]

    def finish(self) -> list[bytes]:
        data = self.data(bytes(self._blocks.rest))
        self._blocks.rest.clear()
        return [data] if data else []

    def data(self, block: bytes) -> bytes:
        """The `data` of one event, empty for comments and the like."""
        if self._first:
            block = block.removeprefix(BOM)
            self._first = False
        if block.startswith(b"data: "):
            line = block[6:].strip()  # The usual event: one line.
            if b"\n" not in line and b"\r" not in line:
                return line
        data = [line[5:] for line in self._LINE.split(block) if line.startswith(b"data:")]
        if data:
            return b"\n".join(data).strip()
        bare = block.strip()
        return bare if bare.startswith(b"{") else b""
