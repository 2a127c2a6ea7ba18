"""AWS's binary event stream, as Bedrock sends it.

A frame is `u32 length | u32 length of headers | u32 CRC of these eight bytes | headers | payload | u32 CRC of all
before` (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html). The payloads are JSON and name
themselves well enough, so headers are not read.
"""

import base64
import binascii
import struct
import zlib

import msgspec

MOST_FRAME = 24 * 1024 * 1024
"""AWS allows 24 MB of payload."""
_PRELUDE = struct.Struct(">III")
_SMALLEST = _PRELUDE.size + 4


class _Chunk(msgspec.Struct):
    """`invoke-with-response-stream`: the model's own JSON."""

    bytes: str


_CHUNK = msgspec.json.Decoder(_Chunk)


class Frames:
    """A framer (see `framing`). A wrong checksum ends the reading: nothing behind it can be trusted to be a frame."""

    streams = True

    def __init__(self) -> None:
        self.truncated = False
        self._held = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        if self.truncated:
            return []
        held = self._held
        held += piece
        payloads: list[bytes] = []
        start = 0
        while len(held) - start >= _SMALLEST:
            length, headers, prelude = _PRELUDE.unpack_from(held, start)
            if (
                not _SMALLEST + headers <= length <= MOST_FRAME
                or zlib.crc32(memoryview(held)[start : start + 8]) != prelude
            ):
                return self._broken(payloads)
            if len(held) - start < length:
                break
            frame = bytes(memoryview(held)[start : start + length])
            if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:]):
                return self._broken(payloads)
            payloads.append(_unwrap(frame[_PRELUDE.size + headers : -4]))
            start += length
        del held[:start]
        return payloads

    def finish(self) -> list[bytes]:
        self._held.clear()
        return []

    def _broken(self, payloads: list[bytes]) -> list[bytes]:
        self.truncated = True
        self._held.clear()
        return payloads


def _unwrap(payload: bytes) -> bytes:
    if not payload.startswith(b'{"bytes"'):
        return payload
    try:
        return base64.b64decode(_CHUNK.decode(payload).bytes)
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError):
        return payload
