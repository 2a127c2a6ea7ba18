"""Who asks: by a key, by a password shown to the proxy, or by the word of a trusted peer."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.config import parse
from limiter.consumers import NOBODY, Roll, Who, told
from limiter.identity import digest

CONFIG = """
settings:
  consumers:
    - {name: alice, keys: [sk-alice, 0123456789abcdef], groups: [red, blue]}
    - {name: bob, password: hunter2}
"""


@pytest.fixture(name="roll", scope="module")
def _roll() -> Roll:
    return Roll(parse(CONFIG, "f").settings.consumers)


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


def test_a_key_is_known_by_its_digest(roll: Roll) -> None:
    alice = Who("alice", "alice", "", digest("sk-alice"), ("blue", "red"))
    assert roll.by_key(digest("sk-alice")) == alice
    assert (roll.by_key("0123456789abcdef") or NOBODY).name == "alice"
    assert roll.by_key(digest("sk-other")) is None
    assert roll.by_key("") is None


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (basic("bob:hunter2"), "bob"),
        (basic("bob:hunter3"), ""),
        (basic("alice:hunter2"), ""),
        (basic("whoever:sk-alice"), "alice"),
        ("Bearer sk-alice", "alice"),
        ("bearer  sk-alice ", "alice"),
        ("Bearer ", ""),
        (basic("bob:"), ""),
        (basic("bob"), ""),
        ("Basic ???", ""),
        ("Digest username=bob", ""),
        ("", ""),
    ],
)
def test_what_is_shown_to_the_proxy(roll: Roll, header: str, name: str) -> None:
    assert (roll.by_proxy_authorization(header) or NOBODY).name == name


@given(st.text())
def test_no_field_is_too_odd_to_be_read(header: str) -> None:
    assert Roll(()).by_proxy_authorization(header) is None


def test_a_trusted_peer_tells_of_its_clients() -> None:
    headers = {
        "x-consumer-username": "ann",
        "x-consumer-id": "7",
        "x-consumer-custom-id": "c7",
        "x-credential-identifier": "k1",
        "x-consumer-groups": "b, a,",
    }
    assert told(headers) == Who("ann", "7", "c7", "k1", ("a", "b"))
    assert told({"x-mse-consumer": "ann"}).name == "ann"
    assert told({}) == NOBODY


def test_who_is_told_by_name_is_the_consumer_of_that_name(roll: Roll) -> None:
    told_of = Who("alice", "their id", "c7", "k1", ("green",))
    assert roll.completed(told_of) == Who("alice", "alice", "c7", "k1", ("blue", "green", "red"))
    assert roll.completed(Who("carol", "3")) == Who("carol", "3")


def test_secrets_are_kept_as_digests_only(roll: Roll) -> None:
    configuration = parse(CONFIG, "f")
    assert "sk-alice" not in repr(configuration.settings)
    assert "hunter2" not in repr(configuration.settings)
