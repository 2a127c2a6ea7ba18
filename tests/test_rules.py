"""The compiled policy: conditions from texts, limits by name."""

from ipaddress import ip_network

import pytest

from limiter.rules import Condition, Limit
from limiter.windows import Window


def limit(name: str) -> Limit:
    """Some limit."""
    return Limit(name, "requests", 1, Window("fixed", 1, "day"))


def test_parse_tells_texts_patterns_and_networks() -> None:
    """Addresses come in their canonical form."""
    parsed = Condition.parse("ip", ["10.0.0.0/8", "10.1.*", "2001:DB8::0:1"])

    assert parsed == Condition("ip", frozenset({"2001:db8::1"}), ("10.1.*",), (ip_network("10.0.0.0/8"),))
    assert Condition.parse("path", ["/v1/a/b"]) == Condition("path", frozenset({"/v1/a/b"}))


@pytest.mark.parametrize(("dimension", "text"), [("team", "a"), ("header:", "a"), ("ip", "10.0.0.1/8"), ("ip", "here")])
def test_parse_refuses_what_is_none(dimension: str, text: str) -> None:
    """Unknown dimensions, networks with host bits, and addresses that are none."""
    with pytest.raises(ValueError, match=r"."):
        Condition.parse(dimension, [text])
