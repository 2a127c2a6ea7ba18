"""What users' functions count: `requestPrompt` before a request is sent, `customCost` after its answer."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.kong.functions import Function
from limiter.meters import NANO, Usage
from tests.kong.airla.gateway import Gateway

PROMPT = """
request_prompt_count_function: return 1
llm_providers: [{name: requestPrompt, limit: [100, 1000], window_size: [60, 3600]}]
"""


async def test_the_number_is_charged_at_once_and_shown() -> None:
    """One `Query-Cost`, however many windows; a request that does not fit is refused before it is sent."""
    gateway = Gateway(PROMPT)
    gateway.asked = 60
    assert (await gateway.ask()).fields == {
        "X-AI-RateLimit-Limit-minute-requestPrompt": "100",
        "X-AI-RateLimit-Remaining-minute-requestPrompt": "100",
        "X-AI-RateLimit-Query-Cost": "60",
        "X-AI-RateLimit-Limit-hour-requestPrompt": "1000",
        "X-AI-RateLimit-Remaining-hour-requestPrompt": "1000",
    }
    reply = await gateway.ask()
    assert (reply.status, reply.of("Query-Cost")) == (429, "60")
    assert reply.of("Remaining-minute-requestPrompt") == "0"
    assert reply.of("Remaining-hour-requestPrompt") == "940"
    assert reply.body == b'{"message":"AI token rate limit exceeded for provider(s): requestPrompt"}'


async def test_exactly_the_rest_passes() -> None:
    gateway = Gateway(PROMPT + "disable_penalty: true")
    gateway.asked = 100
    assert (await gateway.ask()).status == 200
    gateway.asked = 0
    assert (await gateway.ask()).status == 200
    gateway.asked = 0.5
    reply = await gateway.ask()
    assert (reply.status, reply.of("Query-Cost")) == (429, "0.5")


@pytest.mark.parametrize(("more", "status"), [("", 429), ("disable_penalty: true", 200)])
async def test_refused_requests_are_charged_unless_that_is_disabled(more: str, status: int) -> None:
    """With sliding windows; so a client that keeps asking stays out."""
    gateway = Gateway(PROMPT.replace("[100, 1000], window_size: [60, 3600]", "100, window_size: 60") + more)
    gateway.asked = 60
    await gateway.ask()
    for _ in range(3):
        assert (await gateway.ask()).status == 429
    gateway.after(105)  # A quarter of the minute before counts: 15, or 60 with what was refused.

    assert (await gateway.ask()).status == status


async def test_fixed_windows_charge_refused_requests_all_the_same() -> None:
    gateway = Gateway(PROMPT + "disable_penalty: true\nwindow_type: fixed")
    gateway.asked = 101
    assert (await gateway.ask()).status == 429
    gateway.asked = 1
    assert (await gateway.ask()).status == 429
    (warning,) = gateway.configuration.warnings
    assert "disable_penalty: has no effect" in str(warning)


async def test_custom_costs_are_charged_when_the_exchange_ended() -> None:
    """By whatever provider; the one that crosses the limit completes."""
    gateway = Gateway("""
custom_cost_count_function: return 0.1
llm_providers: [{name: customCost, limit: [0.25], window_size: [60]}]
""")
    (name,) = gateway.configuration.settings.functions
    used = Usage(units={name: round(0.1 * NANO)})
    seen = [(await gateway.ask(used, provider=provider)).of("Remaining-minute-customCost")
            for provider in ("openai", "cohere", "groq")]  # fmt: skip
    assert seen == ["0.25", "0.15", "0.05"]
    assert (await gateway.ask()).status == 429


async def test_the_published_example_does_not_call_its_function() -> None:
    """It names `cohere`, so that Cohere's tokens count and the start tells why."""
    gateway = Gateway("""
request_prompt_count_function: return tonumber(kong.request.get_header("x-prompt-count"))
llm_providers: [{name: cohere, limit: [100, 1000], window_size: [60, 3600]}]
""")
    gateway.asked = 100_000
    reply = await gateway.ask(Usage(total_tokens=101), provider="cohere")
    assert (reply.status, reply.of("Query-Cost")) == (200, "")
    assert (await gateway.ask(provider="cohere")).status == 429
    (warning,) = gateway.configuration.warnings
    assert "is never called: no entry of llm_providers is named requestPrompt" in str(warning)


async def test_a_provider_without_its_function_counts_nothing_and_is_told() -> None:
    gateway = Gateway("llm_providers: [{name: requestPrompt, limit: 1, window_size: 60}]")
    assert "counts nothing, as there is no request_prompt_count_function" in str(gateway.configuration.warnings)


def test_equal_functions_are_one() -> None:
    """So that one call counts for every instance; another scale is another unit."""
    assert Function("return 1", 1000).name == Function("return 1", 1000).name
    assert len({Function(source, scale).name for source in ("return 1", "return 2") for scale in (1, 1000)}) == 4


def test_equal_functions_with_other_prices_are_two() -> None:
    """As they are told other costs: one by the declaration's prices, one by the built-in list."""
    plugin = """- name: ai-rate-limiting-advanced
  ATTACHED
  config:
    custom_cost_count_function: return 1
    llm_providers: [{name: customCost, limit: 1, window_size: 60}]
"""
    attached = ["tags: ['ai-limit:list-prices']", "consumer_group: gold"]
    text = "".join(plugin.replace("ATTACHED", each) for each in attached)
    declared = f'_format_version: "3.0"\nconsumer_groups: [{{name: gold}}]\nplugins:\n{text}'
    functions = Gateway(declared, whole=True).configuration.settings.functions

    assert sorted(function.costs is None for function in functions.values()) == [False, True]


@given(st.floats(), st.sampled_from([1, 1000, NANO]), st.integers(1, 10**15))
def test_any_number_is_counted_somehow(number: float, scale: int, most: int) -> None:
    """Not below zero, nor above what a store holds."""
    parts = Function("", scale).parts(number, most)

    assert 0 <= parts <= most
    if 0 < number < most / scale / 2:
        assert abs(parts - number * scale) <= 1


@pytest.mark.parametrize(("number", "parts"), [(nan, 0), (-inf, 0), (-1, 0), (inf, 10), (1e300, 10), (0.004, 4)])
def test_numbers_at_the_edge(number: float, parts: int) -> None:
    assert Function("", 1000).parts(number, 10) == parts
