"""Selection: the same limits as if every condition were looked at, at a cost that follows those that match."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.facts import Facts, reader
from limiter.rules import Condition, Limit, Policy, Rule, Selector, limits
from limiter.windows import Window

DAY = Window("fixed", 1, "day")
VALUES: Mapping[str, tuple[str, ...]] = {
    "provider": ("", "openai", "anthropic"),
    "model": ("", "gpt-5", "gpt-5-mini", "claude-sonnet-4"),
    "consumer": ("", "ada", "bob"),
    "ip": ("", "10.0.0.1", "10.1.0.1", "192.168.0.7", "2001:db8::1", "not an address"),
    "header:x-team": ("", "core", "Core"),
}
TEXTS: Mapping[str, tuple[str, ...]] = {
    "provider": ("openai", "anthropic", "*", "open*", "?*"),
    "model": ("gpt-5", "gpt-*", "*-mini", "claude-[st]*", "gpt-?", ""),
    "consumer": ("ada", "bob", "", "[ab]*"),
    "ip": ("10.0.0.1", "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "192.168.0.7", "10.*"),
    "header:x-team": ("core", "Core", "c*"),
}


def limit(name: str) -> Limit:
    """Some limit."""
    return Limit(name=name, meter="requests", amount=1, window=DAY, per=("model",))


def facts(values: Mapping[str, str]) -> Facts:
    """Facts with these values."""
    plain = {name: value for name, value in values.items() if ":" not in name}
    return Facts(**plain, headers={"x-team": values.get("header:x-team", "")})  # type: ignore[arg-type]


@st.composite
def conditions(draw: st.DrawFn) -> tuple[Condition, ...]:
    """Up to three conditions, each of one or more texts."""
    chosen = draw(st.lists(st.sampled_from(sorted(TEXTS)), max_size=3, unique=True))
    return tuple(
        Condition.parse(name, draw(st.lists(st.sampled_from(TEXTS[name]), min_size=1, max_size=3))) for name in chosen
    )


policies = st.lists(conditions(), max_size=12).map(
    lambda rules: Policy(tuple(Rule((limit(f"a{i}"), limit(f"b{i}")), c) for i, c in enumerate(rules)))
)
requests = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})


def naive(policy: Policy, request: Facts) -> list[str]:
    """Looks at every condition of every rule."""
    met = [rule for rule in policy.rules if all(_meets(condition, request) for condition in rule.conditions)]
    return [chosen.name for rule in met for chosen in rule.limits]


def _meets(condition: Condition, request: Facts) -> bool:
    value = reader(condition.dimension)(request)
    if value in condition.values or any(fnmatchcase(value, pattern) for pattern in condition.patterns):
        return True
    try:
        return any(ip_address(value) in network for network in condition.networks)
    except ValueError:
        return False


@given(policies, requests)
def test_selects_what_a_naive_look_selects(policy: Policy, values: Mapping[str, str]) -> None:
    """The same limits in the same order."""
    request = facts(values)

    assert [selected.limit.name for selected in Selector(policy).select(request)] == naive(policy, request)


class Counting(Mapping[str, str]):
    """Headers that count how often they are read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_by_name = values
        self.reads = 0

    def __getitem__(self, name: str) -> str:
        self.reads += 1
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


@pytest.mark.parametrize("shared", [(), (Condition.parse("header:x-api", ["chat"]),)], ids=["alone", "with-shared"])
def test_cost_follows_the_rules_that_match(shared: tuple[Condition, ...]) -> None:
    """Ten thousand rules are read no more than ten, even if all of them have one condition in common."""
    reads = []
    for count in (10, 10_000):
        rules = [
            Rule(
                (limit(f"n{index}"),),
                (*shared, Condition.parse("header:x-key", [str(index)]), Condition.parse("header:x-team", ["c*"])),
            )
            for index in range(count)
        ]
        selector = Selector(Policy(tuple(rules)))
        headers = Counting({"x-key": "7", "x-team": "core", "x-api": "chat"})

        assert [selected.limit.name for selected in selector.select(Facts(headers=headers))] == ["n7"]
        reads.append(headers.reads)

    assert reads[1] <= reads[0] + 1


def test_limits_without_conditions_always_apply() -> None:
    """A rule without conditions holds for every request, and its limits come with readers of their dimensions."""
    (selected,) = Selector(Policy((Rule((limit("all"),)),))).select(Facts(model="gpt-5"))

    assert selected.limit.name == "all"
    assert [read(Facts(model="gpt-5")) for read in selected.readers] == ["gpt-5"]


def test_parse_tells_texts_patterns_and_networks() -> None:
    """Addresses come in their canonical form."""
    parsed = Condition.parse("ip", ["10.0.0.0/8", "10.1.*", "2001:DB8::0:1"])

    assert parsed == Condition("ip", frozenset({"2001:db8::1"}), ("10.1.*",), (ip_network("10.0.0.0/8"),))
    assert Condition.parse("path", ["/v1/a/b"]) == Condition("path", frozenset({"/v1/a/b"}))


@pytest.mark.parametrize(("dimension", "text"), [("team", "a"), ("header:", "a"), ("ip", "10.0.0.1/8"), ("ip", "here")])
def test_parse_refuses_what_is_none(dimension: str, text: str) -> None:
    """Unknown dimensions, networks with host bits, and addresses that are none."""
    with pytest.raises(ValueError, match=r"."):
        Condition.parse(dimension, [text])


def test_limits_by_name() -> None:
    """Every limit of a policy."""
    assert list(limits(Policy((Rule((limit("a"), limit("b"))), Rule((limit("c"),)))))) == ["a", "b", "c"]
