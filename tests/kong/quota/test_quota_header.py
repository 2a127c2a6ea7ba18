"""The grammar of the header by which an upstream counts."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.kong.quota_header import increments

NAMES = ("video", "image", "my limit")

VERIFIED: tuple[tuple[str, dict[str, float]], ...] = (
    ("video=1", {"video": 1}),
    ("video = 1", {"video": 1}),
    ("video=  7\t", {"video": 7}),
    (" video=1 , image=2 ", {"video": 1, "image": 2}),
    ("video=1,image=2,", {"video": 1, "image": 2}),
    ("video=1,  ,image=1", {"video": 1, "image": 1}),
    ("video=1;image=2", {}),
    ("Video=1", {}),
    ("video", {}),
    ("video=", {}),
    ("=3", {}),
    ("video==3", {}),
    ("video=1=2", {}),
    ("video=-2", {"video": -2}),
    ("video=+3", {"video": 3}),
    ("video=1.5", {"video": 1.5}),
    ("video=.5", {"video": 0.5}),
    ("video=1.", {"video": 1}),
    ("video=1e3", {"video": 1000}),
    ("video=0x10", {"video": 16}),
    ("video=0b101", {"video": 5}),
    ("video=inf", {"video": float("inf")}),
    ("video=abc", {}),
    ('video="1"', {}),
    ("video=1_000", {}),
    ("video=10LL", {}),
    ("video=3i", {}),
    ("video=0", {"video": 0}),
    ("video=00", {"video": 0}),
    ("video=1,video=5", {"video": 5}),
    ("video=5,video=abc", {}),
    ("video=5,video=", {}),
    ("video=1 image=2", {}),
    ("video=1\nimage=2", {}),
    ("unknown=4,video=2", {"video": 2}),
    ("video=9999999999999999999", {"video": 1e19}),
    ("my limit=3", {"my limit": 3}),
    ("", {}),
    ("  ", {}),
    (",,", {}),
)
"""What the gateway itself was seen to do."""


@pytest.mark.parametrize(("value", "expected"), VERIFIED)
def test_header_is_read_as_the_gateway_reads_it(value: str, expected: dict[str, float]) -> None:
    assert increments(value, NAMES) == expected


def test_nan_is_a_number() -> None:
    assert isnan(increments("video=nan", NAMES)["video"])


@given(st.binary())
def test_any_bytes_are_read_without_an_error(value: bytes) -> None:
    found = increments(value.decode("utf-8", "surrogateescape"), NAMES)

    assert found.keys() <= set(NAMES)


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(-(2**53), 2**53)), st.text(" \t", max_size=3))
def test_well_formed_headers_are_read_whole(numbers: dict[str, int], blank: str) -> None:
    value = ",".join(f"{blank}{name}{blank}={blank}{number}{blank}" for name, number in numbers.items())

    assert increments(value, NAMES) == numbers


@given(st.lists(st.text("video=, 1x.-", max_size=8)))
def test_parts_do_not_disturb_one_another(parts: list[str]) -> None:
    """Whatever stands before it, a well-formed last part counts."""
    assert increments(",".join([*parts, "image=4"]), NAMES)["image"] == 4
