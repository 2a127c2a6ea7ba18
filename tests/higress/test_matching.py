"""Which limit of which item applies, and to whose counter."""

from timeit import repeat

import pytest

from limiter.config import parse
from limiter.selection import Selector
from tests.higress.asking import REDIS, facts, key, keys, plugin

GENERATIONS = pytest.mark.parametrize("overlay", [False, True], ids=["B", "C"])


def test_the_first_item_with_a_matching_key_wins() -> None:
    text = plugin("""
        limit_by_header: x-a, limit_keys: [{key: a, token_per_minute: 1}]
        limit_by_per_header: x-b, limit_keys: [{key: '*', token_per_hour: 2}]
    """)
    assert key(text, facts(("x-a", "a"), ("x-b", "b"))) == "limit_by_header:60:x-a:a"
    assert key(text, facts(("x-a", "other"), ("x-b", "b"))) == "limit_by_per_header:3600:x-b:b"
    assert key(text, facts(("x-b", "b"))) == "limit_by_per_header:3600:x-b:b"
    assert key(text, facts(("x-a", "A"))) == ""


def test_in_mode_overlay_each_item_counts_with_one_of_its_keys_and_the_whole_before_them() -> None:
    text = plugin(
        """
        limit_by_header: x-a, limit_keys: [{key: a, token_per_minute: 1}]
        limit_by_per_header: x-b, limit_keys: [{key: 'regexp:^b', token_per_hour: 2}, {key: '*', token_per_day: 2}]
        """,
        overlay=True,
    )
    text += "global_threshold: {token_per_second: 9}\n"
    start = "higress-token-ratelimit:{r}:"
    whole = f"{start}global_threshold:1"
    both = [whole, f"{start}limit_by_header:60:x-a:a", f"{start}limit_by_per_header:3600:x-b:b"]
    assert keys(text, facts(("x-a", "a"), ("x-b", "b"))) == both
    assert keys(text, facts(("x-b", "c"))) == [whole, f"{start}limit_by_per_header:86400:x-b:c"]
    assert keys(text, facts()) == [whole]


def test_a_global_threshold_applies_to_every_request() -> None:
    text = f"rule_name: r\nglobal_threshold: {{token_per_day: 1}}\n{REDIS}"
    assert key(text, facts(target="/v1/models")) == "global_threshold:86400"


@GENERATIONS
def test_keys_are_tried_in_their_order(overlay: bool) -> None:
    text = plugin(
        """limit_by_per_header: x, limit_keys: [{key: 'regexp:^a', token_per_second: 1},
        {key: 'regexp:b', token_per_minute: 1}, {key: '*', token_per_hour: 1}]""".replace("\n", " "),
        overlay=overlay,
    )
    found = [keys(text, facts(("x", value)))[0].rsplit(":", 2)[0].rsplit(":")[-1] for value in ("ab", "xb", "c")]
    assert found == ["1", "60", "3600"]


@GENERATIONS
def test_a_star_in_front_takes_everything(overlay: bool) -> None:
    text = plugin(
        "limit_by_per_header: x, limit_keys: [{key: '*', token_per_second: 1}, {key: 'regexp:^a', token_per_day: 1}]",
        overlay=overlay,
    )
    (found,) = keys(text, facts(("x", "a")))
    assert ":1:x:a" in found


def test_exact_kinds_have_no_patterns() -> None:
    text = plugin(
        "limit_by_header: x, limit_keys: [{key: '*', token_per_second: 1}, {key: 'regexp:a', token_per_day: 1}]"
    )
    assert key(text, facts(("x", "b"))) == ""
    assert key(text, facts(("x", "*"))) == "limit_by_header:1:x:*"
    assert key(text, facts(("x", "regexp:a"))) == "limit_by_header:86400:x:regexp:a"


def test_a_value_that_is_the_key_itself_matches_its_expression() -> None:
    text = plugin(r"limit_by_per_header: x, limit_keys: [{key: 'regexp:^b\d+$', token_per_second: 1}]")
    assert key(text, facts(("x", r"regexp:^b\d+$"))) == r"limit_by_per_header:1:x:regexp:^b\d+$"
    assert key(text, facts(("x", "b12"))) == "limit_by_per_header:1:x:b12"
    assert key(text, facts(("x", "ab12"))) == ""


@pytest.mark.parametrize(
    ("expression", "value", "matches"),
    [
        ("b", "abc", True),
        (r"^\d$", "\u0661", False),
        ("^a$", "a\n", False),
        ("x(?i)ab", "xAB", True),
        ("[[:alpha:]]", "5a", True),
        (r"\pL", "ä", True),
        (r"^\Qa.c\E$", "abc", False),
        (r"^a\z", "a", True),
        ("", "anything", True),
        ("(a+)+$", "a" * 5000 + "b", False),
    ],
)
def test_expressions_are_those_of_re2(expression: str, value: str, matches: bool) -> None:
    text = plugin(f"limit_by_per_header: x, limit_keys: [{{key: 'regexp:{expression}', token_per_second: 1}}]")
    assert bool(key(text, facts(("x", value)))) == matches


@pytest.mark.parametrize("entry", ["'*'", "'regexp:'", "'regexp:^$'"])
def test_an_empty_header_or_parameter_is_a_value_and_an_absent_one_is_none(entry: str) -> None:
    header = plugin(f"limit_by_per_header: x, limit_keys: [{{key: {entry}, token_per_second: 1}}]")
    assert key(header, facts(("x", ""))) == "limit_by_per_header:1:x:"
    assert key(header, facts()) == ""
    param = plugin(f"limit_by_per_param: x, limit_keys: [{{key: {entry}, token_per_second: 1}}]")
    assert key(param, facts(target="/?x")) == "limit_by_per_param:1:x:"
    assert key(param, facts(target="/?y")) == ""


@pytest.mark.parametrize("entry", ["'*'", "'regexp:'"])
def test_an_empty_cookie_consumer_or_address_is_none(entry: str) -> None:
    cookie = plugin(f"limit_by_per_cookie: x, limit_keys: [{{key: {entry}, token_per_second: 1}}]")
    assert key(cookie, facts(("cookie", "x=1"))) == "limit_by_per_cookie:1:x:1"
    assert key(cookie, facts(("cookie", "x="))) == ""
    consumer = plugin(f"limit_by_per_consumer: '', limit_keys: [{{key: {entry}, token_per_second: 1}}]")
    assert key(consumer, facts(consumer="ann")) == "limit_by_per_consumer:1:x-mse-consumer:ann"
    assert key(consumer, facts()) == ""
    address = plugin("limit_by_per_ip: from-header-x-real-ip, limit_keys: [{key: 0.0.0.0/0, token_per_second: 1}]")
    assert key(address, facts(("x-real-ip", "unknown"))) == ""


def test_names_stand_in_keys_as_they_are_written() -> None:
    text = plugin("""
        limit_by_header: X-Team, limit_keys: [{key: "a:b", token_per_minute: 1}]
        limit_by_per_ip: from-header-X-Forwarded-For, limit_keys: [{key: '2001:db8::/32', token_per_day: 1}]
    """)
    assert key(text, facts(("x-team", "a:b"))) == "limit_by_header:60:X-Team:a:b"
    found = key(text, facts(("x-forwarded-for", "[2001:DB8::0001]:99")))
    assert found == "limit_by_per_ip:86400:from-header-X-Forwarded-For:2001:db8::1"


def test_raw_bytes_stand_in_keys_as_they_are() -> None:
    text = plugin("limit_by_per_param: k, limit_keys: [{key: '*', token_per_day: 1}]")
    found = key(text, facts(target="/?k=%FF%C3%A4"))
    assert found.encode("utf-8", "surrogateescape").endswith(b":k:\xff\xc3\xa4")


def networks(*accepted: str) -> str:
    listed = ", ".join(f"{{key: '{one}', token_per_{unit}: 1}}" for one, unit in zip(accepted, UNITS, strict=False))
    return plugin(f"limit_by_per_ip: from-remote-addr, limit_keys: [{listed}]")


UNITS = ("second", "minute", "hour", "day")


def window(text: str, address: str) -> str:
    return key(text, facts(peer=address)).removeprefix("limit_by_per_ip:").partition(":")[0]


def test_networks_are_tried_in_their_order_and_not_by_length() -> None:
    text = networks("1.1.1.1", "1.1.0.0/16", "0.0.0.0/0")
    assert [window(text, each) for each in ("1.1.1.1", "1.1.2.1", "9.9.9.9")] == ["1", "60", "3600"]
    assert window(networks("0.0.0.0/0", "1.1.1.1"), "1.1.1.1") == "1"


def test_bits_of_the_host_may_be_set() -> None:
    assert window(networks("10.0.0.5/8"), "10.9.9.9") == "1"


@pytest.mark.parametrize("everything", ["0.0.0.0/0", "::/0"])
def test_the_whole_of_one_family_is_the_whole_of_both(everything: str) -> None:
    assert window(networks(everything), "9.9.9.9") == "1"
    assert window(networks(everything), "2001:db8::1") == "1"


def test_a_network_does_not_reach_into_the_other_family() -> None:
    assert window(networks("32.1.0.0/16"), "2001:db8::1") == ""


def test_in_generation_b_a_cookie_ends_at_its_first_equals_sign() -> None:
    item = "limit_by_per_cookie: user, limit_keys: [{key: '*', token_per_day: 1}]"
    request = facts(("cookie", "user=a=b"))
    assert keys(plugin(item), request) == ["higress-token-ratelimit:r:limit_by_per_cookie:86400:user:a"]
    assert keys(plugin(item, overlay=True), request) == [
        "higress-token-ratelimit:{r}:limit_by_per_cookie:86400:user:a=b"
    ]


def test_plugins_do_not_know_one_another() -> None:
    text = plugin("limit_by_per_header: x, limit_keys: [{key: '*', token_per_day: 1}]")
    other = plugin("limit_by_per_header: x, limit_keys: [{key: '*', token_per_hour: 1}]", name="s")
    assert len(keys(text, facts(("x", "1")), other)) == 2


def test_digests_may_stand_for_values() -> None:
    text = plugin("limit_by_header: x-api-key, limit_keys: [{key: secret, token_per_day: 1}]")
    (found,) = keys(text, facts(("x-api-key", "secret")), "settings: {digest_values: true}\n")
    assert found == "higress-token-ratelimit:r:limit_by_header:86400:x-api-key:2bb80d537b1da3e3"


def test_thousands_of_keys_are_found_as_fast_as_ten() -> None:
    """Within the noise of a busy machine; `scripts/bench --only items` measures."""

    def time(number: int) -> float:
        listed = ", ".join(f"{{key: k{index}, token_per_day: 1}}" for index in range(number))
        selector = Selector(parse(plugin(f"limit_by_header: x, limit_keys: [{listed}]"), "a.yaml").policy)
        requests = [facts(("x", f"k{index % 10}" if index % 2 else f"other{index}")) for index in range(3000)]
        return min(repeat(lambda: [selector.select(request) for request in requests], number=1, repeat=5))

    assert time(2000) < 3 * time(10)
