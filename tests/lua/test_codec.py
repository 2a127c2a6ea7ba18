"""JSON, forms and paths as functions read and write them, against other readers of the same."""

import json
from urllib.parse import quote, unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.lua.request import Json, LuaRequest
from limiter.lua.runtime import available
from tests.lua.running import Bench

BENCHES = [Bench(name) for name in available()]
SCALARS = st.none() | st.booleans() | st.integers(-(2**46), 2**46) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(st.text(), inner), max_leaves=10
)


def through(bench: Bench, body: bytes, source: str) -> bytes:
    """What a function that reads the body as `body` writes to the log."""
    reply = bench.reply(f"local body = kong.request.get_raw_body() kong.log({source}) return 0", LuaRequest(body=body))
    assert reply.kind == "number", reply
    return reply.lines[0][1]


@given(VALUES, st.booleans())
@settings(max_examples=60, deadline=None)
def test_json_comes_back_as_it_went_in(value: Json, ascii_only: bool) -> None:
    text = json.dumps({"v": value}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")[:900]
    try:
        expected = json.loads(text)
    except ValueError:
        return
    for bench in BENCHES:
        out = through(bench, text, "require('cjson').encode(require('cjson').decode(body))")
        if len(out) < 1000:  # Longer lines are cut.
            assert json.loads(out) == expected


@given(st.binary(max_size=60) | st.text('[]{}",:\\u01e-.tfn ', max_size=40).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_junk_is_no_json_or_what_others_make_of_it(text: bytes) -> None:
    for bench in BENCHES:
        out = through(bench, text, "require('cjson.safe').encode((require('cjson.safe').decode(body)))")
        try:
            expected = json.loads(text.decode("latin-1"), strict=True)
        except ValueError:
            continue
        if isinstance(expected, dict | list) and b"\\u" not in text:
            assert alike(json.loads(out)) == alike(expected)
        elif b"\\u" not in text:
            assert out  # Numbers have other limits.


def alike(value: Json) -> Json:
    """Without the difference between an empty array and an empty object, which Lua does not know."""
    if isinstance(value, list):
        return [alike(item) for item in value] or {}
    return {name: alike(item) for name, item in value.items()} if isinstance(value, dict) else value


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_forms(pairs: list[tuple[str, str]]) -> None:
    body = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    expected: dict[str, list[str]] = {}
    for name, value in pairs:
        expected.setdefault(name, []).append(value)
    request = LuaRequest(target=f"/?{body}")
    for bench in BENCHES:
        (found,) = bench.values("kong.request.get_query()", request)
        if pairs:
            assert found == {name: values[0] if len(values) == 1 else values for name, values in expected.items()}


@given(st.lists(st.sampled_from(["a", "b%41", "%2f", "%2e", "..", ".", "", "%2E%2e", "c%20d"]), max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_path_in_its_normal_form(segments: list[str]) -> None:
    raw = "/" + "/".join(segments)
    for bench in BENCHES:
        path = bench.values("kong.request.get_path()", LuaRequest(target=raw))[0]
        assert isinstance(path, str)
        assert path.startswith("/")
        assert "//" not in path
        assert not {".", ".."} & set(path.split("/"))
        kept: list[bytes] = []
        for segment in segments:
            name = unquote_to_bytes(segment)
            if name == b"..":
                kept = kept[:-1]
            elif name not in (b"", b"."):
                kept.append(name)
        assert [unquote_to_bytes(part) for part in path.split("/") if part] == kept


@given(st.integers(-(2**31), 2**32 - 1), st.integers(-(2**31), 2**32 - 1), st.integers(0, 31))
@settings(max_examples=60, deadline=None)
def test_bits(left: int, right: int, count: int) -> None:
    def signed(number: int) -> int:
        return (number + 2**31) % 2**32 - 2**31

    word = left % 2**32
    expected = [
        signed(left & right), signed(left | right), signed(left ^ right), signed(~left), signed(word << count),
        signed(word >> count), signed(left) >> count, signed(word << count | word >> (32 - count)),
    ]  # fmt: skip
    for bench in BENCHES:
        assert expected == bench.values(
            f"bit.band({left}, {right}), bit.bor({left}, {right}), bit.bxor({left}, {right}), bit.bnot({left}),"
            f"bit.lshift({left}, {count}), bit.rshift({left}, {count}), bit.arshift({left}, {count}),"
            f"bit.rol({left}, {count})"
        )


def test_json_nested_too_deeply_is_refused() -> None:
    for bench in BENCHES:
        found = bench.values("require('cjson.safe').decode(('['):rep(100000))")
        assert found == [None, "Found too many nested data structures (1001)"]
        looped = bench.count("local t = {} t.t = t return require('cjson').encode(t)")
        assert "excessive depth" in looped.detail
