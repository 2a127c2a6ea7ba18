"""Recorded exchanges as HAR."""

import base64
import io
import json
from datetime import UTC, datetime

import pytest

from limiter.metering.har import looks_like_har, read_har
from limiter.metering.recording import Damaged, Frame, Recording
from tests.metering.recordings import ANSWER, entry, exchange, har, jsonl


def read(data: bytes) -> list[Recording | Damaged]:
    return list(read_har(io.BytesIO(data), "f"))


def one(data: bytes) -> Recording:
    (found,) = read(data)
    assert isinstance(found, Recording)
    return found


def test_an_entry_is_read() -> None:
    """Without the pseudo headers of HTTP/2, and without the encoding that the body no longer has."""
    found = one(har(entry()))

    assert (found.id, found.method, found.status, found.problem) == ("f#0", "POST", 200, "")
    assert found.request_headers == {"accept": "*/*"}
    assert found.response_headers == {"content-type": "application/json"}
    assert json.loads(found.response_body) == ANSWER
    assert found.started == datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_bodies_in_base64() -> None:
    """As browsers keep what is no text."""
    packed = base64.b64encode(json.dumps(ANSWER).encode()).decode()

    assert json.loads(one(har(entry(text=packed, encoding="base64"))).response_body) == ANSWER
    assert one(har(entry(text="!", encoding="base64"))).problem == "the response's body is no base64"


def test_bodies_that_were_not_kept() -> None:
    """Browsers drop those of streams and large ones."""
    assert one(har(entry(text=None))).problem == "the response's body was not recorded"


def test_exchanges_that_were_cut_off() -> None:
    """Their status is 0."""
    assert one(har(entry(status=0))).status is None


def test_messages_of_a_websocket() -> None:
    """Chrome's; binary ones are in base64."""
    kept = entry(status=101)
    kept["_webSocketMessages"] = [
        {"type": "send", "time": 1.5, "opcode": 1, "data": '{"a": 1}'},
        {"type": "receive", "time": 2.5, "opcode": 2, "data": base64.b64encode(b'{"b": 2}').decode()},
    ]

    assert one(har(kept)).frames == (Frame(True, b'{"a": 1}'), Frame(False, b'{"b": 2}'))


def test_damaged_entries_have_their_place() -> None:
    """And the others are read all the same."""
    found = read(har({"request": {}}, entry()))

    assert [item.id for item in found] == ["f#0", "f#1"]
    assert isinstance(found[0], Damaged)


@pytest.mark.parametrize("data", [b'{"log": {', b'{"log": {}}', b'{"log": {"entries": [' + b"[" * 100_000])
def test_damaged_files(data: bytes) -> None:
    """One line says so."""
    (found,) = read(data)

    assert isinstance(found, Damaged)


def test_how_files_begin() -> None:
    """JSON lines are none."""
    assert looks_like_har(har())
    assert looks_like_har(b'\xef\xbb\xbf\n{\n  "log" : {')
    assert not looks_like_har(jsonl(exchange()))
