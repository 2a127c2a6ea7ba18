"""The gateway's quirks, one test for each: those kept, since a shared Redis depends on them, and those mended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from limiter.config import ConfigError, parse
from limiter.decisions import Admission, Refusal
from limiter.meters import METERS
from tests.higress.asking import REDIS, facts, key, keys, plugin
from tests.usage.exchanges import ask_for, observe

Make = Callable[..., Any]
GLOBAL = "rule_name: r\nglobal_threshold: {token_per_minute: 100}\n"
KEY = "higress-token-ratelimit:r:global_threshold:60"


async def test_kept_exactly_the_limit_is_admitted_and_one_request_may_pass_it(side: Make, redis: Redis) -> None:
    redis.set(KEY, 100, px=60_000)
    ours = side(GLOBAL)
    await ours.spend(50)
    assert redis.get(KEY) == "150"
    assert isinstance(await ours.admit(), Refusal)


async def test_kept_increments_are_dropped_once_over_the_limit(side: Make, redis: Redis) -> None:
    ours = side(GLOBAL)
    running = await ours.admitted()
    redis.set(KEY, 101, px=60_000)
    await ours.settle(running, 50)
    assert redis.get(KEY) == "101"


async def test_kept_the_window_begins_when_the_first_answer_ends(side: Make, redis: Redis) -> None:
    ours = side(GLOBAL)
    running = await ours.admitted()
    assert redis.exists(KEY) == 0
    await ours.settle(running, 5)
    assert redis.pttl(KEY) > 59_000


async def test_mended_nothing_consumed_neither_creates_nor_renews_a_counter(side: Make, redis: Redis) -> None:
    ours = side(GLOBAL)
    await ours.spend(0)
    assert redis.exists(KEY) == 0
    redis.set(KEY, 0, px=5_000)
    await ours.spend(0)
    await ours.spend(7)
    assert redis.get(KEY) == "7"
    assert redis.pttl(KEY) <= 5_000


def test_mended_an_answer_with_only_a_total_costs_its_total() -> None:
    body = b'{"object": "list", "data": [], "model": "m", "usage": {"total_tokens": 25}}'
    usage = observe(ask_for("api.openai.com/v1/embeddings", {"model": "m"}), body).usage
    assert usage is not None
    assert METERS["io_tokens"](usage) == 25


async def test_mended_a_counter_without_an_end_gets_one(side: Make, redis: Redis) -> None:
    redis.set(KEY, 101)
    assert isinstance(await side(GLOBAL).admit(), Refusal)
    assert 59_000 < redis.pttl(KEY) <= 60_000


def test_mended_several_thresholds_are_refused() -> None:
    with pytest.raises(ConfigError, match="token_per_second and token_per_day, expected one"):
        parse(f"rule_name: r\nglobal_threshold: {{token_per_second: 1, token_per_day: 2}}\n{REDIS}", "a.yaml")


def test_mended_several_limit_by_are_refused() -> None:
    with pytest.raises(ConfigError, match="limit_by_header and limit_by_param, expected one"):
        parse(plugin("limit_by_header: a, limit_by_param: b, limit_keys: [{key: c, token_per_day: 1}]"), "a.yaml")


@pytest.mark.parametrize("network", ["1.1.1.1/33", "1.1.1.1/", "1..1.1"])
def test_mended_addresses_that_are_none_are_refused(network: str) -> None:
    text = plugin(f"limit_by_per_ip: from-remote-addr, limit_keys: [{{key: '{network}', token_per_day: 1}}]")
    with pytest.raises(ConfigError, match="invalid IP"):
        parse(text, "a.yaml")


def test_mended_families_are_apart_and_kept_the_whole_of_one_takes_both() -> None:
    listed = "{key: 32.1.0.0/16, token_per_day: 1}, {key: 0.0.0.0/0, token_per_hour: 1}"
    text = plugin(f"limit_by_per_ip: from-remote-addr, limit_keys: [{listed}]")
    assert key(text, facts(peer="2001:db8::1")).startswith("limit_by_per_ip:3600:")


def test_mended_a_blank_before_the_comma_of_forwarded_addresses() -> None:
    text = plugin("limit_by_per_ip: from-header-x-forwarded-for, limit_keys: [{key: 1.1.1.1, token_per_day: 1}]")
    assert key(text, facts(("x-forwarded-for", "1.1.1.1 , 2.2.2.2"))).endswith(":1.1.1.1")


def test_mended_compressed_cut_and_aborted_answers_count() -> None:
    """See test_charges, where each has a test of its own."""
    tests = Path(__file__).with_name("test_charges.py").read_text()
    assert "def test_a_compressed_answer_counts" in tests
    assert "def test_where_an_answer_is_cut_into_pieces_does_not_matter" in tests
    assert "def test_an_answer_that_breaks_off_counts_what_was_seen" in tests


@pytest.mark.parametrize(
    ("count", "meter"), [(None, "io_tokens"), ("total", "total_tokens"), ("weighted", "weighted_tokens")]
)
def test_kept_caches_and_thoughts_are_free_unless_settings_say_otherwise(count: str | None, meter: str) -> None:
    settings = f"---\nsettings: {{count: {count}}}\n" if count else ""
    policy = parse(f"{GLOBAL}{REDIS}{settings}", "a.yaml").policy
    assert policy.rules[0].limits[0].meter == meter


@pytest.mark.parametrize(("setting", "on_error"), [("", "allow"), ("deny", "deny"), ("local", "local")])
def test_kept_requests_pass_without_redis_unless_settings_say_otherwise(setting: str, on_error: str) -> None:
    settings = f"---\nsettings: {{on_redis_error: {setting}}}\n" if setting else ""
    ledger = parse(f"{GLOBAL}{REDIS}{settings}", "a.yaml").policy.rules[0].ledger
    assert ledger is not None
    assert ledger.on_error == on_error


async def test_mended_two_items_of_one_counter_are_charged_once(side: Make, redis: Redis) -> None:
    item = "{limit_by_header: x, limit_keys: [{key: a, token_per_minute: %d}]}"
    ours = side(f"rule_name: r\nmode: overlay\nrule_items: [{item % 100}, {item % 50}]\n")
    await ours.spend(11, facts(("x", "a")))
    assert redis.get("higress-token-ratelimit:{r}:limit_by_header:60:x:a") == "11"


async def test_mended_a_message_in_json_is_called_so(side: Make, redis: Redis) -> None:
    redis.set(KEY, 101, px=60_000)
    found = await side(GLOBAL + "rejected_msg: '{\"a\": 1}'\n").refused()
    assert dict(found.headers)["Content-Type"] == "application/json"


def test_mended_a_clients_own_word_for_its_consumer_does_not_count() -> None:
    """What may be believed is decided before: see test_consumers and the end-to-end tests."""
    text = plugin("limit_by_per_consumer: '', limit_keys: [{key: '*', token_per_day: 1}]")
    assert keys(text, facts(("x-mse-consumer", "ann"))) == []
    assert key(text, facts(("x-mse-consumer", "bob"), consumer="ann")).endswith(":ann")


@pytest.mark.parametrize("kind", ["limit_by_header", "limit_by_per_header"])
@pytest.mark.parametrize("accepted", ["ann", "regexp:^a", "regexp:^[^-]*$", "*"])
def test_mended_nor_does_it_where_items_ask_for_the_header(kind: str, accepted: str) -> None:
    if (kind == "limit_by_header") != (accepted == "ann"):
        return
    text = plugin(f"{kind}: X-MSE-Consumer, limit_keys: [{{key: '{accepted}', token_per_day: 1}}]")
    assert keys(text, facts(("x-mse-consumer", "ann"), trusted=False)) == []
    assert key(text, facts(("x-mse-consumer", "bob"), consumer="ann")) == f"{kind}:86400:X-MSE-Consumer:ann"


@pytest.mark.parametrize("expression", ["^.+$", "^[^-]+$"])
def test_kept_a_byte_that_is_no_text_is_a_character_to_expressions_and_itself_in_keys(expression: str) -> None:
    param = plugin(f"limit_by_per_param: k, limit_keys: [{{key: 'regexp:{expression}', token_per_day: 1}}]")
    assert key(param, facts(target="/?k=a%FF")).encode("utf-8", "surrogateescape").endswith(b":k:a\xff")
    header = plugin(f"limit_by_per_header: x, limit_keys: [{{key: 'regexp:{expression}', token_per_day: 1}}]")
    assert key(header, facts(("x", "a\udcff"))).encode("utf-8", "surrogateescape").endswith(b":x:a\xff")


def test_kept_what_a_gateway_reads_like_headers_has_the_same_keys() -> None:
    text = plugin("""
        limit_by_header: ':method', limit_keys: [{key: GET, token_per_day: 1}]
        limit_by_per_header: x-higress-llm-model, limit_keys: [{key: '*', token_per_day: 1}]
        limit_by_header: ':authority', limit_keys: [{key: 'h:8080', token_per_day: 1}]
    """)
    assert parse(text, "a.yaml").warnings == ()
    assert key(text, facts(method="GET")) == "limit_by_header:86400::method:GET"
    assert key(text, facts(method="POST", model="m")) == "limit_by_per_header:86400:x-higress-llm-model:m"
    assert key(text, facts(("host", "h:8080"))) == "limit_by_header:86400::authority:h:8080"


async def test_mended_a_cookie_without_an_equals_sign_does_not_lift_all_limits(side: Make) -> None:
    ours = side("""rule_name: r
rule_items:
  - {limit_by_cookie: user, limit_keys: [{key: a, token_per_day: 1}]}
  - {limit_by_per_header: x, limit_keys: [{key: '*', token_per_day: 1}]}
""")
    admission = await ours.admitted(facts(("cookie", "user"), ("x", "1")))
    assert isinstance(admission, Admission)
    assert [standing.limit.name for standing in admission.standings] == ["r.2.1"]
