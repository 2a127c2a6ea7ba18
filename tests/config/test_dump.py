"""The native form says the same as what it was made of."""

from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from limiter.config import Configuration, dump, parse
from limiter.config.amounts import LARGEST
from limiter.config.laying import UTC
from limiter.config.matching import CANONICAL
from limiter.dimensions import PLAIN
from limiter.meters import METERS
from limiter.rules import Condition, Limit, Mode, Policy, Reserve, Rule
from limiter.settings import OnStoreError, OnUnknownPrice, Price, Settings
from limiter.windows import LOCAL, SECONDS, Window

zones = st.sampled_from([UTC, LOCAL, "Europe/Berlin", "Asia/Kathmandu", "America/Argentina/Buenos_Aires"])
windows = st.builds(
    Window, st.sampled_from(["fixed", "sliding", "anchored"]), st.integers(1, 500), st.sampled_from(sorted(SECONDS))
) | st.builds(Window, st.just("calendar"), st.integers(1, 10), st.sampled_from(["day", "week", "month", "year"]), zones)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "yes",
        "on",
        "null",
        "~",
        "12",
        "1e3",
        "0x1F",
        "12:30",
        "- a",
        "a: b",
        "#",
        "*",
        "?*",
        "[ab]c*",
        "$5",
        "=",
        "<<",
        "\n",
    ]
)
names = st.text("abcXYZ09_.-", min_size=1, max_size=20)
hosts = st.sampled_from(["a.example", "127.0.0.1:9000", "[::1]:80", "b", "c.example:443"])
dimensions = st.sampled_from(PLAIN) | st.builds(
    "{}:{}".format, st.sampled_from(["header", "query", "cookie"]), st.text("abc-_", min_size=1, max_size=8)
)
addresses = st.ip_addresses(v=4).map(str) | st.sampled_from(["10.*", "10.0.0.0/8", "2001:db8::/32", "::1"])
networks = st.ip_addresses(v=4).map(lambda ip: IPv4Network(f"{ip}/24", strict=False)) | st.sampled_from(
    [IPv4Network("10.1.2.3/32"), IPv6Network("::1/128"), IPv6Network("fd00::/8")]
)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[Condition, ...]:
    """Conditions as the native dialect makes them."""
    chosen = draw(st.lists(dimensions, max_size=3, unique=True))
    texts = {
        "ip": addresses,
        "credential": st.sampled_from(["", "0123456789abcdef", "00*"]),
        "host": hosts | words.filter(lambda text: "/" not in text),
    }
    return tuple(
        Condition.parse(
            name,
            [CANONICAL.get(name, str)(text) for text in draw(st.lists(texts.get(name, words), min_size=1, max_size=3))],
        )
        for name in chosen
    )


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    """A rule of one limit."""
    meter = draw(st.sampled_from(sorted(METERS)))
    limit = Limit(
        name=name,
        meter=meter,
        amount=draw(st.integers(0, LARGEST)),
        window=draw(windows),
        per=tuple(draw(st.lists(dimensions, max_size=3, unique=True))),
        mode=draw(st.sampled_from(get_args(Mode))),
        reserve="none" if meter == "requests" else draw(st.sampled_from(get_args(Reserve))),
        status=draw(st.sampled_from([None, 400, 402, 403, 429, 503])),
    )
    return Rule((limit,), draw(conditions()))


policies = st.lists(names, max_size=5, unique=True).flatmap(
    lambda chosen: st.tuples(*(rules(name) for name in chosen)).map(Policy)
)
dollars = st.decimals(0, 1_000_000, places=6, allow_nan=False) | st.integers(0, 100).map(Decimal)
prices = st.builds(
    Price,
    model=words.filter(bool),
    provider=words.filter(bool),
    input=dollars,
    output=dollars,
    cached=st.none() | dollars,
    cache_write=st.none() | dollars,
    request=dollars,
)
settings = st.builds(
    Settings,
    store=words,
    store_timeout=st.floats(1e-3, 300, allow_nan=False),
    providers=st.dictionaries(hosts, words.filter(bool), max_size=3).map(MappingProxyType),
    prices=st.lists(prices, max_size=3, unique_by=lambda price: (price.provider, price.model)).map(tuple),
    models=st.dictionaries(words.filter(bool), words.filter(bool), max_size=2).map(MappingProxyType),
    service_addresses=st.dictionaries(
        words.filter(bool), st.sampled_from(["a:1", "[::1]:6379", "10.0.0.1:65535"]), max_size=3
    ).map(MappingProxyType),
    trusted_peers=st.lists(networks, max_size=3, unique=True).map(tuple),
    on_store_error=st.sampled_from(get_args(OnStoreError)),
    on_unknown_price=st.sampled_from(get_args(OnUnknownPrice)),
    rate_limit_headers=st.booleans(),
)


@given(st.builds(Configuration, policy=policies, settings=settings))
def test_the_native_form_is_read_back(configuration: Configuration) -> None:
    """dump and parse are inverse."""
    assert parse(dump(configuration), "dumped.yaml") == configuration


def test_exact_values_of_other_dialects_stay_exact() -> None:
    """What would be a pattern here is written so that it only matches itself."""
    rule = Rule((Limit("a", "requests", 1, Window("fixed", 1, "day")),), (Condition("path", frozenset({"/a*[b]?"})),))
    printed = dump(Configuration(policy=Policy((rule,)), settings=Settings()))
    ((pattern,),) = (condition.patterns for condition in parse(printed, "f").policy.rules[0].conditions)

    assert pattern == "/a[*][[]b][?]"


def test_rules_of_several_limits_become_several() -> None:
    """A native limit has its own match."""
    day = Window("fixed", 1, "day")
    rule = Rule((Limit("a", "requests", 1, day), Limit("b", "cost", 2, day)), (Condition.parse("model", ["x"]),))
    read_back = parse(dump(Configuration(policy=Policy((rule,)), settings=Settings())), "f")

    assert [(each.limits[0].name, each.conditions) for each in read_back.policy.rules] == [
        ("a", rule.conditions),
        ("b", rule.conditions),
    ]
