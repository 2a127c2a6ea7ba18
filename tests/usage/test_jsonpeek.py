"""Looking into JSON: small and large texts alike."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from limiter.usage import jsonpeek
from limiter.usage.jsonpeek import NotJsonError, Wanted, as_utf8, count, dig, dig_all, gather, has, load, text

VALUE: dict[str, Any] = {
    "a": {"b": [{"c": 1}, {"c": "x"}, {"d": None}], "n": None},
    "rows": [
        {"modality": "TEXT", "tokenCount": 1},
        {"modality": 4, "tokenCount": 7},
        {"ttl": "1h", "inputTokens": 9},
        5,
    ],
    "text": {"one": "eins", "more": ["zwei", {"deep": "drei"}], "args": {"k": [1]}, "zero": 0},
}


@pytest.fixture(params=[0, 1_000_000], name="node")
def _node(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The value, as raws and decoded."""
    monkeypatch.setattr(jsonpeek, "EAGER", request.param)
    node = load(json.dumps(VALUE).encode())
    assert isinstance(node["a"], Raw) is (request.param == 0)
    return node


def test_paths(node: Any) -> None:
    assert dig(node, ("rows",)) is not None
    assert dig(node, ("a", "n")) is None
    assert dig(node, ("a", "b", "c", "x")) is None
    assert dig(node, ("nothing", "at", "all")) is None
    assert list(dig_all(node, ("a", "b", "*", "c"))) == [1, "x"]
    assert list(dig_all(node, ("a", "*", "c"))) == []
    assert list(dig_all(node, ("text", "one"))) == ["eins"]


def test_rows_of_tables(node: Any) -> None:
    assert dig(node, ("rows", "TEXT")) == 1
    assert dig(node, ("rows", "AUDIO")) == 7
    assert dig(node, ("rows", "1h")) == 9
    assert dig(node, ("rows", "VIDEO")) is None


def test_text_along_a_tree(node: Any) -> None:
    """In the tree's order; what is no text at a leaf, as JSON."""
    found: list[str] = []
    gather(node, {"text": {"more": {"deep": {}}, "one": {}, "args": {}, "zero": {}, "none": {}}}, found)
    assert found == ["zwei", "drei", "eins", '{"k":[1]}']


def test_whether_a_leaf_holds_anything(node: Any) -> None:
    assert has(node, {"text": {"one": {}}})
    assert has(node, {"a": {"b": {"c": {}}}})
    assert not has(node, {"text": {"zero": {}, "none": {}}, "a": {"n": {}, "b": {"d": {}}}})


def test_numbers_and_names() -> None:
    assert (count(5), count(0), count(Raw(b"7"))) == (5, 0, 7)
    assert [count(bad) for bad in (-1, 1.0, "1", True, None, Raw(b"x"), 10**13)] == [None] * 7
    assert (text("a"), text(5), text(None), text("\ud800"), text("x" * 999)) == ("a", "", "", "?", "x" * 256)


@pytest.mark.parametrize(("body", "value"), [(b'{"a":NaN,"b":"\\ud800"}', "\ud800"), (b'{"a":0,"b":"\xff"}', "\ufffd")])
def test_the_forgiving_decoder(body: bytes, value: str) -> None:
    assert load(body)["b"] == value


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"a":1}{"b":2}'], ids=["none", "cut", "deep", "two"])
def test_what_is_no_json(body: bytes) -> None:
    assert load(body) is None


PATHS = (("a",), ("b", "c"), ("b", "d", "e"), ("f",), ("f", "g"))
names = st.sampled_from("abcdefgh") | st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(names, values, max_size=6), st.booleans(), st.sampled_from(["utf-8", "utf-16", "utf-32-be"]))
@settings(max_examples=200, deadline=None)
def test_wanted_members_are_those_of_the_whole(value: dict[str, Any], ascii_only: bool, encoding: str) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    found = Wanted(PATHS).read(as_utf8(body))
    for path in PATHS:
        whole = dig(value, path)
        if not isinstance(whole, dict | list | str):
            assert dig(found, path) == whole


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b'"a"', b"{", b'{"a":1}{}', b'{"a":1,}', b"{'a':1}"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        Wanted(PATHS).read(body)
