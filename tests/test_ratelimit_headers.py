"""The `RateLimit` fields: exact text, and valid structured fields whatever a limit is called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.decisions import Standing
from limiter.ratelimit_headers import fields
from limiter.rules import Limit
from limiter.windows import Window
from tests import standings

NOW = 1_795_639_680_000
DAY = Window("calendar", 1, "day")


def standing(limit: Limit, remaining: int, seconds: float, size: int = 86_400_000) -> Standing:
    return standings.standing(limit, limit.amount - remaining, remaining, NOW + int(seconds * 1000), size, over=False)


def test_every_limit_is_one_item_of_each_list() -> None:
    found = fields(
        [
            standing(Limit("daily", "cost", 5_000_000_000, DAY), 1_249_999_999, 11_520),
            standing(Limit("burst", "total_tokens", 200_000, Window("sliding", 1, "minute")), 1_204, 12.3, 60_000),
            standing(Limit("calls", "requests", 60, Window("fixed", 1, "minute")), 59, 41, 60_000),
        ],
        NOW,
    )
    assert found == (
        (
            "RateLimit-Policy",
            '"daily";q=5000000;qu="usd-micros";w=86400, "burst";q=200000;qu="tokens";w=60, "calls";q=60;w=60',
        ),
        ("RateLimit", '"daily";r=1249999;t=11520, "burst";r=1204;t=13, "calls";r=59;t=41'),
    )


def test_limits_in_shadow_mode_stay_hidden() -> None:
    shadow = standing(Limit("s", "requests", 1, DAY, mode="shadow"), 1, 1)
    warn = standing(Limit("w", "requests", 1, DAY, mode="warn"), 1, 1)
    assert fields([shadow], NOW) == ()
    assert fields([], NOW) == ()
    assert fields([shadow, warn], NOW)[1] == ("RateLimit", '"w";r=1;t=1')


def test_names_are_escaped() -> None:
    odd = standing(Limit('a "b" \\ \r\nSet-Cookie: x=1; ü', "requests", 1, DAY), 1, 1)
    assert fields([odd], NOW)[1][1] == '"a \\"b\\" \\\\ ??Set-Cookie: x=1; ?";r=1;t=1'


@pytest.mark.parametrize("late", [0, -5_000])
def test_a_reset_is_never_now_or_before(late: float) -> None:
    assert fields([standing(Limit("a", "requests", 1, DAY), 0, late)], NOW)[1][1].endswith(";t=1")


STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
POLICY = rf"{STRING};q=\d{{1,15}}(?:;qu={STRING})?;w=[1-9]\d{{0,14}}"
SERVICE = rf"{STRING};r=\d{{1,15}};t=[1-9]\d{{0,14}}"
"""RFC 9651 §3.3: strings are printable ASCII with escaped quotes, integers have at most 15 digits."""

STANDINGS = st.builds(
    standings.standing,
    limit=st.builds(
        Limit,
        name=st.text(max_size=20),
        meter=st.sampled_from(["requests", "cost", "total_tokens", "custom\nunit"]),
        amount=st.integers(0, 10**30),
        window=st.just(DAY),
        mode=st.sampled_from(["enforce", "warn"]),
    ),
    used=st.just(0),
    remaining=st.integers(-5, 10**30),
    reset_at=st.integers(-(10**20), 10**25),
    size=st.integers(0, 10**25),
    over=st.booleans(),
)


@given(st.lists(STANDINGS, min_size=1, max_size=4))
def test_the_fields_are_structured_fields(found: list[Standing]) -> None:
    policy, service = fields(found, NOW)
    assert re.fullmatch(rf"{POLICY}(?:, {POLICY})*", policy[1])
    assert re.fullmatch(rf"{SERVICE}(?:, {SERVICE})*", service[1])
