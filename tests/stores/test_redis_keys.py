"""Slots and hash tags, by the word of a real cluster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.stores.redis_keys import SLOTS, TAG, books, hash_tag, slot
from limiter.stores.redis_script import key_bytes
from tests.servers import shared

KEYS = [
    b"", b"key", b"{tag}key", b"k{tag}ey{other}", b"{}key", b"k{}{tag}", b"{{tag}}", b"a}b", b"a{b", b"}{", b"a}b{c",
    b"{ai-limit}:daily:1d:1700000000", b"higress-token-ratelimit:r:limit_by_per_ip:60:from-remote-addr:1.2.3.4",
    b"\xff\xfe\x00", b"x" * 3000,
]  # fmt: skip


@pytest.mark.xdist_group("redis")
def test_slots_are_those_of_a_cluster() -> None:
    with shared.cluster().nodes[0].client() as client:
        assert [slot(key) for key in KEYS] == [client.execute_command("CLUSTER KEYSLOT", key) for key in KEYS]


@given(st.one_of(st.sampled_from(KEYS), st.binary(max_size=30), st.text("{}ab").map(str.encode)))
def test_what_is_remembered_lies_with_its_counters(key: bytes) -> None:
    tag = hash_tag(key)
    assert {slot(name) for name in books(tag, "id of an exchange")} == {slot(key)}


def test_native_keys_lie_together() -> None:
    assert hash_tag(b"{ai-limit}:daily:1d:1700000000") == TAG
    assert slot(TAG) < SLOTS


@given(st.binary(max_size=40))
def test_a_key_of_undecodable_bytes_becomes_them_again(raw: bytes) -> None:
    assert key_bytes(raw.decode("utf-8", "surrogateescape")) == raw
