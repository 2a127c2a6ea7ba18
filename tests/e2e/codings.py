"""Content codings of a response body, flushed piece by piece as a streaming server does."""

import zlib
from collections.abc import Callable

import brotli
import zstandard

Coder = tuple[Callable[[bytes], bytes], Callable[[], bytes]]
"""Codes one piece so that it can be read at once; gives the end of the body."""


def coded(pieces: tuple[bytes, ...], coding: str) -> tuple[bytes, ...]:
    """As many pieces as before; the end of the body is part of the last one.

    Raises:
        KeyError: no such coding.
    """
    if not pieces:
        return pieces
    code, finish = _CODERS[coding]()
    done = [code(piece) for piece in pieces]
    return (*done[:-1], done[-1] + finish())


def negotiated(accepted: str) -> str:
    """The first coding of an `Accept-Encoding` header that is known here; empty: none."""
    names = (part.partition(";")[0].strip() for part in accepted.split(","))
    return next((name for name in names if name in _CODERS), "")


def _zlib(window: int) -> Coder:
    coder = zlib.compressobj(wbits=window)
    return lambda piece: coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH), coder.flush


def _brotli() -> Coder:
    coder = brotli.Compressor(quality=4)
    return lambda piece: coder.process(piece) + coder.flush(), coder.finish


def _zstd() -> Coder:
    coder = zstandard.ZstdCompressor().compressobj()
    return lambda piece: coder.compress(piece) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), coder.flush


_CODERS: dict[str, Callable[[], Coder]] = {
    "gzip": lambda: _zlib(31),
    "deflate": lambda: _zlib(15),
    "br": _brotli,
    "zstd": _zstd,
}
