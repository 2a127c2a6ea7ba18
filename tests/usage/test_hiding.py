"""The usage-only event is taken out of a stream, and nothing else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage import hiding
from limiter.usage.hiding import UsageHider
from limiter.usage.sse import Blocks
from tests.usage.exchanges import cuts, pieces

DELTA = b'data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}'
FILTER = b'data: {"choices":[],"prompt_filter_results":[],"usage":null}'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}'
USAGE = b'data: {"id":"x","choices": [],"usage": {"prompt_tokens":1,"completion_tokens":2}}'
DONE = b"data: [DONE]"
ENDS = [b"\n\n", b"\r\n\r\n", b"\r\r"]


def run(parts: list[bytes]) -> bytes:
    hider = UsageHider()
    out = [piece for part in parts for piece in hider.feed(part)] + hider.flush()
    assert all(out)
    return b"".join(out)


@pytest.mark.parametrize("end", ENDS)
def test_exactly_the_usage_event_goes(end: bytes) -> None:
    body = end.join([FILTER, DELTA, LAST, USAGE, DONE, b""])
    for parts in cuts(body):
        assert run(parts) == end.join([FILTER, DELTA, LAST, DONE, b""])


@pytest.mark.parametrize("tail", [b"", b"\n"])
def test_a_usage_event_at_the_very_end(tail: bytes) -> None:
    """Without its blank line it is one all the same."""
    for parts in cuts(DELTA + b"\n\n" + USAGE + tail):
        assert run(parts) == DELTA + b"\n\n"


def test_named_events_and_comments_stay() -> None:
    body = b": hello\n\nevent: x\n" + DELTA + b"\n\n"
    for parts in cuts(b"\xef\xbb\xbf" + body + b"event: u\n" + USAGE + b"\n\n"):
        assert run(parts) == b"\xef\xbb\xbf" + body


events = st.sampled_from([DELTA, FILTER, LAST, USAGE, DONE, b": ping", b"event: x\ndata: {}", b'{"error":{}}'])


@given(st.lists(st.tuples(events, st.sampled_from(ENDS)), max_size=10), st.lists(st.integers(1, 90), max_size=40))
@settings(max_examples=200, deadline=None)
def test_every_other_byte_is_forwarded(stream: list[tuple[bytes, bytes]], sizes: list[int]) -> None:
    body = b"".join(event + end for event, end in stream)
    parts, at = [], 0
    for size in sizes:
        parts.append(body[at : at + size])
        at += size
    kept = b"".join(event + end for event, end in stream if event is not USAGE)
    assert run([*parts, body[at:]]) == kept


@given(st.binary(max_size=300), st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_junk_passes(junk: bytes, size: int) -> None:
    assert run(pieces(junk, size)) == junk


def test_an_event_passes_with_its_last_byte() -> None:
    hider = UsageHider()
    assert hider.feed(DELTA) == []
    assert hider.feed(b"\n") == []
    assert hider.feed(b"\n" + DELTA + b"\n\nda") == [DELTA + b"\n\n", DELTA + b"\n\n"]


def test_a_long_event_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes as it comes, and the event behind it is judged again."""
    hider = UsageHider()
    hider._blocks = Blocks(100)
    long = b"data: " + json.dumps({"choices": [], "usage": {"a": "x" * 500}}).encode() + b"\n\n"
    out = b"".join(piece for part in pieces(long + USAGE + b"\n\n" + DELTA + b"\n\n", 50) for piece in hider.feed(part))
    assert out == long + DELTA + b"\n\n"
    assert hiding.MOST_HELD == 1024 * 1024
