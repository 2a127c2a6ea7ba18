"""Numbers that upstreams tell in a response header."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.units import FINE, MOST, scaled, told

FIELDS = (
    ("x-cost", "1.25"),
    ("x-cost", "99"),
    ("x-used", "videos=2, my images = 1e1, bad=x"),
    ("x-back", "-3"),
    ("x-text", "many"),
)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("header:x-cost", 1_250_000),
        ("header:x-used:videos", 2 * FINE),
        ("header:x-used:my images", 10 * FINE),
        ("header:x-back", -3 * FINE),
        ("header:x-used:bad", None),
        ("header:x-used:other", None),
        ("header:x-used", None),
        ("header:x-text", None),
        ("header:x-none", None),
    ],
)
def test_a_unit_is_the_number_of_the_first_field_or_of_its_item(name: str, parts: int | None) -> None:
    assert told([name], FIELDS) == ({} if parts is None else {name: parts})


@given(st.lists(st.tuples(st.sampled_from(["x-cost", "x-used"]), st.binary())))
def test_any_bytes_are_read_without_an_error(fields: list[tuple[str, bytes]]) -> None:
    texts = tuple((name, value.decode("utf-8", "surrogateescape")) for name, value in fields)

    assert all(abs(number) <= MOST for number in told(["header:x-cost", "header:x-used:a"], texts).values())


@pytest.mark.parametrize(
    ("number", "scale", "parts"),
    [(0.1, FINE, 100_000), (-0.5, FINE, -500_000), (7.0, 1, 7), (inf, FINE, MOST), (-inf, 1, -MOST), (1e300, 1, MOST)],
)
def test_numbers_become_whole_parts(number: float, scale: int, parts: int) -> None:
    assert scaled(number, scale) == parts


def test_what_is_no_number_counts_for_nothing() -> None:
    assert scaled(nan, FINE) == 0
