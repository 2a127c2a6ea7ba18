"""Our whole-number arithmetic against that of genai-prices, over its whole price list."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil
from random import Random

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider, Tier, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.meters import Scope, Usage
from limiter.tariffs import Rates, Tariff, compiled, dearest

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)


def models() -> list[tuple[Provider, ModelInfo]]:
    return [(provider, model) for provider in get_snapshot().providers for model in provider.models]


def some_usage(random: Random) -> Usage:
    """A mix of kinds of tokens, short or long, that genai-prices does not refuse to price."""
    prompt = random.choice((1_000, 200_000, 200_001, 250_000, 900_000))
    written = random.randrange(prompt // 2)
    kinds: dict[str, int] = random.choice(
        (
            {
                "cached_tokens": random.randrange(prompt // 2),
                "cache_creation_tokens": written,
                "cache_creation_1h_tokens": written // 3,
                "web_searches": 3,
            },
            {"reasoning_tokens": 400},
            {"prompt_audio_tokens": prompt // 3, "completion_audio_tokens": 99},
            {"prompt_image_tokens": prompt // 4, "completion_image_tokens": 99},
        )
    )
    return Usage(prompt_tokens=prompt, completion_tokens=random.randrange(500, 9_999), **kinds)


def theirs(usage: Usage) -> TheirUsage:
    values = {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "cache_read_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_creation_tokens,
        "cache_write_1h_tokens": usage.cache_creation_1h_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "input_audio_tokens": usage.prompt_audio_tokens,
        "output_audio_tokens": usage.completion_audio_tokens,
        "input_image_tokens": usage.prompt_image_tokens,
        "output_image_tokens": usage.completion_image_tokens,
        "web_searches": usage.web_searches,
    }
    return TheirUsage(**{key: value for key, value in values.items() if value})


def test_every_model_of_the_list_costs_what_genai_prices_says() -> None:
    random = Random(1)
    for provider, model in models():
        price = model.get_prices(AT)
        tariff = compiled(price.__dict__)
        for usage in (some_usage(random), some_usage(random)):
            expected = model.calc_price(theirs(usage), provider, genai_request_timestamp=AT).total_price
            assert abs(tariff.cost(usage) - expected * 10**9) <= 1, (provider.id, model.id, usage)


def test_every_listed_price_is_a_whole_number_of_yoctodollars() -> None:
    for _, model in models():
        for price in model.get_prices(AT).__dict__.values():
            for each in [price.base, *(t.price for t in price.tiers)] if isinstance(price, TieredPrices) else [price]:
                assert each is None or (each * 10**18) % 1 == 0


SONNET = compiled(
    {
        "input_mtok": Decimal(3),
        "output_mtok": Decimal(15),
        "cache_read_mtok": Decimal("0.3"),
        "cache_write_mtok": Decimal("3.75"),
        "cache_write_1h_mtok": Decimal(6),
    }
)


def test_a_cost_is_rounded_up_to_the_next_billionth() -> None:
    tariff = compiled({"input_mtok": Decimal("0.0875")})
    assert tariff.cost(Usage(prompt_tokens=1)) == 88  # 87.5 nano-dollars
    assert tariff.cost(Usage(prompt_tokens=2)) == 175


def test_parts_that_exceed_their_whole_are_cut() -> None:
    """Azure's Grok reports 161 cached tokens of a prompt of 10."""
    assert SONNET.cost(Usage(prompt_tokens=10, cached_tokens=161)) == 10 * 300
    assert SONNET.cost(Usage(prompt_tokens=10, cached_tokens=4, cache_creation_tokens=99)) == 4 * 300 + 6 * 3750


def test_a_total_alone_is_priced_as_input() -> None:
    assert SONNET.cost(Usage(total_tokens=1000)) == 3_000_000


def test_cached_audio_without_a_price_of_its_own_costs_what_audio_costs() -> None:
    tariff = compiled({"input_mtok": Decimal(4), "cache_read_mtok": Decimal("0.4"), "input_audio_mtok": Decimal(32)})
    whole = Usage(prompt_tokens=100, prompt_audio_tokens=100, cached_tokens=50)
    assert tariff.cost(whole) == 100 * 32_000
    written = compiled({"input_mtok": Decimal(3), "cache_write_mtok": Decimal(4), "cache_read_mtok": Decimal(1)})
    assert written.cost(Usage(prompt_tokens=100, prompt_image_tokens=90, cache_creation_tokens=100)) == 100 * 4_000
    text_first = Usage(prompt_tokens=100, prompt_audio_tokens=60, cached_tokens=40)
    assert tariff.cost(text_first) == 60 * 32_000 + 40 * 400


def test_custom_units_are_priced_by_the_list() -> None:
    whisper = compiled({"audio_hours": Decimal("0.36")})
    assert whisper.cost(Usage(units={"audio_seconds": 60})) == 6_000_000
    assert whisper.cost(Usage(units={"something": 60})) == 0


@pytest.mark.parametrize(
    ("prices", "units", "cost"),
    [
        ({"input_document_kpages": Decimal(2)}, {"pages": 3}, 6_000_000),
        ({"rerank_searches_kcount": Decimal(2)}, {"searches": 1}, 2_000_000),
        ({"web_searches_kcount": Decimal(5)}, {"searches": 2}, 10_000_000),
        ({"input_audio_hours": Decimal("0.36")}, {"audio_seconds": 10}, 1_000_000),
    ],
)
def test_pages_searches_and_seconds(prices: dict[str, Decimal], units: dict[str, int], cost: int) -> None:
    """By the names that usage has."""
    assert compiled(prices).cost(Usage(units=units)) == cost


def test_speech_that_is_paid_by_the_second_is_not_paid_by_the_token() -> None:
    """Voxtral reports both."""
    voxtral = compiled({"input_mtok": Decimal("0.1"), "output_mtok": Decimal("0.4"), "audio_hours": Decimal("0.36")})
    usage = Usage(prompt_tokens=384, prompt_audio_tokens=375, completion_tokens=248, units={"audio_seconds": 30})
    assert voxtral.cost(usage) == 9 * 100 + 248 * 400 + 3_000_000
    assert voxtral.cost(Usage(prompt_tokens=384, prompt_audio_tokens=375)) == 384 * 100


def test_cohere_is_paid_for_what_it_bills() -> None:
    """Not for the tokens of its own preamble."""
    command = compiled({"input_mtok": Decimal("2.5"), "output_mtok": Decimal(10)})
    seen = Usage(prompt_tokens=505, completion_tokens=12, total_tokens=517)
    assert (
        command.cost(replace(seen, units={"billed_input_tokens": 10, "billed_output_tokens": 8})) == 10 * 2500 + 80_000
    )
    assert command.cost(replace(seen, units={"billed_input_tokens": 10})) == 10 * 2500
    assert command.cost(seen) == 505 * 2500 + 120_000


def test_sums_of_many_requests_are_no_long_prompt() -> None:
    """A batch of short prompts costs what each of them does, its fees included."""
    tariff = compiled({
        "input_mtok": TieredPrices(base=Decimal(3), tiers=[Tier(start=200_000, price=Decimal(6))]),
        "requests_kcount": Decimal(1),
    })  # fmt: skip
    assert tariff.cost(Usage(prompt_tokens=400_000, requests=2)) == 400_000 * 3_000 + 2 * 1_000_000
    assert tariff.cost(Usage(prompt_tokens=400_002, requests=2)) == 400_002 * 6_000 + 2 * 1_000_000


COUNTS = st.integers(0, 2_000_000)
RANDOM_USAGE = st.builds(
    Usage,
    prompt_tokens=COUNTS,
    completion_tokens=COUNTS,
    total_tokens=COUNTS,
    cached_tokens=COUNTS,
    cache_creation_tokens=COUNTS,
    cache_creation_1h_tokens=COUNTS,
    reasoning_tokens=COUNTS,
    prompt_audio_tokens=COUNTS,
    completion_audio_tokens=COUNTS,
    prompt_image_tokens=COUNTS,
    completion_image_tokens=COUNTS,
)
RATES = st.lists(st.integers(0, 10**20), min_size=14, max_size=14).map(lambda rates: Rates(*rates))
TARIFFS = st.builds(
    lambda base, tiers: Tariff((*sorted(tiers.items(), reverse=True), (-1, base))),
    RATES,
    st.dictionaries(st.sampled_from([128_000, 200_000, 272_000]), RATES, max_size=2),
)


@given(TARIFFS, RANDOM_USAGE)
@settings(max_examples=60)
def test_any_usage_costs_between_the_lowest_and_the_highest_rate(tariff: Tariff, usage: Usage) -> None:
    prompt = usage.prompt_tokens or max(0, usage.total_tokens - usage.completion_tokens)
    rates = next(rates for start, rates in tariff.levels if prompt > start)
    low = prompt * min(rates[:8]) + usage.completion_tokens * min(rates[8:12]) + rates.request
    high = prompt * max(rates[:8]) + usage.completion_tokens * max(rates[8:12]) + rates.request
    assert ceil(Fraction(low, 10**15)) <= tariff.cost(usage) <= ceil(Fraction(high, 10**15))


@settings(max_examples=60)
@given(st.lists(TARIFFS, min_size=1, max_size=8), RANDOM_USAGE)
def test_the_dearest_tariffs_stand_for_all(tariffs: list[Tariff], usage: Usage) -> None:
    kept = dearest(tariffs)
    assert max(each.cost(usage) for each in kept) >= max(each.cost(usage) for each in tariffs)
    assert set(kept) <= set(tariffs)


@pytest.mark.parametrize(("prompt", "rate"), [(200_000, 3_000), (200_001, 6_000)])
def test_a_tier_holds_for_every_token_once_it_is_passed(prompt: int, rate: int) -> None:
    tariff = compiled({"input_mtok": TieredPrices(base=Decimal(3), tiers=[Tier(start=200_000, price=Decimal(6))])})
    assert tariff.cost(Usage(prompt_tokens=prompt)) == prompt * rate


SCOPES = st.builds(
    Scope,
    audio=COUNTS,
    images=COUNTS,
    writes=st.sampled_from(["", "5m", "1h"]),
    speaks=st.booleans(),
    draws=st.booleans(),
    searches=st.integers(0, 20),
)


@given(TARIFFS, SCOPES, COUNTS, COUNTS, st.data())
@settings(max_examples=200)
def test_no_usage_within_bounds_costs_more_than_the_most(
    tariff: Tariff, scope: Scope, prompt: int, completion: int, data: st.DataObject
) -> None:
    def up_to(most: int) -> int:
        return data.draw(st.integers(0, most))

    read, written = up_to(prompt), up_to(completion)
    created = up_to(read) if scope.writes else 0
    usage = Usage(
        prompt_tokens=read,
        completion_tokens=written,
        cached_tokens=up_to(read),
        cache_creation_tokens=created,
        cache_creation_1h_tokens=up_to(created) if scope.writes == "1h" else 0,
        reasoning_tokens=up_to(written),
        prompt_audio_tokens=up_to(min(scope.audio, read)),
        prompt_image_tokens=up_to(min(scope.images, read)),
        completion_audio_tokens=up_to(written) if scope.speaks else 0,
        completion_image_tokens=up_to(written) if scope.draws else 0,
        web_searches=up_to(scope.searches),
    )
    assert tariff.cost(usage) <= tariff.most(prompt, completion, scope)


@pytest.mark.parametrize("scope", [Scope(), Scope(writes="5m"), Scope(writes="1h")])
def test_the_most_is_what_some_usage_costs(scope: Scope) -> None:
    dearest_usage = Usage(
        prompt_tokens=1000,
        completion_tokens=100,
        cache_creation_tokens=1000 if scope.writes else 0,
        cache_creation_1h_tokens=1000 if scope.writes == "1h" else 0,
    )
    assert SONNET.most(1000, 100, scope) == SONNET.cost(dearest_usage)


def test_the_most_of_a_long_prompt_may_be_on_a_shorter_ones_level() -> None:
    """Nobody promises that long prompts are dearer."""
    tariff = compiled({"input_mtok": TieredPrices(base=Decimal(6), tiers=[Tier(start=200_000, price=Decimal(3))])})
    assert tariff.most(200_001, 0, Scope()) >= tariff.cost(Usage(prompt_tokens=200_000))


def test_the_most_counts_units() -> None:
    assert compiled({"audio_hours": Decimal("0.36")}).most(0, 0, Scope(units={"audio_seconds": 60})) == 6_000_000
