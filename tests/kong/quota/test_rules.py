"""From instances of response-ratelimiting to rules."""

from typing import Any

import pytest

from limiter.config.kong.declaration import Declaration
from limiter.config.kong.response_ratelimiting import NOBODY, rules
from limiter.facts import Facts
from limiter.kong.entities import GLOBAL, Scope
from limiter.ledgers import Ledger
from limiter.plans import NOTHING_HELD, Plan
from limiter.redis_settings import Address
from limiter.rules import Limit
from tests.kong.quota.gateway import compiled, limits, plugin

VIDEO = limits(video={"minute": 10})
REDIS = {"policy": "redis", "redis": {"host": "redis.example", "timeout": 500, "database": 3}}


def keys(config: dict[str, Any], now: int, scope: Scope = GLOBAL, **facts: str) -> list[str]:
    _, rule = compiled(plugin(config, scope)).rules
    plans = [Plan(rule, limit) for limit in rule.limits]
    return [plan.charge(Facts(**facts), NOTHING_HELD, now).key for plan in plans]  # type: ignore[arg-type]


def test_keys_are_kongs() -> None:
    found = keys(VIDEO, 1_424_217_601_000, Scope(route="r", service="s"), consumer_id="c", ip="127.0.0.1")

    assert found == [
        "response-ratelimit:r:s:c:1424217601000:video:second",
        "response-ratelimit:r:s:c:1424217600000:video:minute",
        "response-ratelimit:r:s:c:1424217600000:video:hour",
        "response-ratelimit:r:s:c:1424217600000:video:day",
        "response-ratelimit:r:s:c:1422748800000:video:month",
        "response-ratelimit:r:s:c:1420070400000:video:year",
    ]


def test_months_and_years_of_leap_years_begin_in_utc() -> None:
    *_, month, year = keys(VIDEO, 1_709_208_000_000, ip="::1")

    assert month == f"response-ratelimit:{NOBODY}:{NOBODY}:::1:1706745600000:video:month"
    assert year == f"response-ratelimit:{NOBODY}:{NOBODY}:::1:1704067200000:video:year"


def test_keys_in_the_store_of_this_program_lie_together_and_say_what_a_part_is_worth() -> None:
    small, *_ = keys({**VIDEO, "policy": "cluster"}, 0, ip="a")
    large, *_ = keys({**limits(video={"minute": 10**12}), "policy": "cluster"}, 0, ip="a")

    assert small == f"{{ai-limit}}:1000000:response-ratelimit:{NOBODY}:{NOBODY}:a:0:video:second"
    assert large == f"{{ai-limit}}:1:response-ratelimit:{NOBODY}:{NOBODY}:a:0:video:second"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, Ledger(store="memory:")),
        ({"policy": "cluster"}, Ledger(on_error="allow")),
        ({"policy": "cluster", "fault_tolerant": False}, Ledger(on_error="deny")),
    ],
)
def test_the_policy_tells_where_counters_are(config: dict[str, Any], expected: Ledger) -> None:
    claim, rule = compiled(plugin({**VIDEO, **config})).rules

    assert (claim.ledger, rule.ledger) == (None, expected)


def test_redis_is_reached_as_the_record_says() -> None:
    _, rule = compiled(plugin({**VIDEO, **REDIS, "fault_tolerant": False})).rules

    assert rule.ledger is not None
    assert not isinstance(rule.ledger.store, str)
    assert rule.ledger.store.address == Address("redis.example", 6379)
    assert rule.ledger.store.database == 3
    assert (rule.ledger.on_error, rule.ledger.timeout) == ("deny", 0.5)


def test_an_old_configuration_is_the_same_as_a_new_one() -> None:
    old = {"policy": "redis", "redis_host": "redis.example", "redis_timeout": 500, "redis_database": 3}

    assert compiled(plugin({**VIDEO, **old})) == compiled(plugin({**VIDEO, **REDIS}))


def limit_of(config: dict[str, Any], period: str) -> Limit:
    _, rule = compiled(plugin(config)).rules
    return next(limit for limit in rule.limits if limit.window.unit == period)


def test_fractions_count_but_in_redis_and_in_very_large_quotas() -> None:
    fraction = limits(video={"minute": 0.3})

    assert (limit_of(fraction, "minute").amount, limit_of(fraction, "minute").scale) == (300_000, 10**6)
    in_redis = limit_of({**fraction, **REDIS}, "minute")
    assert (in_redis.amount, in_redis.scale, in_redis.closes_at_zero) == (1, 1, False)
    large = limit_of(limits(video={"minute": 10**18}), "minute")
    assert (large.amount, large.scale) == (2**50, 1)


def test_fractional_quotas_in_redis_are_warned_of() -> None:
    (warning,) = rules(Declaration(plugins=(plugin({**limits(video={"minute": 0.3}), **REDIS}),))).warnings

    assert warning.field == "config.limits.video.minute"


def test_only_configured_periods_can_close_a_quota() -> None:
    _, rule = compiled(plugin({**VIDEO, "block_on_first_violation": True})).rules

    assert [limit.window.unit for limit in rule.limits if limit.closes_at_zero] == ["minute"]
    assert not any(limit.checked for limit in rule.limits)


def test_names_of_limits_differ() -> None:
    """Instances need no names, but limits do."""
    instances = [plugin(VIDEO, Scope(route=name)) for name in ("a", "b")]
    found = rules(Declaration(plugins=(*instances, plugin(VIDEO, name="all"))))

    assert [named.name for named in found.names] == [
        "response-ratelimiting.video.minute",
        "response-ratelimiting-2.video.minute",
        "all.video.minute",
    ]


def test_a_contradictory_record_is_a_problem() -> None:
    wrong = plugin({**VIDEO, "policy": "redis", "redis": {"host": "a", "database": -1}})

    (problem,) = rules(Declaration(plugins=(wrong,))).problems

    assert problem.field == "config.redis"
    assert problem.message.startswith("redis: database")
