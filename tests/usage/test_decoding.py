"""Content-encodings: undone at any cut, bounded, and honest about what cannot be decoded."""

import contextlib
import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.decoding import CannotDecodeError, Decoder, decode_whole, decoder
from tests.usage.exchanges import pieces

TEXT = b'data: {"choices":[{"delta":{"content":"h\xc3\xa9"}}]}\n\n' * 50


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, bare": _bare,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
encodings = pytest.mark.parametrize("name", ENCODERS)


def _decoded(encoding: str, parts: list[bytes]) -> bytes:
    chosen = decoder(encoding)
    assert chosen is not None
    return b"".join(out for part in parts for out in chosen.feed(part))


def _header(name: str) -> str:
    return name.partition(",")[0]


@encodings
@pytest.mark.parametrize("size", [1, 3, 17, 10_000])
def test_cut_anywhere(name: str, size: int) -> None:
    """The pieces that bytes arrive in change nothing."""
    assert _decoded(_header(name), pieces(ENCODERS[name](TEXT), size)) == TEXT


@encodings
def test_every_single_cut(name: str) -> None:
    """Two pieces, cut at each byte."""
    packed = ENCODERS[name](TEXT[:200])
    for at in range(len(packed) + 1):
        assert _decoded(_header(name), [packed[:at], packed[at:]]) == TEXT[:200]


def test_gzip_of_several_members() -> None:
    """Servers may concatenate them; padding behind is ignored."""
    body = gzip.compress(b"one ") + gzip.compress(b"two ") + gzip.compress(b"three")
    for size in (1, 5, len(body)):
        assert _decoded("gzip", pieces(body, size)) == b"one two three"
        assert _decoded("gzip", pieces(body + b"\0\0\0", size)) == b"one two three"


def test_zstandard_of_several_frames() -> None:
    pack = zstandard.ZstdCompressor().compress
    body = pack(b"one ") + pack(b"two")
    assert _decoded("zstd", pieces(body, 3)) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_an_event_that_was_flushed_is_had_at_once(encoding: str) -> None:
    """Streams are flushed per event, and events must not wait for more."""
    event = b"data: {}\n\n"
    if encoding == "br":
        compressor = brotli.Compressor()
        packed = compressor.process(event) + compressor.flush()
    elif encoding == "zstd":
        writer = zstandard.ZstdCompressor().compressobj()
        packed = writer.compress(event) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    else:
        packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
        packed = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert _decoded(encoding, [packed]) == event


@pytest.mark.parametrize("header", ["", "identity", " Identity ,"])
def test_no_encoding(header: str) -> None:
    assert _decoded(header, [b"a", b"", b"b"]) == b"ab"


def test_several_encodings_are_undone_from_the_last_to_the_first() -> None:
    body = brotli.compress(gzip.compress(TEXT))
    assert _decoded("gzip, BR", pieces(body, 9)) == TEXT


@pytest.mark.parametrize("header", ["compress", "gzip, what", "gzip, gzip, gzip, gzip"])
def test_unknown_encodings_have_no_decoder(header: str) -> None:
    assert decoder(header) is None
    with pytest.raises(CannotDecodeError):
        decode_whole(b"x", header, 10)


def test_a_body_that_is_not_gzip_passes_as_it_is() -> None:
    """Some servers leave the header on what they, or something between, had decoded."""
    assert _decoded("gzip", pieces(TEXT, 1)) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(st.binary(max_size=300), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_junk_is_refused_in_one_way(encoding: str, junk: bytes, size: int) -> None:
    """Nothing but `CannotDecodeError` comes out of a decoder."""
    head = {"gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3", "zstd": b"\x28\xb5\x2f\xfd", "deflate": b"\x78\x9c"}.get(
        encoding, b""
    )
    with contextlib.suppress(CannotDecodeError):
        _decoded(encoding, pieces(head + junk, size))


ZEROS = 300 * 1024 * 1024


@pytest.fixture(scope="module", name="bombs")
def _bombs() -> dict[str, bytes]:
    """300 MB of zeros."""
    chunk = bytes(1024 * 1024)
    packer = zlib.compressobj(9, wbits=31)
    zipped = b"".join(packer.compress(chunk) for _ in range(ZEROS // len(chunk))) + packer.flush()
    writer = zstandard.ZstdCompressor().compressobj()
    packed = b"".join(writer.compress(chunk) for _ in range(ZEROS // len(chunk))) + writer.flush()
    squeezer = brotli.Compressor(quality=1)
    squeezed = b"".join(squeezer.process(chunk) for _ in range(ZEROS // len(chunk))) + squeezer.finish()
    return {"gzip": zipped, "zstd": packed, "br": squeezed}


def _drain(chosen: Decoder, data: bytes) -> None:
    for piece in chosen.feed(data):
        assert len(piece) < 2 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br"])
def test_bombs_are_refused_in_little_memory(encoding: str, bombs: dict[str, bytes]) -> None:
    """Fed in one piece, as a server may."""
    chosen = decoder(encoding)
    assert chosen is not None
    tracemalloc.start()
    try:
        with pytest.raises(CannotDecodeError):
            _drain(chosen, bombs[encoding])
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_whole_body_is_bounded() -> None:
    assert decode_whole(gzip.compress(b"a" * 100), "gzip", 100) == b"a" * 100
    with pytest.raises(CannotDecodeError):
        decode_whole(gzip.compress(b"a" * 101), "gzip", 100)
