"""Every outcome of a call is one number, finite and not negative."""

from math import copysign, isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.lua.messages import Reply
from limiter.lua.outcomes import MOST, Count, judge
from tests.lua.running import Bench


@pytest.mark.parametrize(
    ("source", "number", "mistake"),
    [
        ("return 42", 42, ""),
        ("return 1.5", 1.5, ""),
        ("return 1, 2", 1, ""),
        ("return '42'", 42, ""),
        ("return ' 0x10 '", 16, ""),
        ("return '1e3'", 1000, ""),
        ("return 1e300", 1e300, ""),
        ("return -0", 0, ""),
        ("return 0 * -1", 0, ""),
        ("", 0, "nil"),
        ("return nil", 0, "nil"),
        ("return tonumber(nil)", 0, "nil"),
        ("return tonumber('')", 0, "nil"),
        ("return -1", 0, "negative"),
        ("return '-3'", 0, "negative"),
        ("return 0/0", 0, "not finite"),
        ("return 1/0", 0, "not finite"),
        ("return -1/0", 0, "not finite"),
        ("return 10^400", 0, "not finite"),
        ("return 'many'", 0, "not a number"),
        ("return ''", 0, "not a number"),
        ("return {}", 0, "not a number"),
        ("return true", 0, "not a number"),
        ("return function() end", 0, "not a number"),
        ("return coroutine.create(function() end)", 0, "not a number"),
        ("return ngx.null", 0, "not a number"),
        ("return kong", 0, "not a number"),
        ("error('no')", 0, "raised"),
        ("error()", 0, "raised"),
        ("error({})", 0, "raised"),
        ("error(kong)", 0, "raised"),
        ("return nil + 1", 0, "raised"),
        ("return missing()", 0, "raised"),
        ("return string.rep('x', 1e9)", 0, "memory"),
        ("while true do end", 0, "overran"),
    ],
)
def test_outcome(bench: Bench, source: str, number: float, mistake: str) -> None:
    count = bench.count(source)
    assert (count.number, count.mistake) == (number, mistake)
    assert copysign(1, count.number) == 1
    assert bool(count.detail) == bool(mistake)


@given(st.floats() | st.integers(-(2**60), 2**60).map(float), st.integers(1, 10**9))
def test_any_number_comes_to_an_amount_that_stores_can_book(number: float, scale: int) -> None:
    count = judge(Reply("number", number))
    assert isfinite(count.number)
    assert count.number >= 0
    assert (count.mistake == "") == (isfinite(number) and number >= 0)
    assert 0 <= count.amount(scale) <= MOST


@pytest.mark.parametrize(
    ("number", "scale", "amount"), [(3, 1, 3), (1.5, 1, 2), (0.5, 1, 0), (0.1, 1000, 100), (1e300, 10**9, MOST)]
)
def test_amounts(number: float, scale: int, amount: int) -> None:
    assert Count(number).amount(scale) == amount


def test_the_text_of_an_error_is_bounded(bench: Bench) -> None:
    assert len(bench.reply("error(('x'):rep(100000), 0)").detail) == 500


def test_a_worker_that_speaks_out_of_turn_gives_no_number() -> None:
    assert judge(Reply("ready")).mistake == "died"
