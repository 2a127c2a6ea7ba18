"""The schema of response-ratelimiting: what is refused, and in which words."""

from decimal import Decimal
from typing import Any

import pytest

from tests.kong.quota.gateway import checked

VALID: tuple[dict[str, Any], ...] = (
    {"limits": {"video": {"second": None, "minute": 1}}},
    {"limits": {"video": {"second": 5, "minute": 5}}},
    {"limits": {"video": {"second": Decimal("0.5"), "year": 1}}},
    {"limits": {"a name with blanks": {"day": 1}}, "policy": "redis", "redis": {"host": "a"}},
    {"limits": {"video": {"day": 1}}, "policy": "redis", "redis_host": "a", "redis_port": 1, "redis_password": ""},
)
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "config.limits: required field missing"),
    ({"limits": {}}, "config.limits: length must be at least 1"),
    ({"limits": {"second": 10}}, "config.limits: expected a record"),
    (
        {"limits": {"video": {"second": 2, "minute": 1}}},
        "config.limits: the limit for minute(1.0) cannot be lower than the limit for second(2.0)",
    ),
    (
        {"limits": {"video": {"second": 1, "minute": 2, "hour": 3, "day": 4, "month": 6, "year": 5}}},
        "config.limits: the limit for year(5.0) cannot be lower than the limit for month(6.0)",
    ),
    (
        {"limits": {"video": {"second": 5, "hour": 4}}},
        "config.limits: the limit for hour(4.0) cannot be lower than the limit for second(5.0)",
    ),
    (
        {"limits": {"video": {"second": 1, "minute": Decimal("0.25")}}},
        "config.limits: the limit for minute(0.2) cannot be lower than the limit for second(1.0)",
    ),
    ({"limits": {"video": {"day": 1}}, "policy": "foo"}, "config.policy: expected one of: local, cluster, redis"),
    (
        {"limits": {"video": {"day": 1}}, "limit_by": "foo"},
        "config.limit_by: expected one of: consumer, credential, ip",
    ),
    ({"limits": {"video": {"day": 1}}, "policy": "redis"}, "config.redis.host: required field missing"),
    ({"limits": {"video": {"day": 1}}, "fault_tolerant": "maybe"}, "config.fault_tolerant: expected a boolean"),
    ({"limits": {"video": {"day": 1}}, "redis": {"port": 70000, "host": "a"}}, "config.redis.port: value should be"),
    ({"limits": {"video": {"day": 1}}, "hedaer_name": "x"}, "config.hedaer_name: unknown field"),
)


@pytest.mark.parametrize("config", VALID)
def test_what_kong_takes_is_taken(config: dict[str, Any]) -> None:
    assert checked(config)[1] == ""


@pytest.mark.parametrize(("config", "expected"), WRONG)
def test_what_kong_refuses_is_refused_in_its_words(config: dict[str, Any], expected: str) -> None:
    assert checked(config)[1].startswith(f"schema violation ({expected}")


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ({"seco": 1, "minute": 1}, "config.limits.seco: unknown field"),
        ({"second": 0}, "value must be greater than 0"),
        ({"second": -1}, "value must be greater than 0"),
        ({}, "@entity: at least one of these fields must be non-empty: 'second', 'minute', 'hour', 'day', 'month', "),
    ],
)
def test_what_is_wrong_with_one_name_is_told_without_it(video: dict[str, Any], expected: str) -> None:
    _, problem = checked({"limits": {"video": video}})

    assert expected in problem
    assert "video" not in problem


def test_29_defaults_are_kongs() -> None:
    config, _ = checked({"limits": {"video": {"second": 10}}})

    rest = {name: value for name, value in config.items() if name not in ("limits", "redis")}
    assert rest == {
        "header_name": "x-kong-limit",
        "limit_by": "consumer",
        "policy": "local",
        "fault_tolerant": True,
        "block_on_first_violation": False,
        "hide_client_headers": False,
    }
