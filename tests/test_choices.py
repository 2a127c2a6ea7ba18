"""Alternatives among rules: the first that matches claims its option, and the others of that choice stay out."""

from limiter.facts import Facts
from limiter.rules import Choice, Condition, Limit, Policy, Rule
from limiter.selection import Selector
from limiter.windows import Window


def rule(name: str, *choices: Choice, **conditions: str) -> Rule:
    limits = (Limit(name, "requests", 1, Window("fixed", 1, "minute")),) if name else ()
    return Rule(limits, tuple(Condition.parse(key, [value]) for key, value in conditions.items()), choices)


def selected(rules: list[Rule], **facts: object) -> str:
    plans = Selector(Policy(tuple(rules))).select(Facts(**facts))  # type: ignore[arg-type]
    return "".join(plan.limit.name for plan in plans)


def test_the_first_that_matches_wins_whatever_index_finds_it() -> None:
    rules = [
        rule("a", Choice("x", 0), consumer="ann"),
        rule("b", Choice("x", 1), model="gpt-*"),
        rule("c", Choice("x", 2)),
        rule("d"),
    ]
    assert selected(rules, consumer="ann", model="gpt-4o") == "ad"
    assert selected(rules, consumer="bob", model="gpt-4o") == "bd"
    assert selected(rules, consumer="bob", model="o3") == "cd"


def test_rules_of_one_option_apply_together() -> None:
    rules = [rule("a", Choice("x", 0), model="m"), rule("b", Choice("x", 1)), rule("c", Choice("x", 0), consumer="ann")]
    assert selected(rules, model="m", consumer="ann") == "ac"
    assert selected(rules, consumer="ann") == "b"


def test_a_rule_without_limits_claims_its_option() -> None:
    rules = [rule("", Choice("x", 0), host="h"), rule("a", Choice("x", 0), model="m"), rule("b", Choice("x", 1))]
    assert selected(rules, host="h") == ""
    assert selected(rules, host="h", model="m") == "a"
    assert selected(rules) == "b"


def test_an_inner_choice_is_claimed_only_where_the_outer_one_is_taken() -> None:
    outer = [Choice("x", 0), Choice("x", 1)]
    rules = [
        rule("", outer[0], host="h"),
        rule("a", outer[1], Choice("y", 0)),
        rule("b", outer[0], Choice("y", 1), host="h"),
    ]
    assert selected(rules, host="h") == "b"
    assert selected(rules) == "a"


def test_a_condition_on_groups_is_met_by_any_of_them() -> None:
    rules = [rule("a", group="red"), rule("b", group="b*"), rule("c", group="red", consumer="ann"), rule("d", group="")]
    assert selected(rules, groups=("blue", "red"), consumer="ann") == "abc"
    assert selected(rules, groups=("black", "blue")) == "b"
    assert selected(rules) == "d"
