"""Recorded exchanges as JSON lines."""

import base64
import io

import pytest

from limiter.metering import lines
from limiter.metering.lines import looks_like_lines, read_lines
from limiter.metering.recording import Damaged, Frame, Recording
from tests.metering.recordings import ANSWER, ASKED, exchange, jsonl, session


def read(data: bytes) -> list[Recording | Damaged]:
    return list(read_lines(io.BytesIO(data), "f"))


def one(data: bytes) -> Recording:
    (found,) = read(data)
    assert isinstance(found, Recording)
    return found


def test_an_exchange_is_read() -> None:
    """Bodies are plain, so the header that says otherwise is dropped."""
    kept = exchange(headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    found = one(jsonl(kept))

    assert (found.id, found.method, found.status, found.problem) == ("one", "POST", 200, "")
    assert found.response_headers == {"content-type": "application/json"}
    assert b'"gpt-4o-mini"' in found.request_body
    assert b'"chatcmpl-1"' in found.response_body
    assert found.frames is None


@pytest.mark.parametrize(
    ("encoding", "body", "sent"),
    [
        ("json", ASKED, b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}'),
        ("text", "abc", b"abc"),
        ("base64", base64.b64encode(b"\xff\x00").decode(), b"\xff\x00"),
        ("text", None, b""),
        ("json", "\ud800", b"\xed\xa0\x80"),
    ],
)
def test_bodies_of_requests(encoding: str, body: object, sent: bytes) -> None:
    """As text, JSON or base64; lone surrogates included."""
    kept = exchange()
    kept["request"] |= {"body_encoding": encoding, "body": body}

    assert one(jsonl(kept)).request_body == sent


def test_damaged_lines_have_their_place() -> None:
    """And the others are read all the same."""
    found = read(jsonl(b"no json", exchange(), b"[1]", b'{"id": "x", "request": {}}', b"", b'{"a":'))

    assert [item.id for item in found] == ["f:1", "one", "f:3", "x", "f:6"]
    assert [isinstance(item, Damaged) for item in found] == [True, False, True, True, True]
    assert found[2] == Damaged("f:3", "found no object, expected one with request and response")


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ({"body_base64": "eyJh!jox"}, "the response's body is no base64"),
        ({"body_base64": "eyJhIjoxfQ"}, "the response's body is cut within its base64"),
        ({"body_base64": None}, "found no body of the response"),
        ({"status": "fine"}, "found no status of the response"),
    ],
)
def test_damage_is_told(response: dict[str, object], problem: str) -> None:
    """The exchange stands."""
    assert problem in one(jsonl(exchange(**response))).problem


def test_a_missing_response() -> None:
    """There is no status then."""
    kept = exchange()
    kept["response"] = None

    assert (one(jsonl(kept)).status, one(jsonl(kept)).problem) == (None, "found no response")


def test_messages_of_a_websocket() -> None:
    """Data are JSON or text; a damaged line is told."""
    kept = session(("sent", {"type": "a"}), ("received", '{"type": "b"}'), ("sideways", {}))
    found = one(jsonl(kept))

    assert found.frames == (Frame(True, b'{"type": "a"}'), Frame(False, b'{"type": "b"}'))
    assert found.problem == "message 3 is no JSON with direction and data"


def test_endless_lines_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost no more memory than the bound."""
    monkeypatch.setattr(lines, "MOST_LINE", 4096)
    found = read(jsonl(b"{" * 10_000, exchange()))

    assert [item.id for item in found] == ["f:1", "one"]
    assert isinstance(found[0], Damaged)


@pytest.mark.parametrize(
    ("head", "fits"),
    [
        (jsonl(exchange()), True),
        (b"junk\n" + jsonl(exchange()), True),
        (b"", True),
        (b"\xef\xbb\xbf" + jsonl(exchange()), True),
        (b"[project]\nname = 1\n", False),
        (b'{"a": 1}\n', False),
    ],
)
def test_how_files_begin(head: bytes, fits: bool) -> None:
    """A damaged first line is no other format."""
    assert looks_like_lines(head) is fits


def test_answers_need_not_be_json() -> None:
    """Whatever the bytes are, they are kept."""
    assert one(jsonl(exchange(b"\x00\xff"))).response_body == b"\x00\xff"
    assert one(jsonl(exchange(ANSWER))).response_body.startswith(b"{")
