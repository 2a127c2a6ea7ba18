"""Content-encodings of a response, undone piece by piece.

A decoder is `feed(data)`, which yields decoded pieces as soon as they can be had, each of at most a few hundred kB
whatever the input claims: a bomb costs time in proportion to `MOST_RATIO`, never memory. Corrupt input and bombs raise
`CannotDecodeError`.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

PIECE = 256 * 1024
"""Decoded bytes of one piece, about."""
SLICE = 4096
"""Encoded bytes that zstandard is given at once; its blocks expand 30,000-fold."""
MOST_OF_A_SLICE = 16 * 1024 * 1024
"""Decoded bytes that one `SLICE` of zstandard may give."""
FREE_SIZE = 64 * 1024 * 1024
MOST_RATIO = 200
"""Past `FREE_SIZE` decoded bytes, text that shrank more than this many times is taken for a bomb."""
WINDOW = 8 * 1024 * 1024
"""Memory that a zstandard frame may ask for: RFC 9659 allows content-encodings this much."""


class Inflater(Protocol):
    """What `zlib.decompressobj` returns."""

    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class CannotDecodeError(Exception):
    """The bytes are not what the header says they are, or a bomb."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces, none of them empty.

        Raises:
            CannotDecodeError: from here on the body is unreadable.
        """


class Identity:
    def feed(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data


class Gzip:
    """Any number of members, one after the other (RFC 1952 §2.2); what does not look like gzip passes as it is."""

    MAGIC = b"\x1f\x8b"

    def __init__(self) -> None:
        self._head = b""
        self._inflate: Inflater | None = None
        self._members = 0
        self._plain = False
        self._done = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._done:
            if self._plain:
                yield data
                return
            if self._inflate is None:
                data, self._head = self._head + data, b""
                if not data.startswith(self.MAGIC[: len(data)]):
                    # Padding behind the last member is allowed, and no member.
                    self._plain, self._done = not self._members, self._members > 0
                    continue
                if len(data) < len(self.MAGIC):
                    self._head = data
                    return
                self._inflate = zlib.decompressobj(31)
                self._members += 1
            yield from _inflate(self._inflate, data)
            data = self._inflate.unused_data
            if self._inflate.eof:
                self._inflate = None


class Deflate:
    """Both readings of `deflate`: zlib's format (RFC 9110) and bare deflate, which servers send too."""

    def __init__(self) -> None:
        self._head = b""
        self._inflate: Inflater | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:
                return
            data = self._head
            wrapped = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        yield from _inflate(self._inflate, data)


def _inflate(inflate: Inflater, data: bytes) -> Iterator[bytes]:
    while data:
        try:
            piece = inflate.decompress(data, PIECE)
        except zlib.error as error:
            raise CannotDecodeError(str(error)) from error
        data = inflate.unconsumed_tail
        if piece:
            yield piece
        elif not data:
            return


class Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._decompressor.is_finished():
            return
        try:
            piece = self._decompressor.process(data, output_buffer_limit=PIECE)
            while piece:
                yield piece
                if self._decompressor.is_finished():
                    return
                piece = self._decompressor.process(b"", output_buffer_limit=PIECE)
        except brotli.error as error:
            raise CannotDecodeError(str(error)) from error


class Zstandard:
    """Through the writer side of the library, whose output can be stopped; its `decompressobj` has no bound (6 kB → 200
    MB)."""

    MAGIC = b"\x28\xb5\x2f\xfd"

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._writer = zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_writer(self, closefd=False)  # type: ignore[arg-type]

    def write(self, piece: bytes) -> int:
        self._size += len(piece)
        if self._size > MOST_OF_A_SLICE:
            raise CannotDecodeError("zstandard: too much from too little")
        self._pieces.append(bytes(piece))
        return len(piece)

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), SLICE):
            self._size = 0
            try:
                self._writer.write(data[start : start + SLICE])
            except zstandard.ZstdError as error:
                raise CannotDecodeError(str(error)) from error
            pieces, self._pieces = self._pieces, []
            yield from pieces


class Chain:
    """Several encodings, the last applied one first; watches what all together make of the body."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders
        self._encoded = 0
        self._decoded = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._encoded += len(data)
        for piece in self._through(data, 0):
            self._decoded += len(piece)
            if self._decoded > FREE_SIZE and self._decoded > self._encoded * MOST_RATIO:
                raise CannotDecodeError("too much from too little")
            yield piece

    def _through(self, data: bytes, at: int) -> Iterator[bytes]:
        if at == len(self._decoders):
            yield data
            return
        for piece in self._decoders[at].feed(data):
            yield from self._through(piece, at + 1)


DECODERS: dict[str, type[Gzip] | type[Deflate] | type[Brotli] | type[Zstandard]] = {
    "gzip": Gzip,
    "x-gzip": Gzip,
    "deflate": Deflate,
    "br": Brotli,
    "zstd": Zstandard,
}
MOST_ENCODINGS = 3
_PLAIN = Identity()


def decoder(content_encoding: str) -> Decoder | None:
    """The decoder for a `content-encoding` header; None when it names what is not in the table."""
    names = [name for part in content_encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not names:
        return _PLAIN
    if len(names) > MOST_ENCODINGS or any(name not in DECODERS for name in names):
        return None
    return Chain([DECODERS[name]() for name in reversed(names)])


def decode_whole(body: bytes, content_encoding: str, most: int) -> bytes:
    """A complete body, decoded.

    Raises:
        CannotDecodeError: unknown encoding, corrupt, or longer than `most` bytes.
    """
    chosen = decoder(content_encoding)
    if chosen is None:
        raise CannotDecodeError(f"unknown content-encoding {content_encoding!r}")
    if chosen is _PLAIN:
        return body
    pieces, size = [], 0
    for piece in chosen.feed(body):
        size += len(piece)
        if size > most:
            raise CannotDecodeError(f"longer than {most} bytes")
        pieces.append(piece)
    return b"".join(pieces)
