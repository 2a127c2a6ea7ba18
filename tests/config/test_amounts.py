"""Amounts: every amount can be written and is read back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.config.amounts import LARGEST, MOST, TOLD, WRITTEN, Amount, form, parse, quantity
from limiter.config.notices import MisfitError
from limiter.meters import METERS, NANO
from limiter.windows import UNITS

amounts = st.sampled_from(UNITS).flatmap(
    lambda unit: st.builds(
        Amount,
        st.sampled_from([*sorted(METERS), TOLD]),
        st.integers(0, LARGEST) | st.integers(0, 10_000).map(lambda number: number * NANO // 100),
        st.integers(1, MOST[unit]),
        st.just(unit),
    )
)


@given(amounts)
def test_written_amounts_are_read_back(amount: Amount) -> None:
    """form and parse are inverse."""
    assert parse(form(amount)) == amount


@given(st.integers(0, LARGEST // 1000), st.sampled_from(["k", "K"]), st.sampled_from(["per", "every", "/", " / "]))
def test_thousands(number: int, suffix: str, every: str) -> None:
    """A suffix multiplies, and `per` has synonyms."""
    assert parse(f"{number}{suffix} tokens {every} day") == Amount("total_tokens", number * 1000, 1, "day")


@given(st.text(max_size=30) | st.text("$0123456789,._kMB tokensprqudayu/", max_size=30))
def test_other_texts_are_refused(text: str) -> None:
    """Any text is an amount or refused, and no other error comes of it."""
    try:
        amount = parse(text)
    except MisfitError:
        return

    assert parse(form(amount)) == amount


@pytest.mark.parametrize("value", [None, True, 5, 1.5, [], {}, "x" * 201, "9" * 150 + " tokens per day"])
def test_other_values_are_refused(value: object) -> None:
    """Only texts are amounts, and no text is expensive to refuse."""
    with pytest.raises(MisfitError):
        parse(value)


@pytest.mark.parametrize(
    ("meter", "number", "text"),
    [
        ("cost", 0, "$0"),
        ("cost", NANO // 2, "$0.50"),
        ("cost", 1234 * NANO + 5, "$1,234.000000005"),
        ("requests", 1, "1 request"),
        ("total_tokens", 200_000, "200,000 tokens"),
        (TOLD, 1_234_500_000, "1,234.5"),
    ],
)
def test_quantities(meter: str, number: int, text: str) -> None:
    """As people write them."""
    assert quantity(meter, number) == text


def test_every_meter_can_be_written() -> None:
    """A new meter needs a noun."""
    assert {*WRITTEN, "cost"} == set(METERS)


def test_wide_spaces_are_spaces() -> None:
    """Text from a web page has spaces that do not break."""
    assert parse("\u00a060\u00a0requests\tper  minute ") == Amount("requests", 60, 1, "minute")
