"""Whatever stands in a document, it is a configuration or has problems with their places; nothing raises."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from limiter.config import ConfigError, parse
from limiter.config.documents import read
from limiter.config.higress import HIGRESS
from limiter.config.higress.addresses import networks
from limiter.config.higress.coercion import number, text
from limiter.config.higress.configured import FIELDS
from limiter.config.higress.items import KINDS
from limiter.config.higress.thresholds import UNITS
from limiter.redis_settings import Credentials, RedisSettings
from limiter.settings import Settings

ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e6, 1e6) | st.text("ab*:1/. é", max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab_", max_size=3), inner, max_size=2),
    max_leaves=4,
)
THRESHOLDS = st.dictionaries(st.sampled_from([*UNITS]), ODD | st.integers(1, 9), max_size=2)
KEYS = st.builds(
    lambda key, rest: {**key, **rest},
    st.fixed_dictionaries({}, optional={"key": ODD | st.sampled_from(["*", "regexp:^a", "regexp:(", "10.0.0.0/8"])}),
    THRESHOLDS,
)
ITEMS = st.builds(
    lambda kinds, rest: {**kinds, **rest},
    st.dictionaries(st.sampled_from(KINDS), ODD | st.sampled_from(["x", "from-remote-addr"]), max_size=2),
    st.fixed_dictionaries({}, optional={"limit_keys": ODD | st.lists(KEYS, max_size=3)}),
)
REDIS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("service_port", "username", "password", "timeout", "database"), ODD)
    | {"service_name": ODD | st.sampled_from(["redis", "redis.static"])},
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS, ODD),
        "rule_name": ODD,
        "mode": st.sampled_from(["overlay", "first_match", "x"]) | ODD,
        "redis": ODD | REDIS,
        "global_threshold": ODD | THRESHOLDS,
        "rule_items": ODD | st.lists(ITEMS, max_size=3),
    },
)
RULES = st.fixed_dictionaries(
    {},
    optional={name: ODD | st.just(["a"]) for name in ("ingress", "domain", "service", "configDisable", "routeType")}
    | {"config": ODD | CONFIGS},
)
RESOURCES = st.fixed_dictionaries(
    {"kind": st.just("WasmPlugin"), "metadata": st.just({"name": "ai-token-ratelimit"})},
    optional={
        "spec": ODD
        | st.fixed_dictionaries(
            {},
            optional={"defaultConfig": ODD | CONFIGS, "matchRules": ODD | st.lists(RULES, max_size=3)}
            | dict.fromkeys(("defaultConfigDisable", "pluginConfig", "url", "mode"), ODD),
        )
    },
)
FLATTENED = st.builds(lambda config, rules: {**config, "_rules_": rules}, CONFIGS, ODD | st.lists(CONFIGS, max_size=2))


@given(CONFIGS | RESOURCES | FLATTENED)
def test_anything_can_be_read(data: dict[str, Any]) -> None:
    """And what has no problem has rules, or says why not."""
    written = yaml.safe_dump(data, allow_unicode=True)
    for document in read(written, "a.yaml"):
        if not HIGRESS.recognises(document):
            continue
        assert HIGRESS.adapt
        adapted = HIGRESS.adapt(document)
        assert all(notice.place.line for notice in (*adapted.problems, *adapted.warnings))
        if not adapted.problems:
            assert adapted.late
            late = adapted.late(Settings(), ())
            assert not late.problems
            assert late.rules or adapted.warnings


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (Decimal("1.9"), 1),
        (Decimal("-1.9"), -1),
        ("100", 100),
        ("-5", -5),
        ("1.9", 0),
        ("1e3", 0),
        ("", 0),
        ("-", 0),
        ("٣", 0),
        (True, 1),
        (False, 0),
        (None, 0),
        ([1], 0),
        ("0" * 20 + "7", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, 10**18),
        ("-" + "9" * 19, -(10**18)),
        ("9" * 5000, 10**18),
        (Decimal("1e999"), 10**18),
        (10**30, 10**18),
        ("--1", 0),
    ],
)
def test_numbers_are_read_as_the_gateway_does(value: object, expected: int) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (123456, "123456"),
        (Decimal("1.0"), "1"),
        (Decimal("12.50"), "12.5"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (None, ""),
        ({"b": Decimal("1.5"), "a": [None]}, '{"a":[null],"b":1.5}'),
    ],
)
def test_texts_are_read_as_the_gateway_does(value: object, expected: str) -> None:
    assert text(value) == expected


@given(st.text("0123456789abcdef.:/%", max_size=20) | st.ip_addresses().map(str))
def test_a_network_is_read_or_refused(value: str) -> None:
    try:
        found = networks(value)
    except ValueError:
        return
    assert found


@pytest.mark.parametrize("field", ["token_per_day", "rejected_code", "service_port", "timeout", "database"])
@pytest.mark.parametrize("value", ["9" * 5000, "-" + "9" * 5000, "'" + "9" * 5000 + "'"])
def test_numbers_of_any_length_are_refused_at_their_place(field: str, value: str) -> None:
    config: dict[str, Any] = dict.fromkeys(("token_per_day", "service_port", "timeout", "database"), "1")
    config |= {"rejected_code": "429", field: value}
    written = (
        "rule_name: r\nglobal_threshold: {token_per_day: %(token_per_day)s}\nrejected_code: %(rejected_code)s\n"
        "redis: {service_name: r, service_port: %(service_port)s, timeout: %(timeout)s, database: %(database)s}\n"
    )
    with pytest.raises(ConfigError, match=f"{field}: found"):
        parse(written % config, "a.yaml")


def test_a_username_of_redis_without_a_password_is_not_sent() -> None:
    config = "rule_name: r\nglobal_threshold: {token_per_day: 1}\nredis: {service_name: r, username: u}\n"
    configuration = parse(config, "a.yaml")
    (warning,) = configuration.warnings
    assert warning.field == "redis.username"
    ledger = configuration.policy.rules[0].ledger
    assert ledger
    assert isinstance(ledger.store, RedisSettings)
    assert ledger.store.credentials == Credentials()


def test_secrets_of_redis_are_told_to_nobody() -> None:
    config = (
        "rule_name: r\nglobal_threshold: {token_per_day: 1}\nredis: {service_name: r, username: u, password: pass-%s}\n"
    )
    configuration = parse(config % 1, "a.yaml")
    assert "pass-1" not in repr(configuration)
    with pytest.raises(ConfigError) as caught:
        parse(config % 1 + "rejected_code: 5\n", "a.yaml")
    assert "pass-1" not in str(caught.value)


def test_many_keys_are_read_in_no_time_that_grows_with_their_square() -> None:
    keys = "".join(f"      - {{key: 10.{n // 256}.{n % 256}.0/24, token_per_day: 1}}\n" for n in range(3000))
    start = (
        "rule_name: r\nredis: {service_name: r}\nrule_items:\n  - limit_by_per_ip: from-remote-addr\n    limit_keys:\n"
    )
    assert len(parse(start + keys, "a.yaml").policy.rules) == 3000
