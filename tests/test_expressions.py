"""Expressions of RE2, searched one by one and all at once."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.expressions import LONGEST, TOGETHER, Expressions, problem, search
from limiter.facts import Facts
from limiter.rules import Condition, Limit, Policy, Rule
from limiter.selection import Selector
from limiter.windows import Window

PARTS = st.sampled_from(["a", "b", "^", "$", ".", "[ab]", "(?i)A", "a*", "b+", r"\d", "|", r"\Q*\E", "ä"])
EXPRESSIONS = st.lists(PARTS, max_size=5).map("".join).filter(lambda expression: not problem(expression))
VALUES = st.text("abAB1*ä\n", max_size=6)


@pytest.mark.parametrize("wrong", ["(?=a)", r"(a)\1", "(a", "*", "a{1001}", "\udcff", "a" * (LONGEST + 1)])
def test_what_is_wrong_is_told(wrong: str) -> None:
    assert problem(wrong)
    with pytest.raises(ValueError, match="expression"):
        search(wrong)


@given(st.lists(EXPRESSIONS, unique=True, max_size=8), VALUES)
def test_together_they_find_what_each_finds_alone(expressions: list[str], value: str) -> None:
    assert sorted(Expressions(expressions).find(value)) == sorted(one for one in expressions if search(one)(value))


def test_there_may_be_more_than_one_automaton_holds() -> None:
    many = Expressions(rf"^user-{number}-\d+(x|y)*z?.*end$" for number in range(TOGETHER * 5 + 1))
    assert many.find(f"user-{TOGETHER * 5}-7xyz..end") == [rf"^user-{TOGETHER * 5}-\d+(x|y)*z?.*end$"]
    assert many.find("user-none") == []


def test_no_value_takes_long() -> None:
    """With an engine that tries every way, each of these would take years."""
    evil = Expressions(["(a+)+$", "(a|aa)+$", "(a|a?)+c", "(.*a){20}$"])
    began = time.perf_counter()
    assert evil.find("a" * 20_000 + "b") == []
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("code", [0xDCFF, 0xDCE4, 0xD800])
def test_each_undecodable_byte_is_one_character_that_a_dot_matches(code: int) -> None:
    """As in Go: U+FFFD. So is what JSON can write and UTF-8 cannot."""
    odd = chr(code)
    for expression in ("b$", "^a.b$", "^a[^x]b$", r"^a\x{FFFD}b$"):
        assert search(expression)(f"a{odd}b")
        assert Expressions([expression]).find(f"a{odd}b") == [expression]
    assert search("^...$")(f"{odd}b{odd}")
    assert not search("^.$")(f"{odd}{odd}")


LARGE = (r"^[\pL\pN]{1,64}-%d$", r"^[\pL\pN_.-]{1,100}@t%d$")
"""Sixteen of them are more than one automaton has memory for."""


def test_large_expressions_are_spread_over_several_automata() -> None:
    expressions = [pattern % number for number in range(8) for pattern in LARGE]
    found = Expressions([*expressions, "^z$"])
    assert found.find("zoë-6") == [LARGE[0] % 6]
    assert found.find("zo.ë@t7") == [LARGE[1] % 7]
    assert found.find("z") == ["^z$"]


def test_automata_are_halved_where_memory_ends_before_it_was_thought_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is too large for one by itself is searched alone."""
    monkeypatch.setattr("limiter.expressions.MEMORY", 4 * 1024 * 1024)
    monkeypatch.setattr("limiter.expressions.INSTRUCTIONS", sys.maxsize)
    huge = r"^\pL{1,70}=0$"
    found = Expressions([huge, *(rf"^\pL{{1,15}}-{number}$" for number in range(12))])
    assert found.find("zoë-11") == [r"^\pL{1,15}-11$"]
    assert found.find("zoë=0") == [huge]
    assert found.find("zoë=1") == []


def test_a_policy_has_compiled_its_expressions_before_the_first_request() -> None:
    """The first request is as quick as the next, and nothing that can fail is left to it."""
    window = Window("fixed", 1, "minute")
    rules = [
        Rule(
            (Limit(str(number), "requests", 1, window),),
            (Condition("header:x", regexes=(LARGE[0] % number,)), Condition("model", regexes=("^m",))),
        )
        for number in range(8)
    ]
    selector = Selector(Policy(tuple(rules)))
    began = time.perf_counter()
    assert [plan.limit.name for plan in selector.select(Facts(headers={"x": "zoë-3"}, model="m"))] == ["3"]
    assert time.perf_counter() - began < 0.1


def _selected(rules: list[Rule], value: str) -> list[str]:
    facts = Facts(headers={"x": value}, model="m")
    return [plan.limit.name for plan in Selector(Policy(tuple(rules))).select(facts)]


@given(
    st.lists(
        st.tuples(st.lists(EXPRESSIONS, max_size=2), st.frozensets(VALUES, max_size=2), st.booleans()), max_size=6
    ),
    VALUES,
)
def test_rules_are_found_by_their_expressions(
    accepted: list[tuple[list[str], frozenset[str], bool]], value: str
) -> None:
    """Whichever condition they are filed under."""
    rules = [
        Rule(
            (Limit(str(number), "requests", 1, Window("fixed", 1, "minute")),),
            (
                Condition("header:x", values, regexes=tuple(expressions)),
                *((Condition("model", frozenset({"m"})),) if with_model else ()),
            ),
        )
        for number, (expressions, values, with_model) in enumerate(accepted)
    ]
    expected = [
        str(number)
        for number, (expressions, values, _) in enumerate(accepted)
        if value in values or any(search(expression)(value) for expression in expressions)
    ]
    assert _selected(rules, value) == expected
