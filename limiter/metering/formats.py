"""Opens files of recorded exchanges. What they hold shows by how they begin."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self, cast

from limiter.metering.har import looks_like_har, read_har
from limiter.metering.lines import looks_like_lines, read_lines
from limiter.metering.recording import Damaged, Recording

STDIN = "-"
_HEAD = 1024 * 1024
"""Bytes that are looked at, at most."""
_GZIP = b"\x1f\x8b"


class Format(NamedTuple):
    name: str
    begins: Callable[[bytes], bool]
    """Whether a file that begins with these bytes is of this format."""
    read: Callable[[BinaryIO, str], Iterator[Recording | Damaged]]
    """The exchanges of a file by name. What is damaged is told in its place."""


FORMATS = (Format("HAR", looks_like_har, read_har), Format("JSON lines", looks_like_lines, read_lines))
"""The first that fits counts."""


class UnreadableError(Exception):
    """A file that cannot be opened, or holds nothing that is known."""


class Recordings:
    """The exchanges of one file, plain or compressed with gzip, read as they are asked for. Closed by `with`."""

    def __init__(self, source: str, more: Sequence[Format] = ()) -> None:
        """Opens the file.

        Args:
            source: a path, or - for standard input.
            more: formats beside `FORMATS`.

        Raises:
            UnreadableError: with the file, what was found and what was expected.
        """
        self.name = "<stdin>" if source == STDIN else source
        formats = (*more, *FORMATS)
        with ExitStack() as opened:
            try:
                self._raw = opened.enter_context(_opened(source))
                plain, head = self._raw, self._raw.peek(1)
                if head.startswith(_GZIP):
                    plain = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=self._raw)), _HEAD)
                    head = opened.enter_context(plain).peek(1)
            except (OSError, EOFError, zlib.error) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else error
                raise UnreadableError(f"{self.name}: cannot be read: {reason}") from error
            fitting = next((item for item in formats if item.begins(head)), None)
            if fitting is None:
                known = ", ".join(item.name for item in formats)
                raise UnreadableError(f"{self.name}:1: found no recorded exchanges, expected one of {known}")
            self._items = fitting.read(cast("BinaryIO", plain), self.name)
            self.close = opened.pop_all().close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Recording | Damaged]:
        try:
            yield from self._items
        except (OSError, EOFError, zlib.error) as error:
            yield Damaged(self.name, f"the file is damaged: {error}")

    def position(self) -> int:
        """Bytes of the file that were read."""
        try:
            return self._raw.tell()
        except OSError:
            return 0


def _opened(source: str) -> "io.BufferedReader[io.RawIOBase]":
    # Unbuffered, so that what comes through a pipe is there when it comes.
    if source != STDIN:
        raw: Any = Path(source).open("rb", buffering=0)  # noqa: SIM115  closed by `close`
    elif (raw := getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)) is not sys.stdin.buffer:
        raw = io.FileIO(sys.stdin.fileno(), closefd=False)
    return io.BufferedReader(raw, _HEAD)
