"""Numbers as LuaJIT has them; LuaJIT itself says what is right."""

from fractions import Fraction
from math import inf, isnan, nan
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limiter.kong.numbers import tonumber, tostring

luajit21 = pytest.importorskip("lupa.luajit21")
LUA: Any = luajit21.LuaRuntime(encoding=None)
_read = LUA.eval("function(text) return tonumber(text, 10) end")
_print = LUA.eval("tostring")
_NUMERALS = st.from_regex(
    r"\A[ \t]*[-+]?(0[xX][0-9a-fA-F.]{0,20}([pP][-+]?[0-9]{0,4})?|0[bB][01]{0,70}|[0-9.]{0,30}([eE][-+]?[0-9]{0,4})?"
    r"|[iI]nf(inity)?|nan)[ \r\n\v\f]*\Z"
)


def same(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return ours == theirs or (isnan(ours) and isnan(theirs))


@given(_NUMERALS | st.text(max_size=12) | st.floats().map(repr) | st.integers().map(str))
@example("0x")
@example("0x.")
@example("0b")
@example(".")
@example("1e")
@example("1e+")
@example("0x1p")
@example("0x.8p1")
@example("1e400")
@example("-1e-400")
@example("0" * 900 + "1")
@example("1" * 801)
@example("1" * 800)
@example("0." + "0" * 900 + "1")
@example("- 1")
@example("--1")
@example("0x1p99999999999999999999")
@example("1e-99999999999999999999")
@example("1e1048575")
@example("0e-1048576")
@example("0b" + "1" * 65)
@example("0b" + "0" * 9 + "1" * 64)
@example("0x" + "f" * 900)
@example("0x." + "0" * 300 + "1")
@example("1\0")
@example("infinit")
@example("0b12")
@example("00x1")
def test_texts_are_read_as_luajit_reads_them(text: str) -> None:
    assert same(tonumber(text), _read(text.encode("utf-8", "surrogatepass"))), text


@given(st.floats())
@example(1e15)
@example(0.30000000000000004)
@example(-0.0)
@example(inf)
@example(-inf)
@example(nan)
def test_numbers_are_printed_as_luajit_prints_them(number: float) -> None:
    assert tostring(number) == _print(number).decode()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10, "10"),
        (Fraction(17, 2), "8.5"),
        (Fraction(10**15), "1e+15"),
        (Fraction(10**400), "inf"),
        (Fraction(-(10**400)), "-inf"),
        (Fraction(1, 3), "0.33333333333333"),
    ],
)
def test_exact_numbers_are_printed_alike(number: Fraction | int, text: str) -> None:
    assert tostring(number) == text
