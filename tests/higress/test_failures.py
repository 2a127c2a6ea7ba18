"""A Redis that is away, slow or holds something else: requests pass, unless the settings say otherwise."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from limiter.decisions import Admission, Refusal
from limiter.stores.contract import StoreError
from tests.higress.asking import facts
from tests.servers import shared
from tests.servers.front import Front

Make = Callable[..., Any]
GLOBAL = "rule_name: r\nglobal_threshold: {token_per_minute: 100}\n"
KEY = "higress-token-ratelimit:r:global_threshold:60"
NOWHERE = "redis: {service_name: 127.0.0.1, service_port: 1, timeout: 200}\n"


async def test_without_redis_every_request_passes(side: Make) -> None:
    ours = side(GLOBAL, server=NOWHERE)
    for _ in range(3):
        await ours.spend(1000)


async def test_nothing_is_told_of_a_quota_that_is_not_known(side: Make) -> None:
    assert await side(GLOBAL + "show_limit_quota_header: true\n", server=NOWHERE).told() == {}


async def test_it_can_be_counted_here_meanwhile(side: Make) -> None:
    ours = side(GLOBAL, "on_redis_error: local", server=NOWHERE)
    await ours.spend(101)
    assert isinstance(await ours.admit(), Refusal)


async def test_requests_can_be_refused_meanwhile(side: Make) -> None:
    with pytest.raises(StoreError):
        await side(GLOBAL, "on_redis_error: deny", server=NOWHERE).admit()


async def test_a_redis_that_does_not_answer_in_time_lets_pass(side: Make) -> None:
    async with Front(shared.standalone().address) as front:
        front.silent, front.odds = True, 1.0
        port = front.address.port
        ours = side(GLOBAL, server=f"redis: {{service_name: 127.0.0.1, service_port: {port}, timeout: 100}}\n")
        assert isinstance(await ours.admit(), Admission)


@pytest.mark.parametrize("junk", ["abc", "99.5", "100.9"])
async def test_what_is_no_whole_number_lets_pass_and_stays(side: Make, redis: Redis, junk: str) -> None:
    redis.set(KEY, junk)
    await side(GLOBAL).spend(5)
    assert redis.get(KEY) == junk


@pytest.mark.parametrize("on_error", ["allow", "local", "deny"])
async def test_what_is_no_counter_opens_no_other_limit(side: Make, redis: Redis, on_error: str) -> None:
    items = "rule_items: [{limit_by_per_header: x, limit_keys: [{key: '*', token_per_minute: 100}]}]\n"
    ours = side(f"rule_name: r\n{items}", f"on_redis_error: {on_error}")
    start = "higress-token-ratelimit:r:limit_by_per_header:60:x"
    redis.set(f"{start}:junk", "abc")
    redis.set(f"{start}:full", 101, px=60_000)
    if on_error == "deny":
        with pytest.raises(StoreError):
            await ours.admit(facts(("x", "junk")))
    else:
        await ours.spend(5, facts(("x", "junk")))
    assert isinstance(await ours.admit(facts(("x", "full"))), Refusal)


async def test_another_type_lets_pass_and_stays(side: Make, redis: Redis) -> None:
    redis.rpush(KEY, "a")
    await side(GLOBAL).spend(5)
    assert redis.lrange(KEY, 0, -1) == ["a"]


async def test_a_wrong_password_lets_pass(side: Make, redis: Redis) -> None:
    port = shared.standalone().port
    ours = side(GLOBAL, server=f"redis: {{service_name: 127.0.0.1, service_port: {port}, password: 'p?@/'}}\n")
    await ours.spend(1000)
    await ours.spend(1000)
