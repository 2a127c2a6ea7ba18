"""What clients are told."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from tests.higress.asking import facts

Make = Callable[..., Any]
GLOBAL = "rule_name: r\nglobal_threshold: {token_per_minute: 100}\n"
KEY = "higress-token-ratelimit:r:global_threshold:60"


async def answer(side: Make, redis: Redis, more: str = "") -> Any:
    redis.set(KEY, 101, px=30_000)
    return await side(GLOBAL + more).refused()


async def test_a_refusal_is_what_the_gateway_answers_and_when_to_come_again(side: Make, redis: Redis) -> None:
    found = await answer(side, redis)
    assert (found.status, found.body) == (429, b"Too many requests")
    headers = dict(found.headers)
    assert headers.pop("X-TokenRateLimit-Reset") == "30"
    assert 29 <= int(headers.pop("Retry-After")) <= 30
    assert headers == {"Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("message", "body", "content_type"),
    [
        ("Forbidden", b"Forbidden", "text/plain"),
        ("null", b"", "text/plain"),
        ("12.5", b"12.5", "text/plain"),
        ("zu viele Wünsche", "zu viele Wünsche".encode(), "text/plain"),
        ("{code: 5, a: [1.5, true, null]}", b'{"a":[1.5,true,null],"code":5}', "application/json"),
        ("""'{"code":-1}'""", b'{"code":-1}', "application/json"),
        ("""'[1, 2]'""", b"[1, 2]", "application/json"),
        ("'{not json'", b"{not json", "text/plain"),
    ],
)
async def test_status_and_message_are_the_configured_ones(
    side: Make, redis: Redis, message: str, body: bytes, content_type: str
) -> None:
    found = await answer(side, redis, f"rejected_code: '403'\nrejected_msg: {message}\n")
    assert (found.status, found.body) == (403, body)
    assert dict(found.headers)["Content-Type"] == content_type


async def test_other_responses_tell_nothing(side: Make) -> None:
    assert await side(GLOBAL).told() == {}


async def test_quota_headers_where_they_are_asked_for(side: Make, redis: Redis) -> None:
    """The gateway documents them and does not have them."""
    ours = side(GLOBAL + "show_limit_quota_header: true\n")
    assert await ours.told() == {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "100"}
    redis.set(KEY, 90, px=30_000)
    assert await ours.told() == {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "10"}
    redis.set(KEY, 101, px=30_000)
    headers = dict((await ours.refused()).headers)
    assert {name: headers[name] for name in headers if name.startswith("X-RateLimit")} == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "30",
    }


async def test_an_upstreams_own_quota_gives_way_where_ours_is_shown(side: Make, redis: Redis) -> None:
    upstream = tuple((f"x-ratelimit-{name}", "5") for name in ("limit", "remaining", "reset", "limit-requests"))
    for more, removed in (("", 0), ("show_limit_quota_header: true\n", 3)):
        ours = side(GLOBAL + more)
        admission = await ours.admitted()
        heard = ours.replies.hear(admission.standings, upstream, admission.facts, admission.now)
        assert heard.removed == {name for name, _ in upstream[:removed]}
        assert len(heard.fields) == (2 if removed else 0)


OVERLAY = """
rule_name: r
mode: overlay
show_limit_quota_header: true
global_threshold: {token_per_minute: 10000}
rule_items: [{limit_by_header: x, limit_keys: [{key: vip, token_per_minute: 100}]}]
"""
WHOLE, VIP = (f"higress-token-ratelimit:{{r}}:{rest}" for rest in ("global_threshold:60", "limit_by_header:60:x:vip"))


@pytest.mark.parametrize(
    ("whole", "vip", "limit", "left"), [(9000, 10, "10000", "1000"), (5000, 60, "100", "40"), (0, 0, "10000", "10000")]
)
async def test_of_several_limits_the_tightest_is_told(
    side: Make, redis: Redis, whole: int, vip: int, limit: str, left: str
) -> None:
    redis.set(WHOLE, whole, px=60_000)
    redis.set(VIP, vip, px=60_000)
    told = await side(OVERLAY).told(facts(("x", "vip")))
    assert told == {"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": left}


async def test_of_several_that_refuse_the_first_is_told_and_the_wait_is_the_longest(side: Make, redis: Redis) -> None:
    redis.set(WHOLE, 10_001, px=30_000)
    redis.set(VIP, 101, px=60_000)
    headers = dict((await side(OVERLAY).refused(facts(("x", "vip")))).headers)
    assert headers["X-TokenRateLimit-Reset"] == "30"
    assert 59 <= int(headers["Retry-After"]) <= 60


async def test_the_one_that_is_over_is_told(side: Make, redis: Redis) -> None:
    redis.set(VIP, 101, px=20_000)
    headers = dict((await side(OVERLAY).refused(facts(("x", "vip")))).headers)
    assert (headers["X-TokenRateLimit-Reset"], headers["X-RateLimit-Limit"]) == ("20", "100")
    assert await side(OVERLAY).told(facts()) == {"X-RateLimit-Limit": "10000", "X-RateLimit-Remaining": "10000"}


async def test_a_refusal_of_another_dialect_has_quota_headers_too(side: Make) -> None:
    native = "limits: [{name: none, amount: 0 tokens per day}]\n---\n"
    found = await side(native + GLOBAL + "show_limit_quota_header: true\n").refused()
    assert b"none" in found.body
    assert dict(found.headers)["X-RateLimit-Limit"] == "100"
