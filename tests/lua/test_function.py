"""A function's text is checked without being run."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.lua.function import LONGEST, LuaFunction, compile_check
from limiter.lua.request import LuaRequest
from tests.lua.running import Bench

PUBLISHED = """
local prompt_count = tonumber(kong.request.get_header("x-prompt-count"))
if prompt_count == nil then
  return 0
end
return prompt_count
"""


@pytest.mark.parametrize(
    "source", [PUBLISHED, "", "return 1", "-- nothing", "error('only when run')", "while true do end"]
)
def test_what_compiles_is_right(source: str) -> None:
    assert compile_check(source) is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("return (", "unexpected symbol near"),
        ("local x =\nlocal y", "2: unexpected symbol near 'local'"),
        ("return 1 return 2", "expected near 'return'"),
        ("x = 'open", "unfinished string near"),
        ("\x1bLua", "attempt to load chunk with wrong mode"),
        ("\x1bLJ\x02", "attempt to load chunk with wrong mode"),
        ("return " + "(" * 5000 + "1" + ")" * 5000, ""),
        ("-" * (LONGEST + 1), f"{LONGEST + 1} bytes of text, expected at most {LONGEST}"),
    ],
)
def test_what_does_not_says_so_as_kong_does(source: str, problem: str) -> None:
    found = compile_check(source)
    assert found is not None
    assert found.startswith("Error parsing function: ")
    assert problem in found


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["return", "end", "(", ")", "{", "do", "if", "'a", "1", "=", "local", "[["])).map(
        " ".join
    )
)
@settings(deadline=None)
def test_any_text_has_an_answer(source: str) -> None:
    found = compile_check(source)
    assert found is None or found.startswith("Error parsing function: ")


def test_one_that_does_not_compile_says_so_when_it_is_run(bench: Bench) -> None:
    count = bench.count("return (")
    assert (count.number, count.mistake) == (0, "raised")
    assert "Error parsing function: " in count.detail


def test_the_published_function(bench: Bench) -> None:
    assert bench.count(PUBLISHED, LuaRequest(headers=(("x-prompt-count", "100000"),))).number == 100000
    assert bench.count(PUBLISHED, LuaRequest()).number == 0
    assert bench.count(PUBLISHED, LuaRequest(headers=(("x-prompt-count", "many"),))).number == 0


def test_a_function_is_told_by_its_source() -> None:
    assert LuaFunction("return 1", "a").digest == LuaFunction("return 1", "b").digest
    assert LuaFunction("return 1", "a").digest != LuaFunction("return 2", "a").digest
    assert "return" not in repr(LuaFunction("return 1", "a"))
