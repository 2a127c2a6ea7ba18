"""AWS's binary frames."""

import base64
import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.eventstream import Frames
from tests.usage.exchanges import cuts, pieces


def frame(payload: bytes, **headers: str) -> bytes:
    """A frame with valid checksums."""
    head = b""
    for name, value in headers.items():
        key = ":" + name.replace("_", "-")
        head += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


def chunk(value: object) -> bytes:
    """A frame of `invoke-with-response-stream`."""
    packed = base64.b64encode(json.dumps(value).encode()).decode()
    return frame(json.dumps({"bytes": packed, "p": "abc"}, separators=(",", ":")).encode(), event_type="chunk")


def run(parts: list[bytes]) -> tuple[list[bytes], bool]:
    framer = Frames()
    events = [event for part in parts for event in framer.feed(part)] + framer.finish()
    return events, framer.truncated


def test_frames_at_any_cut() -> None:
    body = frame(b'{"a":1}', event_type="x", message_type="event") + frame(b"{}") + chunk({"b": [2]})
    for parts in cuts(body):
        assert run(parts) == ([b'{"a":1}', b"{}", b'{"b": [2]}'], False)


def test_a_chunk_that_is_not_base64_stays_as_it_is() -> None:
    assert run([frame(b'{"bytes":"\xff"}'), frame(b'{"bytes":5}')])[0] == [b'{"bytes":"\xff"}', b'{"bytes":5}']


@pytest.mark.parametrize("at", [0, 3, 9, 14, -1])
def test_a_wrong_checksum_ends_the_reading(at: int) -> None:
    good = frame(b'{"a":1}', event_type="x")
    bad = bytearray(frame(b'{"b":2}', event_type="y"))
    bad[at] ^= 1
    assert run([good, bytes(bad), good]) == ([b'{"a":1}'], True)


def test_a_frame_that_was_cut_is_no_event() -> None:
    assert run([frame(b"{}") + frame(b'{"a":1}')[:-1]]) == ([b"{}"], False)


@given(st.binary(max_size=200), st.integers(1, 40))
@settings(max_examples=80, deadline=None)
def test_junk_raises_nothing(junk: bytes, size: int) -> None:
    run(pieces(frame(b"{}") + junk, size))
