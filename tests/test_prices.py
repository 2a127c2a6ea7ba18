"""Costs against list prices worked out by hand, and the order of the sources of a price.

Hand-computed values use the providers' published prices in dollars for a million tokens, as of November 2026:
platform.openai.com/docs/pricing · docs.anthropic.com/en/docs/about-claude/pricing
· ai.google.dev/gemini-api/docs/pricing
· docs.x.ai/docs/models · docs.cohere.com/docs/models · aws.amazon.com/bedrock/pricing.
"""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from timeit import timeit

import pytest
from genai_prices.data_snapshot import get_snapshot

from limiter.facts import Facts
from limiter.meters import NANO, Scope, Usage
from limiter.price_list import LATEST, builtin
from limiter.price_sources import SOURCES
from limiter.prices import Priced, Prices
from limiter.settings import Price

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLAIN = Usage(prompt_tokens=1000, completion_tokens=500, total_tokens=1500)
ALL_TOKENS = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)
PRICES = Prices()


def dollars(amount: str) -> int:
    """Billionths of a dollar."""
    return int(Decimal(amount) * NANO)


BY_HAND = [
    # gpt-4o: 2.50 in, 1.25 cached, 10 out
    ("openai", "gpt-4o", PLAIN, "0.0075"),
    ("openai", "gpt-4o-2024-08-06", PLAIN, "0.0075"),
    ("openai", "gpt-4o", Usage(prompt_tokens=2000, cached_tokens=1024, completion_tokens=100), "0.00472"),
    # gpt-4o-mini: 0.15 in, 0.075 cached, 0.60 out
    ("openai", "gpt-4o-mini", PLAIN, "0.00045"),
    ("openai", "gpt-4o-mini", Usage(prompt_tokens=1), "0.00000015"),
    # o3: 2 in, 8 out since 2025-06-10; o4-mini: 1.10 in, 4.40 out; reasoning is output
    ("openai", "o3", Usage(prompt_tokens=1000, completion_tokens=2000, reasoning_tokens=1500), "0.018"),
    ("openai", "o4-mini", PLAIN, "0.0033"),
    # o1: 15 in, 60 out
    ("openai", "o1", PLAIN, "0.045"),
    # embeddings: 0.02 in
    ("openai", "text-embedding-3-small", Usage(prompt_tokens=8191, total_tokens=8191), "0.00016382"),
    # gpt-4o fine-tuned mini: 0.30 in, 1.20 out
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123", PLAIN, "0.0009"),
    # gpt-realtime: text 4 in, 16 out; audio 32 in, 64 out
    (
        "openai",
        "gpt-realtime",
        Usage(prompt_tokens=300, prompt_audio_tokens=200, completion_tokens=150, completion_audio_tokens=100),
        "0.014",
    ),
    # a web search costs 10 dollars a thousand
    ("openai", "gpt-4o", Usage(prompt_tokens=1000, completion_tokens=500, web_searches=2), "0.0275"),
    # claude-sonnet-4: 3 in, 0.30 cache read, 3.75 written for 5 minutes, 6 for an hour, 15 out
    ("anthropic", "claude-sonnet-4-20250514", PLAIN, "0.0105"),
    ("anthropic", "claude-sonnet-4-20250514", Usage(prompt_tokens=10_000, cached_tokens=9_000), "0.0057"),
    ("anthropic", "claude-sonnet-4-20250514", Usage(prompt_tokens=10_000, cache_creation_tokens=9_000), "0.03675"),
    (
        "anthropic",
        "claude-sonnet-4-20250514",
        Usage(
            prompt_tokens=10_000,
            completion_tokens=100,
            cached_tokens=5_000,
            cache_creation_tokens=3_000,
            cache_creation_1h_tokens=1_000,
        ),
        "0.0225",
    ),
    # claude-opus-4-1: 15 in, 75 out; claude-3-5-haiku: 0.80 in, 4 out
    ("anthropic", "claude-opus-4-1-20250805", PLAIN, "0.0525"),
    ("anthropic", "claude-3-5-haiku-latest", PLAIN, "0.0028"),
    # claude-sonnet-4-5: double input and 1.5 × output above 200,000 tokens of input, cached ones included
    ("anthropic", "claude-sonnet-4-5-20250929", Usage(prompt_tokens=200_000, completion_tokens=1000), "0.615"),
    ("anthropic", "claude-sonnet-4-5", Usage(prompt_tokens=200_001, completion_tokens=1000), "1.222506"),
    ("anthropic", "claude-sonnet-4-5", Usage(prompt_tokens=300_000, cached_tokens=250_000), "0.45"),
    # gemini-2.5-pro: 1.25 in and 10 out, above 200,000 tokens of input 2.50 and 15
    ("gemini", "gemini-2.5-pro", Usage(prompt_tokens=100_000, completion_tokens=1000), "0.135"),
    ("gemini", "models/gemini-2.5-pro", Usage(prompt_tokens=300_000, completion_tokens=1000), "0.765"),
    # gemini-2.5-flash: 0.30 in, 2.50 out
    ("vertex", "gemini-2.5-flash", PLAIN, "0.00155"),
    ("gemini", "gemini-embedding-001", Usage(prompt_tokens=1000), "0.00015"),
    # Claude elsewhere costs what it costs at home
    ("vertex", "claude-sonnet-4@20250514", PLAIN, "0.0105"),
    ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", PLAIN, "0.0105"),
    ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1%3A0", PLAIN, "0.0105"),
    (
        "bedrock",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
        PLAIN,
        "0.0105",
    ),
    # nova-lite: 0.06 in, 0.24 out
    ("bedrock", "amazon.nova-lite-v1:0", PLAIN, "0.00018"),
    ("bedrock", "apac.amazon.nova-lite-v1:0", PLAIN, "0.00018"),
    # Azure: by model, and by deployments that are called after their model
    ("azure", "gpt-4o", PLAIN, "0.0075"),
    ("azure", "gpt-35-turbo", PLAIN, "0.00125"),
    ("azure", "prod-gpt4o-mini-eu", PLAIN, "0.00045"),
    ("azure", "team-o3", PLAIN, "0.006"),
    # grok-4: 3 in, 15 out; command-a: 2.50 in, 10 out
    ("xai", "grok-4", PLAIN, "0.0105"),
    ("cohere", "command-a-03-2025", PLAIN, "0.0075"),
    ("openrouter", "openai/gpt-4o", PLAIN, "0.0075"),
    ("openrouter", "anthropic/claude-sonnet-4:thinking", PLAIN, "0.0105"),
    ("openrouter", "meta-llama/llama-3.3-70b-instruct:free", PLAIN, "0"),
    ("openai", "omni-moderation-latest", PLAIN, "0"),
    # sonar-pro: 3 in, 15 out, and 14 dollars for a thousand requests
    ("perplexity", "sonar-pro", PLAIN, "0.0245"),
    # a gateway that the list does not know, a model that it does
    ("portkey", "gpt-4o", PLAIN, "0.0075"),
    ("portkey", "openai/gpt-4o", PLAIN, "0.0075"),
    ("", "claude-sonnet-4-20250514", PLAIN, "0.0105"),
]


@pytest.mark.parametrize(("provider", "model", "usage", "expected"), BY_HAND)
def test_costs_are_those_of_the_published_prices(provider: str, model: str, usage: Usage, expected: str) -> None:
    priced = PRICES.price(usage, provider, model, at=AT)
    assert (priced.cost, priced.source) == (dollars(expected), "genai-prices")
    assert PRICES.is_known(provider, model)


@pytest.mark.parametrize(
    ("provider", "model", "tier", "expected"),
    [
        ("openai", "o3", "flex", "0.003"),
        ("openai", "o3", "default", "0.006"),
        ("openai", "gpt-4o", "priority", "0.01275"),
        ("openai", "gpt-4o", "batch", "0.00375"),
        ("anthropic", "claude-sonnet-4-5", "batch", "0.00525"),
        ("anthropic", "claude-sonnet-4-5", "standard", "0.0105"),
        ("openai", "gpt-4o", "never heard of", "0.0075"),
        # Azure sells OpenAI's models, not its tiers.
        ("azure", "gpt-4o", "batch", "0.0075"),
    ],
)
def test_service_tiers_have_prices_of_their_own(provider: str, model: str, tier: str, expected: str) -> None:
    """As published in autumn 2026: batch and flex halve, priority costs 1.7 times."""
    assert PRICES.price(replace(PLAIN, service_tier=tier), provider, model, at=AT).cost == dollars(expected)


@pytest.mark.parametrize(
    ("served", "asked", "expected"),
    [
        ("default", "priority", "0.0075"),
        ("batch", "priority", "0.00375"),
        ("", "priority", "0.01275"),
        ("", "batch", "0.0075"),
        ("", "never heard of", "0.0075"),
    ],
)
def test_a_tier_that_was_asked_for_and_not_confirmed_costs_the_dearer_of_it_and_the_standard_one(
    served: str, asked: str, expected: str
) -> None:
    usage = replace(PLAIN, service_tier=served, asked_tier=asked)
    assert PRICES.price(usage, "openai", "gpt-4o", at=AT).cost == dollars(expected)
    own = Prices([Price(model="*", input=Decimal(1), output=Decimal(1))])
    assert own.price(usage, "openai", "gpt-4o", at=AT).cost == dollars("0.0015")


def test_prices_change_with_date_and_hour() -> None:
    def cost(model: str, provider: str, *moment: int) -> int:
        return PRICES.price(PLAIN, provider, model, at=datetime(*moment, tzinfo=UTC)).cost  # type: ignore[misc, arg-type]

    assert cost("o3", "openai", 2025, 6, 9) == dollars("0.03")
    assert cost("o3", "openai", 2025, 6, 10) == dollars("0.006")
    # deepseek-chat at night: half price. Source: api-docs.deepseek.com/quick_start/pricing of 2025.
    assert cost("deepseek-chat", "deepseek", 2025, 8, 1, 12) == dollars("0.00082")
    assert cost("deepseek-chat", "deepseek", 2025, 8, 1, 20) == dollars("0.00041")


def test_without_a_time_prices_are_the_latest_and_never_those_of_a_cheap_hour() -> None:
    assert PRICES.price(PLAIN, "openai", "o3").cost == dollars("0.006")
    at_any_hour = (LATEST.replace(hour=hour) for hour in range(24))
    assert PRICES.price(PLAIN, "deepseek", "deepseek-v4-pro").cost == max(
        PRICES.price(PLAIN, "deepseek", "deepseek-v4-pro", at=at).cost for at in at_any_hour
    )


def test_the_providers_own_word_wins() -> None:
    prices = Prices([Price(model="*", input=Decimal(1))])
    assert prices.price(Usage(prompt_tokens=9, cost=123), "openai", "gpt-4o") == Priced(123, "reported", "")
    assert prices.price(Usage(prompt_tokens=9, cost=0), "ollama", "x", local=True) == Priced(0, "reported", "")


class TestOverrides:
    SOME = (
        Price(model="GPT-4o", provider="openai", input=Decimal(1), output=Decimal(2)),
        Price(model="house-*", input=Decimal(4), cached=Decimal(1), cache_write=Decimal(5), output=Decimal(8)),
        Price(model="*", provider="corp*", request=Decimal("0.01")),
        Price(model="llama*", provider="ollama", input=Decimal("0.1")),
    )
    prices = Prices(SOME)

    def test_come_before_the_list_and_ignore_case(self) -> None:
        assert self.prices.price(PLAIN, "OpenAI", "gpt-4O") == Priced(dollars("0.002"), "override", "openai/GPT-4o")

    def test_match_the_provider_too(self) -> None:
        assert self.prices.price(PLAIN, "azure", "gpt-4o", at=AT).source == "genai-prices"

    def test_price_cached_written_and_plain_input_apart(self) -> None:
        usage = Usage(prompt_tokens=1000, cached_tokens=500, cache_creation_tokens=200, completion_tokens=100)
        assert self.prices.price(usage, "any", "house-7b").cost == dollars("0.0035")

    def test_cached_input_costs_what_input_costs_unless_set(self) -> None:
        usage = Usage(prompt_tokens=1000, cached_tokens=500, cache_creation_tokens=200)
        assert self.prices.price(usage, "openai", "gpt-4o").cost == dollars("0.001")

    def test_may_charge_by_the_request(self) -> None:
        assert self.prices.price(PLAIN, "corporate", "anything").cost == dollars("0.01")

    def test_price_local_models_that_are_free_otherwise(self) -> None:
        assert self.prices.price(PLAIN, "ollama", "llama3", local=True).cost == dollars("0.0001")
        assert self.prices.price(PLAIN, "ollama", "gemma", local=True) == Priced(0, "local", "")

    def test_know_a_model_by_its_bare_name(self) -> None:
        prices = Prices([Price(model="claude-x*", input=Decimal(1))])
        assert prices.price(PLAIN, "vertex", "publishers/anthropic/models/claude-x-1").source == "override"

    def test_the_first_match_counts(self) -> None:
        prices = Prices([Price(model="a*", input=Decimal(1)), Price(model="*", input=Decimal(2))])
        assert prices.price(PLAIN, "p", "abc").cost == dollars("0.001")
        assert prices.price(PLAIN, "p", "xyz").cost == dollars("0.002")

    def test_an_override_of_zero_makes_a_model_free(self) -> None:
        assert Prices([Price(model="*")]).price(PLAIN, "openai", "gpt-4o") == Priced(0, "override", "*/*")


UNKNOWN = [
    ("openai", "gpt-99-mega"),
    ("azure", "weather-bot"),
    ("bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"),
    ("openai", "ft:gpt-99:acme"),
    ("cerebras", "qwen-3-coder-480b"),  # listed without any price
    ("nobody", "nothing"),
    ("", ""),
    ("openai", "\x00\ud800" * 50),
]


@pytest.mark.parametrize(("provider", "model"), UNKNOWN)
def test_an_unknown_model_is_never_free_by_accident(provider: str, model: str) -> None:
    priced = PRICES.price(PLAIN, provider, model, at=AT)
    assert priced.source == "dearest"
    assert priced.cost > 0
    assert not PRICES.is_known(provider, model)
    assert Prices(on_unknown="free").price(PLAIN, provider, model) == Priced(0, "free", "")
    blocking = Prices(on_unknown="block")
    assert blocking.blocks(provider, model)
    assert not blocking.blocks(provider, model, local=True)
    assert not PRICES.blocks(provider, model)
    # Answers may name another model than the request did; that is no reason to give it away.
    assert blocking.price(PLAIN, provider, model) == Priced(priced.cost, "unknown", "")


def test_a_model_that_is_not_sold_by_the_token_has_no_price_for_tokens() -> None:
    assert PRICES.price(PLAIN, "openai", "whisper-1").source == "dearest"
    minute = Usage(units={"audio_seconds": 60})
    assert PRICES.price(minute, "openai", "whisper-1", at=AT).cost == dollars("0.006")


def test_the_dearest_price_is_that_of_the_providers_dearest_model_for_the_mix() -> None:
    provider = next(each for each in get_snapshot().providers if each.id == "anthropic")
    for usage in (
        PLAIN,
        Usage(prompt_tokens=500_000),
        Usage(completion_tokens=10),
        Usage(prompt_tokens=9, cached_tokens=9),
    ):
        every = (PRICES.price(usage, "anthropic", model.id).cost for model in provider.models)
        assert PRICES.price(usage, "anthropic", "claude-unheard-of-9").cost >= max(every) > 0


def test_a_provider_that_nobody_knows_costs_what_the_dearest_of_three_costs() -> None:
    dearest = max(PRICES.price(PLAIN, name, "unheard-of-9").cost for name in ("openai", "anthropic", "gemini"))
    assert PRICES.price(PLAIN, "nobody", "nothing").cost == dearest


@pytest.mark.parametrize("provider", [*SOURCES, "ollama", "vllm", "sagemaker", "snowflake", "heroku", "crusoe", "groq"])
def test_every_provider_has_a_dearest_price(provider: str) -> None:
    assert PRICES.price(PLAIN, provider, "unheard-of-9").cost > 0


def test_a_known_host_tells_the_provider() -> None:
    novita = next(each for each in get_snapshot().providers if each.id == "novita")
    name = novita.models[0].id
    assert PRICES.price(PLAIN, "", name, host="api.novita.ai").detail == f"novita/{name}"


def test_hugging_face_routes_by_suffix_and_may_route_to_the_dearest() -> None:
    name = "meta-llama/Llama-3.3-70B-Instruct"
    assert PRICES.price(PLAIN, "huggingface", f"{name}:novita").detail == f"huggingface_novita/{name}"
    routes = ("novita", "together", "hyperbolic", "nebius", "ovhcloud", "nscale", "sambanova", "groq", "cerebras")
    every = [PRICES.price(PLAIN, "huggingface", f"{name}:{route}") for route in routes]
    costs = {priced.cost for priced in every if priced.source == "genai-prices"}
    assert PRICES.price(PLAIN, "huggingface", name).cost == max(costs)
    assert len(costs) > 2


def test_many_names_do_not_fill_the_memory() -> None:
    prices = Prices([Price(model="*", input=Decimal(1))])
    for number in range(10_000):
        prices.price(PLAIN, "p", f"model-{number}")
    assert len(prices._quotes) <= 4096


def test_every_listed_model_can_be_priced() -> None:
    """By its own name a model is found, or it is one that the list has no price for."""
    for provider in get_snapshot().providers:
        for model in provider.models[:40]:
            priced = PRICES.price(ALL_TOKENS, provider.id, model.id, at=AT)
            assert priced.cost > 0 or priced.detail, (provider.id, model.id)


def test_pricing_is_cheap() -> None:
    """3 µs where nothing else runs; the bound allows for a busy machine."""
    PRICES.warm()
    once = min(timeit(lambda: PRICES.price(PLAIN, "openai", "gpt-4o", at=AT), number=200) / 200 for _ in range(5))
    assert once < 60e-6


def test_the_list_is_loaded_once() -> None:
    Prices().warm()
    assert builtin() is builtin()


def test_what_the_configuration_says_a_name_is_sets_the_price() -> None:
    """Deployments, ARNs and answers, by patterns; the first that matches counts."""
    arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/ab"
    prices = Prices(models={"prod-*": "gpt-4o", arn: "anthropic.claude-haiku-4-5", "*-x": "o3", "PROD-b-x": "o1"})

    assert prices.model("azure", "prod-eu", "gpt-4o-mini-2024-07-18") == "gpt-4o"
    assert prices.model("bedrock", arn) == "anthropic.claude-haiku-4-5"
    assert prices.model("azure", "unheard-of", "served-x") == "o3"
    assert prices.model("azure", "prod-b-x") == "gpt-4o"
    assert prices.model("azure", "other") == "other"
    facts = Facts(provider="bedrock", model=arn)
    assert prices.bill(PLAIN, facts).detail == "anthropic/claude-haiku-4-5"


def test_the_answer_names_what_is_paid_unless_nobody_knows_it() -> None:
    """As OpenRouter's router, and as deployments do."""
    assert PRICES.model("openai", "gpt-4o", "gpt-4o-mini") == "gpt-4o-mini"
    assert PRICES.model("openai", "gpt-4o", "unheard-of-9") == "gpt-4o"
    assert PRICES.model("openai", "gpt-4o") == "gpt-4o"
    priced = PRICES.bill(PLAIN, Facts(provider="openai", model="gpt-4o"), "gpt-4o-mini-2024-07-18")
    assert (priced.source, priced.detail) == ("genai-prices", "openai/gpt-4o-mini")


def test_a_mapped_name_is_known() -> None:
    """So it is not blocked."""
    assert not Prices(on_unknown="block", models={"mine": "gpt-4o"}).blocks("azure", "mine")
    assert Prices(on_unknown="block").blocks("azure", "mine")


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        ("cohere", "rerank-v3.5", Usage(units={"searches": 3}), "0.006"),
        ("cohere", "rerank-v4.0-pro", Usage(units={"searches": 2}), "0.005"),
        ("cohere", "embed-english-v3.0", Usage(prompt_tokens=50, units={"billed_input_tokens": 10}), "0.000001"),
        ("cohere", "command-a-03-2025", Usage(prompt_tokens=500, units={"billed_input_tokens": 4}), "0.00001"),
        ("voyageai", "rerank-2.5-lite", Usage(prompt_tokens=17), "0.00000034"),
        ("openrouter", "voyageai/rerank-2.5-lite", Usage(prompt_tokens=17), "0.00000034"),
        ("mistral", "mistral-ocr-2505", Usage(units={"pages": 2}), "0.002"),
        ("bedrock", "anthropic.claude-v2:1", PLAIN, "0.02"),
    ],
)
def test_what_is_billed_otherwise(provider: str, model: str, usage: Usage, cost: str) -> None:
    """Searches, pages, billed tokens; and models that the list leaves out or spells otherwise."""
    priced = PRICES.price(usage, provider, model, at=AT)

    assert (priced.cost, priced.source in ("genai-prices", "supplement")) == (dollars(cost), True)


def test_images_that_a_tool_made_are_paid_beside_the_answer() -> None:
    """As those of gpt-image-1: $5 in, $40 out."""
    usage = replace(PLAIN, units={"image_gen_input_tokens": 1000, "image_gen_output_tokens": 1000})
    plain = PRICES.price(PLAIN, "openai", "gpt-4o", at=AT).cost

    assert PRICES.price(usage, "openai", "gpt-4o", at=AT).cost == plain + dollars("0.045")


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        ("vertex", "gemini-3.8-flash-tts", replace(PLAIN, service_tier="ON_DEMAND_FLEX"), "0.0025"),
        ("vertex", "gemini-3.8-flash-tts", replace(PLAIN, service_tier="ON_DEMAND_PRIORITY"), "0.009"),
        ("vertex", "gemini-3.8-flash-tts", replace(PLAIN, service_tier="ON_DEMAND"), "0.005"),
        ("anthropic", "claude-opus-4-8", replace(PLAIN, service_tier="fast"), "0.035"),
        ("anthropic", "claude-opus-4-8", PLAIN, "0.0175"),
        ("anthropic", "claude-opus-4-8", replace(PLAIN, premium=10, web_searches=2), "0.03925"),
        ("xai", "grok-4-1-fast-reasoning", replace(PLAIN, web_searches=2), "0.01045"),
        ("openai", "tts-1", Usage(prompt_tokens=9, completion_tokens=9, units={"input_characters": 1000}), "0.015"),
    ],
)
def test_what_an_answer_says_of_its_service_sets_the_price(provider: str, model: str, usage: Usage, cost: str) -> None:
    """Its tier, its speed, its place, its searches."""
    assert PRICES.price(usage, provider, model, at=AT).cost == dollars(cost)


def test_other_models_that_helped_are_paid_at_their_own_rates() -> None:
    """Haiku at $1 and $5, advised by Opus at $5 and $25; a map of names holds for both."""
    usage = replace(PLAIN, prompt_tokens=3000, completion_tokens=1500, others={"claude-opus-4-8": PLAIN})
    cost = dollars("0.007") + dollars("0.0175")

    assert PRICES.price(usage, "anthropic", "claude-haiku-4-5", at=AT).cost == cost
    assert PRICES.price(usage, "anthropic", "claude-haiku-4-5", at=AT).detail == "anthropic/claude-haiku-4-5"
    assert PRICES.price(replace(usage, cost=5), "anthropic", "claude-haiku-4-5").cost == 5
    mapped = Prices(models={"claude-opus-*": "claude-haiku-4-5"})
    assert mapped.price(usage, "anthropic", "claude-haiku-4-5", at=AT).cost == dollars("0.0105")


@pytest.mark.parametrize(
    ("host", "model", "cost"),
    [
        ("aiplatform.googleapis.com", "claude-sonnet-4-6", "0.0105"),
        ("us-east5-aiplatform.googleapis.com", "claude-sonnet-4-6", "0.01155"),
        ("aiplatform.eu.rep.googleapis.com", "claude-sonnet-4-6", "0.01155"),
        ("us-east5-aiplatform.googleapis.com", "claude-3-7-sonnet", "0.0105"),
    ],
)
def test_claude_in_one_region_of_vertex_costs_a_tenth_more(host: str, model: str, cost: str) -> None:
    assert PRICES.price(PLAIN, "vertex", model, host=host, at=AT).cost == dollars(cost)
    facts = Facts(provider="vertex", model=model, host=host)
    assert PRICES.most(1000, 500, Scope(), facts, at=AT) == dollars(cost)


def test_free_models_of_openrouter() -> None:
    """Listed or not; nobody else's name makes anything free."""
    assert PRICES.price(PLAIN, "openrouter", "a/unheard-of-9:free").source == "free"
    assert PRICES.price(PLAIN, "openai", "unheard-of-9:free").source == "dearest"


def test_units_that_nobody_prices_are_not_free() -> None:
    """The dearest that is known counts."""
    assert PRICES.price(Usage(units={"searches": 1}), "cohere", "command-r").source == "dearest"


@pytest.mark.parametrize(
    ("facts", "scope", "dollar"),
    [
        (Facts(provider="openai", model="gpt-4o"), Scope(), "12.5"),
        (Facts(provider="openai", model="gpt-4o"), Scope(tier="priority"), "21.25"),
        (Facts(provider="anthropic", model="claude-sonnet-4-6"), Scope(), "18"),
        (Facts(provider="anthropic", model="claude-sonnet-4-6"), Scope(writes="5m"), "18.75"),
        (Facts(provider="anthropic", model="claude-sonnet-4-6"), Scope(writes="1h", searches=2), "21.02"),
        (Facts(provider="gemini", model="gemini-2.5-flash-image"), Scope(draws=True), "30.3"),
        (Facts(provider="openrouter", model="x/unheard-of:free"), Scope(), "0"),
    ],
)
def test_the_most_that_an_exchange_may_cost(facts: Facts, scope: Scope, dollar: str) -> None:
    """A million tokens each way."""
    assert PRICES.most(1_000_000, 1_000_000, scope, facts, at=AT) == dollars(dollar)


def test_a_tier_that_is_cheaper_may_not_be_had() -> None:
    facts = Facts(provider="openai", model="gpt-5")
    assert PRICES.most(1000, 0, Scope(tier="flex"), facts) == PRICES.most(1000, 0, Scope(), facts)


def test_the_most_by_the_users_price_on_the_users_machine_and_of_unknown_models() -> None:
    facts = Facts(provider="vllm", model="mine")
    own = Prices([Price(model="mine", input=Decimal(1), output=Decimal(2), cache_write=Decimal(3))])
    assert own.most(1_000_000, 1_000_000, Scope(writes="5m"), facts, local=True) == dollars("5")
    assert PRICES.most(1_000_000, 1_000_000, Scope(), facts, local=True) == 0
    assert PRICES.most(1_000_000, 1_000_000, Scope(), facts) >= PRICES.bill(ALL_TOKENS, facts).cost > 0
    assert Prices(on_unknown="free").most(1_000_000, 0, Scope(), facts) == 0


def test_the_most_of_a_mapped_name_is_that_of_its_model() -> None:
    mapped = Prices(models={"prod": "gpt-4o-mini"})
    facts = Facts(provider="azure", model="prod")
    assert mapped.most(1_000_000, 0, Scope(), facts, at=AT) == dollars("0.15")
