"""One member is set, and no other byte is touched."""

# ruff: noqa: E501  (bodies, one a line)

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.splice import NotFoundError, ask_for_usage

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.just('"stream_options":{'),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just("stream_options"), below, max_size=4)
    ),
    max_leaves=12,
)
options = st.dictionaries(st.text(max_size=8) | st.just("include_usage"), values, max_size=3) | st.none()


def _with(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "stream_options": {**(value.get("stream_options") or {}), "include_usage": True}}


@given(
    st.dictionaries(st.text(max_size=12), values, max_size=6),
    st.none() | options.map(lambda value: (value,)),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.sampled_from([b"", b" \r\n", b"\xef\xbb\xbf"]),
)
@settings(max_examples=300, deadline=None)
def test_only_the_member_changes(
    body: dict[str, Any],
    wanted: tuple[Any] | None,
    indent: int | None,
    ascii_only: bool,
    lead: bytes,
) -> None:
    body.pop("stream_options", None)
    if wanted is not None:
        body = {"first": 1, **body, "stream_options": wanted[0], "last": [{}]}
    before = lead + json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    after = ask_for_usage(before)
    assert json.loads(after.removeprefix(lead)) == _with(body)
    assert len(after) - len(before) <= len(b'"stream_options":{"include_usage":true},')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"{}", b'{"stream_options":{"include_usage":true}}'),
        (b'{ "a": 1.50e+3 }', b'{"stream_options":{"include_usage":true}, "a": 1.50e+3 }'),
        (b'{"stream_options":null}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":{}}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options": { "x" : [1] } }', b'{"stream_options": {"include_usage":true, "x" : [1] } }'),
        (b'{"stream_options":{"include_usage" : null}}', b'{"stream_options":{"include_usage" : true}}'),
        (b'{"stream_options":{"include_usage":"no","y":2}}', b'{"stream_options":{"include_usage":true,"y":2}}'),
        (b'{"a":{"stream_options":null}}', b'{"stream_options":{"include_usage":true},"a":{"stream_options":null}}'),
        (b'{"stream_options":{"include_usage":true}}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"a":{"stream_options":{}},"stream_options":{},"b":{"stream_options":{}}}', b'{"a":{"stream_options":{}},"stream_options":{"include_usage":true},"b":{"stream_options":{}}}'),
        (b'{"say \\"stream_options":{},"stream_options":{}, "say \\"stream_options":{}}', b'{"say \\"stream_options":{},"stream_options":{"include_usage":true}, "say \\"stream_options":{}}'),
        (b'{"a":"\\ud800","stream_options":{"b":"\\ud800"}}', b'{"a":"\\ud800","stream_options":{"include_usage":true,"b":"\\ud800"}}'),
        (b'{"a":"\\"stream_options\\":{","b":"}"}', b'{"stream_options":{"include_usage":true},"a":"\\"stream_options\\":{","b":"}"}'),
        (b'{"stream_options":{},"stream_options":null}', b'{"stream_options":{},"stream_options":{"include_usage":true}}'),
        ('{"é":"\U0001f600"}'.encode(), '{"stream_options":{"include_usage":true},"é":"\U0001f600"}'.encode()),
    ],
)  # fmt: skip
def test_examples(before: bytes, after: bytes) -> None:
    assert ask_for_usage(before) == after


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"5", b"null", b'"{}"', b'x{"a":1}', b'{"stream_options":5}', b'{"stream_options":[]}', b'{"stream_options"',
     b'{"stream_options":{"a":', b'{"stream_options" 1}', b'{"stream_options":{} "b":1}', b'{"stream_options":"x',
     # No one spells it like that, and finding it would take a walk through everything.
     b'{"stream\\u005foptions":{}}', b'{"stream_options":{},"stream\\u005foptions":{}}',
     b'{"stream_options":{},"a":[' + b'{"stream_options":{}},' * 9 + b"0]}",
     b'{"stream_options":{"a":"' + b"a" * 5000 + b'"}}'],
)  # fmt: skip
def test_what_is_no_such_body_is_refused(body: bytes) -> None:
    with pytest.raises(NotFoundError):
        ask_for_usage(body)


@given(st.binary(max_size=100))
@settings(max_examples=200, deadline=None)
def test_junk_is_refused_in_one_way(junk: bytes) -> None:
    for body in (junk, b'{"stream_options":' + junk, b'{"stream_options":{' + junk):
        with contextlib.suppress(NotFoundError):
            assert ask_for_usage(body).count(b"include_usage") >= 1


def test_deep_nesting_is_no_trap() -> None:
    body = b'{"stream_options":{},"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(NotFoundError):
        ask_for_usage(body)


LONG = b",".join(b'"k%d":1' % number for number in range(400_000))
"""5 MB of members, the slowest JSON there is to walk through."""


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream_options":{},' + LONG + b"}",
        b"{" + LONG + b',"stream_options":{}}',
        b'{"stream_options":{' + LONG + b"}}",
        b'{"stream_options":{},"a":[' + b'{"stream_options":{}},' * 200_000 + b"0]}",
        b"{" + b'"stream_options":{},' * 200_000 + b'"a":1}',
        b'{"stream_options":' + b" " * 5_000_000 + b"{}}",
    ],
    ids=["at the front", "at the end", "inside", "nested", "repeated", "spaces"],
)
def test_long_bodies_take_no_longer_than_copying_them_some_times(body: bytes) -> None:
    """A walk in Python through any of these takes a second and more."""
    times = []
    for _ in range(3):
        before = time.process_time()
        with contextlib.suppress(NotFoundError):
            ask_for_usage(body)
        times.append(time.process_time() - before)
    assert min(times) < 0.15
