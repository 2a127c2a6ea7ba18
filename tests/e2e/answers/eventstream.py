"""AWS event stream: binary frames with a checksum of their lengths and one of the whole.

https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
"""

import json
from collections.abc import Iterable
from zlib import crc32

from tests.e2e.answers.parts import Answer

_TEXT = b"\x07"
"""Type of a header's value."""
_AROUND = 16
"""Bytes of a frame beside headers and payload: two lengths, two checksums."""


def frame(name: str, payload: object, *, kind: str = "event") -> bytes:
    """One message of the stream.

    Args:
        kind: `event` or `exception`.
    """
    fields = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(_header(key.encode(), value.encode()) for key, value in fields.items())
    body = json.dumps(payload, separators=(",", ":")).encode()
    message = _summed(_number(_AROUND + len(headers) + len(body)) + _number(len(headers)))
    return _summed(message + headers + body)


def frames(pieces: Iterable[bytes], headers: Iterable[tuple[str, str]] = ()) -> Answer:
    kind = ("content-type", "application/vnd.amazon.eventstream")
    return Answer(headers=(kind, *headers), pieces=tuple(pieces), streamed=True)


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + _TEXT + len(value).to_bytes(2) + value


def _summed(data: bytes) -> bytes:
    return data + _number(crc32(data))


def _number(value: int) -> bytes:
    return value.to_bytes(4)
