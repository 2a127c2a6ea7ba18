"""Numbers for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.rules import Limit
from limiter.windows import Window
from limiter.wording import allowance, duration, instant, money, quantity


@pytest.mark.parametrize(
    ("nano", "rounded", "exact"),
    [
        (0, "$0.00", "$0.00"),
        (5_000_000_000, "$5.00", "$5.00"),
        (5_023_456_789, "$5.02", "$5.023456789"),
        (1_234_500_000_000, "$1,234.50", "$1,234.50"),
        (999_999_999, "$1.00", "$0.999999999"),
        (500_000_000, "$0.50", "$0.50"),
        (12_345_678, "$0.012", "$0.012345678"),
        (4_567_890, "$0.0046", "$0.00456789"),
        (1, "$0.000000001", "$0.000000001"),
        (150, "$0.00000015", "$0.00000015"),
    ],
)
def test_money_has_two_decimals_and_more_where_it_is_little(nano: int, rounded: str, exact: str) -> None:
    assert money(nano) == rounded
    assert money(nano, exact=True) == exact


@given(st.integers(0, 10**18))
def test_rounded_money_is_close(nano: int) -> None:
    shown = float(money(nano).strip("$").replace(",", ""))
    off = abs(shown * 1e9 - nano)
    assert off <= max(5_000_001, nano * 1e-9)
    assert off <= nano * 0.051 + 1e-6
    assert float(money(nano, exact=True).strip("$").replace(",", "")) == pytest.approx(nano / 1e9)


def test_quantities_have_thousands_separators() -> None:
    assert quantity("total_tokens", 1_204_000) == "1,204,000"
    assert quantity("cost", 1_500_000_000) == "$1.50"
    assert (
        allowance(Limit("a", "prompt_tokens", 2_000, Window("fixed", 2, "hour"))) == "2,000 prompt tokens per 2 hours"
    )
    assert allowance(Limit("a", "pages", 3, Window("calendar", 1, "month"))) == "3 pages per month"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_601, "1 h"),
        (11_520, "3 h 12 min"),
        (86_400, "1 d"),
        (90_061, "1 d 1 h"),
        (2_600_000, "30 d 2 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: int, expected: str) -> None:
    assert duration(seconds) == expected


def test_instants_are_in_utc_and_whole_seconds() -> None:
    assert instant(1_795_651_200_999) == "2026-11-26T00:00:00Z"


@pytest.mark.parametrize(
    ("meter", "amount", "expected"),
    [
        ("unit:header:x-videos", 100_000_000, "100 x-videos per day"),
        ("unit:header:x-used:my videos", 1_234_567_890_000, "1,234,567.89 my videos per day"),
    ],
)
def test_custom_units_go_by_the_last_part_of_their_names(meter: str, amount: int, expected: str) -> None:
    assert allowance(Limit("a", meter, amount, Window("fixed", 1, "day"), scale=10**6)) == expected
