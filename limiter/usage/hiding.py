"""Takes the usage-only event out of a stream that we asked for usage, so that the client sees what it asked for."""

import re

import msgspec

from limiter.usage.sse import Blocks, Events

MOST_HELD = 1024 * 1024
"""Bytes of an unfinished event that are held back; a longer one is no usage-only event, and passes."""


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: dict[str, msgspec.Raw]


_EMPTY = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_CHUNK = msgspec.json.Decoder(_Chunk)


class UsageHider:
    """`feed` decoded bytes of server-sent events.

    Every event comes out unchanged as soon as it is complete, but for those with empty `choices` and a `usage` that is
    not null.
    """

    def __init__(self) -> None:
        self._blocks = Blocks(MOST_HELD)
        self._events = Events()
        self._passing = False
        """The current event is too long to be held: it passes as it comes."""
        self._after_cr = False
        self._hid_last = False

    def feed(self, piece: bytes) -> list[bytes]:
        forward = []
        if self._after_cr and piece.startswith(b"\n"):
            # The line feed belongs to the carriage return that ended the event before.
            if not self._hid_last:
                forward.append(b"\n")
            piece = piece[1:]
        if not piece:
            self._after_cr = False
            return forward
        blocks = self._blocks.feed(piece)
        for block in blocks:
            self._hid_last = not self._passing and self._hides(block)
            if not self._hid_last:
                forward.append(block)
            self._passing = False
        if self._blocks.overflowed:
            self._passing, self._blocks.overflowed = True, False
        self._after_cr = bool(blocks) and not self._blocks.rest and piece.endswith(b"\r")
        return forward

    def flush(self) -> list[bytes]:
        rest = bytes(self._blocks.rest)
        self._blocks.rest.clear()
        return [rest] if rest and (self._passing or not self._hides(rest)) else []

    def _hides(self, block: bytes) -> bool:
        if not _EMPTY.search(block):
            return False
        try:
            return not _CHUNK.decode(self._events.data(block)).choices
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
