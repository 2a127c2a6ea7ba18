"""Selection: the same limits as if every condition were looked at, at a cost that follows those that match."""

import sys
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.dimensions import reader
from limiter.facts import Facts
from limiter.plans import NOTHING_HELD
from limiter.rules import Condition, Limit, Policy, Rule
from limiter.selection import LONG, REMEMBERED, Selector
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
    "model": ("gpt-5", "gpt-*", "*-mini", "claude-[st]*", "gpt-?", "*sonnet*", ""),
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


def policy_of(*rules: tuple[Condition, ...]) -> Policy:
    """A policy with two limits for each tuple of conditions."""
    return Policy(tuple(Rule((limit(f"a{i}"), limit(f"b{i}")), conditions) for i, conditions in enumerate(rules)))


@st.composite
def conditions(draw: st.DrawFn) -> tuple[Condition, ...]:
    """Up to three conditions, each of one or more texts."""
    chosen = draw(st.lists(st.sampled_from(sorted(TEXTS)), max_size=3, unique=True))
    return tuple(
        Condition.parse(name, draw(st.lists(st.sampled_from(TEXTS[name]), min_size=1, max_size=3))) for name in chosen
    )


policies = st.lists(conditions(), max_size=12).map(lambda rules: policy_of(*rules))
requests = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})


def select(selector: Selector, request: Facts) -> list[str]:
    """Names of the limits that apply."""
    return [plan.limit.name for plan in selector.select(request)]


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


@given(policies, st.lists(requests, min_size=1, max_size=4))
def test_selects_what_a_naive_look_selects(policy: Policy, seen: list[Mapping[str, str]]) -> None:
    """The same limits in the same order, at the first look and at the next."""
    selector = Selector(policy)
    for values in (*seen, *seen):
        assert select(selector, facts(values)) == naive(policy, facts(values))


WRITTEN = st.text("aAbßé🙂-.]!^ \n", max_size=5)
"""Values, also such that patterns give a meaning to."""
DRAWN = st.lists(
    st.one_of(WRITTEN, st.sampled_from(["*", "?", "[", "[ab]", "[!a]", "[a-b]", "[]]", "[*]"])), max_size=4
)


@given(st.lists(st.lists(DRAWN.map("".join), min_size=1, max_size=3), max_size=8), st.lists(WRITTEN, min_size=1))
def test_patterns_accept_what_shell_patterns_accept(accepted: list[list[str]], values: list[str]) -> None:
    """Any text and any pattern, whichever end of it is plain; case matters; values and patterns mix."""
    policy = policy_of(*((Condition.parse("model", texts),) for texts in accepted))
    selector = Selector(policy)
    for value in (*values, *(text for texts in accepted for text in texts)):
        assert select(selector, Facts(model=value)) == naive(policy, Facts(model=value))


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """Addresses of both versions that often share a prefix."""
    low, bits = draw(st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1))), draw(st.sampled_from([32, 128]))
    return str(ip_address((draw(st.integers(0, 3)) << (bits - 2) | low).to_bytes(bits // 8)))


@st.composite
def networks(draw: st.DrawFn) -> Condition:
    """A condition of networks of any prefix, written with bits of a host in them, and of some addresses."""
    written = draw(st.lists(addresses(), min_size=1, max_size=4))
    lengths = [draw(st.integers(0, ip_address(text).max_prefixlen)) for text in written]
    found = (ip_network(f"{text}/{length}", strict=False) for text, length in zip(written, lengths, strict=True))
    return Condition("ip", frozenset(draw(st.lists(addresses(), max_size=2))), ("*.7",), tuple(found))


@given(
    st.lists(networks(), max_size=8),
    st.lists(st.one_of(addresses(), st.sampled_from(["", "10.0.0", "fe80::1%eth0", "::ffff:10.0.0.1"])), min_size=1),
)
def test_networks_hold_the_addresses_of_their_prefix(accepted: list[Condition], values: list[str]) -> None:
    """Of their own version, and nothing else."""
    policy = policy_of(*((condition,) for condition in accepted))
    selector = Selector(policy)
    inside = [str(network[-1]) for condition in accepted for network in condition.networks]
    for value in (*values, *inside):
        assert select(selector, Facts(ip=value)) == naive(policy, Facts(ip=value))


@pytest.mark.parametrize("length", [1, LONG, LONG + 1])
def test_more_values_than_are_remembered_are_told_apart(length: int) -> None:
    """Also when an early one comes again; short or long."""
    selector = Selector(policy_of((Condition.parse("model", ["*-7", "*-1000*"]),)))
    for number in (*range(2 * REMEMBERED), 7, 8):
        found = select(selector, Facts(model=f"{'m' * length}-{number}"))
        assert bool(found) == (number in {7, 1000})


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

        assert select(selector, Facts(headers=headers)) == ["n7"]
        reads.append(headers.reads)

    assert reads[1] <= reads[0] + 1


def calls(action: Callable[[], object]) -> int:
    """How many functions are called on the way, built-in ones among them."""
    count = 0

    def profile(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


KINDS: Mapping[str, Callable[[int], tuple[str, list[str]]]] = {
    "values": lambda n: ("model", [f"gpt-{n:04}"]),
    "beginnings": lambda n: ("model", [f"gpt-{n:04}-*"]),
    "ends": lambda n: ("model", [f"gpt-*-{n:04}"]),
    "both": lambda n: ("model", [f"gpt-{n:04}", f"gpt-{n:04}-[ab]*", f"?pt-*-{n:04}"]),
    "IPv4": lambda n: ("ip", [f"10.{n // 256}.{n % 256}.0/24"]),
    "IPv6": lambda n: ("ip", [f"2001:db8:{n:x}::/48", f"2001:db8:ffff:{n:x}::/64"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_match_costs_nothing(kind: str) -> None:
    """A thousand conditions take no more steps than ten, also for values that were never seen before."""
    steps = []
    for count, address in ((10, "192.0.2.1"), (1000, "192.0.2.2")):
        request = Facts(model="gpt-5", ip=address)
        selector = Selector(policy_of(*((Condition.parse(*KINDS[kind](n)),) for n in range(count))))
        steps.append(calls(partial(selector.select, request)))

    assert steps[1] <= steps[0]


def test_patterns_that_are_plain_at_neither_end_are_tried_once_for_a_value() -> None:
    """A value that was seen before takes as many steps as if there were one pattern."""
    steps = []
    for count in (1, 100):
        selector = Selector(policy_of(*((Condition.parse("model", [f"*-{n}-*"]),) for n in range(count))))
        selector.select(Facts(model="gpt-5"))
        steps.append(calls(partial(selector.select, Facts(model="gpt-5"))))

    assert steps[1] == steps[0]


def test_limits_without_conditions_always_apply() -> None:
    """A rule without conditions holds for every request, and its limits are kept by their dimensions."""
    (plan,) = Selector(Policy((Rule((limit("all"),)),))).select(Facts(model="gpt-5"))

    assert plan.limit.name == "all"
    assert plan.charge(Facts(model="gpt-5"), NOTHING_HELD, 0).key.endswith(":gpt-5")


def test_a_condition_that_accepts_nothing_is_never_met() -> None:
    """It has no text to be found by."""
    assert not select(Selector(policy_of((Condition("model"),))), Facts())
