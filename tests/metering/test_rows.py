"""Measured exchanges as JSON."""

import json
from decimal import Decimal

import pytest

from limiter.metering.meter import Metered
from limiter.metering.rows import dollars, row
from limiter.meters import Usage
from limiter.prices import Priced

TOKENS = (
    *("prompt_tokens", "completion_tokens", "total_tokens"),
    *("cached_tokens", "cache_creation_tokens", "reasoning_tokens"),
)


def test_a_reported_exchange() -> None:
    """Every promised field, in its order."""
    usage = Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15, cached_tokens=4, reasoning_tokens=2)
    metered = Metered(
        id="a", provider="openai", endpoint="chat", model="m", streaming=True, reported=usage, charged=usage,
        priced=Priced(5, "genai-prices", "openai/m"), source="genai-prices",
    )  # fmt: skip

    assert row(metered) == (
        b'{"id":"a","provider":"openai","model":"m","streaming":true,"prompt_tokens":10,"completion_tokens":5,'
        b'"total_tokens":15,"cached_tokens":4,"cache_creation_tokens":0,"reasoning_tokens":2,"cost_usd":0.000000005,'
        b'"price_source":"genai-prices","price_name":"openai/m","endpoint":"chat","estimated":false}'
    )


def test_an_estimate_stands_apart() -> None:
    """What the provider did not say is null."""
    charged = Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10, estimated=True)
    told = json.loads(row(Metered(id="a", charged=charged, priced=Priced(1, "dearest", ""), source="dearest")))

    assert [told[name] for name in TOKENS] == [None] * 6
    assert told["estimated"] is True
    assert told["estimated_tokens"] == {"prompt_tokens": 7, "completion_tokens": 3}


def test_what_could_not_be_read() -> None:
    """Null where nothing is known."""
    told = json.loads(row(Metered(id="f:1", problem="no JSON \ud800")))

    assert told["problem"] == "no JSON ?"
    assert {told[name] for name in ("provider", "model", "cost_usd", "price_source", *TOKENS)} == {None}


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0"), (1, "0.000000001"), (146_625, "0.000146625"), (10**9, "1"), (12_500_000_000, "12.5"), (10**12, "1000")],
)
def test_money_is_exact(nano: int, text: str) -> None:
    """To a billionth, without an exponent."""
    assert dollars(nano) == text
    assert Decimal(text) * 10**9 == nano
