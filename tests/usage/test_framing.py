"""Framers: the same events whole, byte by byte, cut at random and with junk."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage import framing
from limiter.usage.framing import Document, Elements, Framer, Lines, Opaque, by_first_bytes
from limiter.usage.sse import Blocks, Events
from tests.usage.exchanges import cuts, pieces


def run(framer: Framer, parts: list[bytes]) -> list[bytes]:
    return [event for part in parts for event in framer.feed(part)] + framer.finish()


LINES = {
    "plain": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "blank ones and carriage returns": (b'{"a":1}\r\n\r\n\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
    "no line end at the end": (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
    "nothing": (b"\n\n", []),
}


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str) -> None:
    body, expected = LINES[name]
    for parts in cuts(body):
        assert run(Lines(), parts) == expected


ELEMENTS = {
    "objects": (b'[{"a":1},\n{"b":[2,{"c":3}]}\n]', [b'{"a":1}', b'{"b":[2,{"c":3}]}']),
    "brackets in strings": (b'[{"a":"]},[{"},{"b":"\\"]"}]', [b'{"a":"]},[{"}', b'{"b":"\\"]"}']),
    "backslashes": (b'["\\\\",{"a":"\\\\\\""}]', [b'"\\\\"', b'{"a":"\\\\\\""}']),
    "numbers": (b" [1, 2 ,[3]] ", [b"1", b"2", b"[3]"]),
    "empty": (b"[]", []),
    "text behind": (b'[{"a":1}] {"b":2}', [b'{"a":1}']),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements(name: str) -> None:
    body, expected = ELEMENTS[name]
    for parts in cuts(body):
        framer = Elements()
        assert run(framer, parts) == expected
        assert framer.closed


def test_elements_of_a_cut_array() -> None:
    """What was complete is had, and the array is known to be open."""
    framer = Elements()
    assert run(framer, [b'[{"a":1},{"b":', b"2"]) == [b'{"a":1}']
    assert not framer.closed


values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=6,
)


@given(st.lists(values, max_size=4), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_elements_are_those_of_the_array(array: list[object], size: int) -> None:
    found = run(Elements(), pieces(json.dumps(array).encode(), size))
    assert [json.loads(element) for element in found] == array


@pytest.mark.parametrize("make", [Events, Lines, Elements, Document, Opaque])
@given(junk=st.binary(max_size=400), size=st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_junk_raises_nothing(make: Callable[[], Framer], junk: bytes, size: int) -> None:
    framer = make()
    assert all(isinstance(event, bytes) for event in run(framer, pieces(junk, size)))


@pytest.mark.parametrize(("make", "head"), [(Events, b"data: "), (Lines, b"{"), (Elements, b'["'), (Document, b"{")])
def test_what_is_too_long_is_skipped(make: Callable[[], Framer], head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and the framer says so."""
    monkeypatch.setattr(framing, "MOST_HELD", 1000)
    monkeypatch.setattr(Blocks.__init__, "__defaults__", (1000,))
    framer = make()
    got = run(framer, pieces(head + b"x" * 5000, 700))
    assert framer.truncated
    assert all(len(event) < 2000 for event in got)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b' \n{"a"', Document),
        (b"[1", Elements),
        (b"data: x", Events),
        (b"event: x", Events),
        (b": comment", Events),
        (b"\xef\xbb\xbfdata:", Events),
        (b"<html>", Opaque),
        (b"\x00\x01", Opaque),
    ],
)
def test_a_body_shows_what_it_is(head: bytes, kind: type) -> None:
    assert isinstance(by_first_bytes(head, Document), kind)


@pytest.mark.parametrize("head", [b"", b"  \n", b"dat", b"e", b"\xef\xbb\xbf"])
def test_too_little_to_tell(head: bytes) -> None:
    assert by_first_bytes(head, Document) is None
