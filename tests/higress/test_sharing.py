"""One Redis, a gateway on it, and this proxy beside it: the same keys, values and expirations, byte for byte."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from limiter.decisions import Refusal
from tests.higress.asking import facts
from tests.higress.gateway import Gateway

Make = Callable[..., Any]
GLOBAL = "rule_name: r\nglobal_threshold: {token_per_minute: 100}\n"
KEY = "higress-token-ratelimit:r:global_threshold:60"


@pytest.fixture
def gateway(redis: Redis) -> Gateway:
    return Gateway(redis, KEY, limit=100, window=60)


def counters(redis: Redis) -> list[str]:
    return sorted(key for key in redis.keys("*") if not key.startswith("ai-limit."))


async def test_what_we_count_the_gateway_sees(side: Make, redis: Redis, gateway: Gateway) -> None:
    ours = side(GLOBAL)
    await ours.spend(40)

    assert counters(redis) == [KEY]
    assert redis.get(KEY) == "40"
    assert redis.type(KEY) == "string"
    assert 59_000 < redis.pttl(KEY) <= 60_000
    assert gateway.request() == (100, 40, 60)
    gateway.response(61)
    assert redis.get(KEY) == "101"
    assert not gateway.request().admitted
    assert (await ours.refused()).status == 429


async def test_what_the_gateway_counts_we_see(side: Make, redis: Redis, gateway: Gateway) -> None:
    ours = side(GLOBAL)
    gateway.response(100)

    assert gateway.request().admitted
    await ours.spend(1)
    assert not gateway.request().admitted
    assert isinstance(await ours.admit(), Refusal)


async def test_both_leave_the_same_behind(side: Make, redis: Redis) -> None:
    """Whatever the order of what they book."""
    ours = side(GLOBAL)
    shadow = Gateway(redis, "shadow", limit=100, window=60)
    for tokens in (30, 0, 30, 39, 1, 1, 7):
        admission = await ours.admit()
        assert isinstance(admission, Refusal) == (not shadow.request().admitted)
        if not isinstance(admission, Refusal):
            await ours.settle(admission, tokens)
            shadow.response(tokens)
        assert redis.get(KEY) == redis.get("shadow")
        assert abs(redis.pttl(KEY) - redis.pttl("shadow")) < 500


@pytest.mark.parametrize(
    ("item", "fields", "more", "key"),
    [
        ("limit_by_header: X-A", [("x-a", "k")], {}, "limit_by_header:60:X-A:k"),
        ("limit_by_param: a", [], {"target": "/?a=k"}, "limit_by_param:60:a:k"),
        ("limit_by_cookie: a", [("cookie", "a=k")], {}, "limit_by_cookie:60:a:k"),
        ("limit_by_consumer: ''", [], {"consumer": "k"}, "limit_by_consumer:60:x-mse-consumer:k"),
    ],
)
@pytest.mark.parametrize("overlay", [False, True])
async def test_every_kind_has_its_key(
    side: Make, redis: Redis, item: str, fields: list[Any], more: Any, key: str, overlay: bool
) -> None:
    mode = "mode: overlay\n" if overlay else ""
    ours = side(f"rule_name: r\n{mode}rule_items: [{{{item}, limit_keys: [{{key: k, token_per_minute: 5}}]}}]\n")
    await ours.spend(3, facts(*fields, **more))

    assert counters(redis) == [f"higress-token-ratelimit:{'{r}' if overlay else 'r'}:{key}"]


@pytest.mark.parametrize(("unit", "seconds"), [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400)], ids=str)
async def test_every_window_has_its_length(side: Make, redis: Redis, unit: str, seconds: int) -> None:
    ours = side(f"rule_name: r\nglobal_threshold: {{token_per_{unit}: 100}}\n")
    await ours.spend(3)

    key = f"higress-token-ratelimit:r:global_threshold:{seconds}"
    assert seconds * 1000 - 900 < redis.pttl(key) <= seconds * 1000


async def test_a_request_alone_writes_no_counter(side: Make, redis: Redis) -> None:
    """The window begins with the first answer that ends, and each answer after its end opens a new one."""
    ours = side(GLOBAL)
    admission = await ours.admitted()
    assert counters(redis) == []
    await ours.settle(admission, 60)
    redis.pexpire(KEY, 5_000)
    await ours.spend(10)
    assert redis.pttl(KEY) <= 5_000
    running = await ours.admitted()
    redis.delete(KEY)
    await ours.settle(running, 7)
    assert redis.get(KEY) == "7"
    assert redis.pttl(KEY) > 59_000


async def test_exactly_the_whole_amount_still_admits(side: Make, redis: Redis) -> None:
    ours = side(GLOBAL)
    await ours.spend(60)
    await ours.spend(40)
    await ours.spend(1)
    assert redis.get(KEY) == "101"
    assert isinstance(await ours.admit(), Refusal)


async def test_one_request_may_pass_the_limit(side: Make, redis: Redis) -> None:
    ours = side(GLOBAL)
    await ours.spend(60)
    await ours.spend(60)
    assert redis.get(KEY) == "120"
    assert isinstance(await ours.admit(), Refusal)


async def test_of_two_at_once_the_second_is_dropped_once_the_limit_is_passed(side: Make, redis: Redis) -> None:
    ours = side(GLOBAL)
    first, second = await ours.admitted(), await ours.admitted()
    await ours.settle(first, 200)
    await ours.settle(second, 200)
    assert redis.get(KEY) == "200"


async def test_another_threshold_keeps_what_was_used(side: Make) -> None:
    await side(GLOBAL).spend(60)
    assert isinstance(await side(GLOBAL.replace("100", "50")).admit(), Refusal)
    assert (await side(GLOBAL.replace("100", "500")).admitted()).standings[0].used == 60


async def test_another_window_is_another_counter(side: Make) -> None:
    await side(GLOBAL).spend(100)
    assert (await side(GLOBAL.replace("minute", "hour")).admitted()).standings[0].used == 0


async def test_the_same_rule_name_is_the_same_counter(side: Make, redis: Redis) -> None:
    await side(GLOBAL).spend(60)
    await side("rejected_code: 403\n" + GLOBAL).spend(60)
    assert redis.get(KEY) == "120"


@pytest.mark.parametrize(("left", "told"), [(400, "0"), (1_900, "2"), (59_900, "60")])
async def test_the_reset_is_rounded_as_redis_does(side: Make, redis: Redis, left: int, told: str) -> None:
    redis.set(KEY, 101, px=left)
    headers = dict((await side(GLOBAL).refused()).headers)
    assert headers["X-TokenRateLimit-Reset"] == told
    assert int(headers["Retry-After"]) == max(1, -(-left // 1000))


async def test_a_counter_of_generation_c_lies_under_the_rules_tag(side: Make, redis: Redis) -> None:
    ours = side("mode: overlay\n" + GLOBAL)
    await ours.spend(5)
    assert counters(redis) == ["higress-token-ratelimit:{r}:global_threshold:60"]


async def test_all_limits_of_a_request_take_one_call_each_way_and_none_takes_none(side: Make, redis: Redis) -> None:
    ours = side("""rule_name: r
mode: overlay
rule_items:
  - {limit_by_header: x, limit_keys: [{key: a, token_per_minute: 100}]}
  - {limit_by_param: y, limit_keys: [{key: b, token_per_minute: 50}]}
""")
    request = facts(("x", "a"), target="/?y=b")
    await ours.spend(1, request)
    before = calls(redis)
    await ours.spend(25, request)
    assert calls(redis) - before == 2
    assert redis.get("higress-token-ratelimit:{r}:limit_by_header:60:x:a") == "26"
    assert redis.get("higress-token-ratelimit:{r}:limit_by_param:60:y:b") == "26"
    await ours.spend(25, facts())
    assert calls(redis) - before == 2


def calls(redis: Redis) -> int:
    """Scripts that were run so far."""
    found = redis.info("commandstats")
    return sum(found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))
