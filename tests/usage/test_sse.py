"""Server-sent events: every quirk that servers have, at any cut."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.sse import Blocks, Events
from tests.usage.exchanges import cuts, pieces


def run(framer: Events, parts: list[bytes]) -> list[bytes]:
    return [event for part in parts for event in framer.feed(part)] + framer.finish()


EVENTS = {
    "line feeds": (b'data: {"a":1}\n\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
    "carriage returns and line feeds": (b'data: {"a":1}\r\n\r\ndata: [DONE]\r\n\r\n', [b'{"a":1}', b"[DONE]"]),
    "carriage returns": (b'data: {"a":1}\r\rdata: {"b":2}\r\r', [b'{"a":1}', b'{"b":2}']),
    "mixed line ends": (b'data: {"a":1}\r\n\ndata: {"b":2}\n\r\ndata: 3\r\n\r\n', [b'{"a":1}', b'{"b":2}', b"3"]),
    "names, ids and retries": (b'event: x\nid: 1\nretry: 5\ndata: {"a":1}\n\n', [b'{"a":1}']),
    "no space after the colon": (b'event:x\ndata:{"a":1}\n\n', [b'{"a":1}']),
    "trailing spaces": (b'data: {"a":1}    \n\n', [b'{"a":1}']),
    "data in several lines": (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n 1}']),
    "comments": (b': PROCESSING\n\n: again\ndata: {"a":1}\n\n:\n\n', [b'{"a":1}']),
    "byte order mark": (b'\xef\xbb\xbfdata: {"a":1}\n\n', [b'{"a":1}']),
    "no blank line at the end": (b'data: {"a":1}\n\ndata: {"b":2}', [b'{"a":1}', b'{"b":2}']),
    "one line end at the end": (b'data: {"a":1}\n\ndata: {"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "bare object after events": (b'data: {"a":1}\n\n{\n  "error": {}\n}\n', [b'{"a":1}', b'{\n  "error": {}\n}']),
    "many blank lines": (b'\n\n\n\ndata: {"a":1}\n\n\n\n\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
    "field without data": (b"event: ping\n\ndata\n\n", []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", EVENTS)
def test_events(name: str) -> None:
    body, expected = EVENTS[name]
    for parts in cuts(body):
        assert [event.replace(b" ", b"") for event in run(Events(), parts)] == [e.replace(b" ", b"") for e in expected]


@given(
    st.lists(st.tuples(st.integers(), st.sampled_from(["\n\n", "\r\n\r\n", "\r\r", "\n\r\n"])), max_size=8),
    st.lists(st.integers(1, 40), max_size=30),
)
@settings(max_examples=150, deadline=None)
def test_events_cut_at_random(numbers: list[tuple[int, str]], sizes: list[int]) -> None:
    body = b"".join(f'event: e\ndata: {{"n":{number}}}{end}'.encode() for number, end in numbers)
    parts, at = [], 0
    for size in sizes:
        parts.append(body[at : at + size])
        at += size
    assert run(Events(), [*parts, body[at:]]) == [f'{{"n":{number}}}'.encode() for number, _ in numbers]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_an_event_does_not_wait_for_the_next(end: bytes) -> None:
    framer = Events()
    assert [event for byte in pieces(b"data: 1" + end, 1) for event in framer.feed(byte)] == [b"1"]


@given(
    st.lists(st.sampled_from([b"data: 1", b"data: 2", b"\n", b"\r"]), max_size=12).map(b"".join),
    st.lists(st.integers(1, 9), max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_any_line_ends_cut_at_random(body: bytes, sizes: list[int]) -> None:
    parts, at = [], 0
    for size in sizes:
        parts.append(body[at : at + size])
        at += size
    assert run(Events(), [*parts, body[at:]]) == run(Events(), [body])


def test_a_piece_costs_the_same_however_long_its_event_is() -> None:
    """Or an event of 32 MB would keep the loop for a second. The quickest of many, as the machine may be busy."""

    def quickest(held: int) -> float:
        blocks = Blocks()
        blocks.feed(b"data: " + b"A" * held)
        times = []
        for _ in range(100):
            began = perf_counter()
            blocks.feed(b"A" * 64)
            times.append(perf_counter() - began)
        return min(times)

    assert quickest(8 * 1024 * 1024) < 30 * quickest(1024)


def test_events_go_on_after_a_long_one() -> None:
    framer = Events()
    framer._blocks = Blocks(1000)
    body = b"data: " + b"x" * 3000 + b'\n\ndata: {"a":1}\n\n'
    assert b'{"a":1}' in run(framer, pieces(body, 100))
    assert framer.truncated
