"""Limits on cost: whose prices count, and that nothing is rounded away."""

from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.facts import Facts
from limiter.kong.airla.costs import DeclaredCosts, Proxying, Target
from limiter.meters import NANO
from tests.kong.airla.gateway import Gateway, tokens

BUDGET = """
- name: ai-rate-limiting-advanced
  TAGS
  config:
    tokens_count_strategy: cost
    llm_providers: [{name: openai, limit: [1], window_size: [3600]}]
"""


def priced(provider: str, model: str, price: str = "0.15", output: str = "0.60") -> str:
    return f"{{provider: {provider}, name: {model}, options: {{input_cost: {price}, output_cost: {output}}}}}"


def gateway(proxy: str, tags: str = "") -> Gateway:
    return Gateway(f'_format_version: "3.0"\nplugins:\n{proxy}{BUDGET.replace("TAGS", tags)}', whole=True)


async def left(gateway: Gateway, prompt: int, completion: int, **facts: Any) -> str:
    """Of a dollar an hour, after one exchange."""
    await gateway.ask(tokens(prompt, completion), **facts)
    return (await gateway.ask()).of("Remaining-hour-openai")


async def test_the_published_formula() -> None:
    """14 prompt tokens at 0.15 and 7 completion tokens at 0.60 a million, of a budget of 1."""
    one = gateway(f"- {{name: ai-proxy, config: {{model: {priced('openai', 'gpt-4o-mini')}}}}}")

    assert await left(one, 14, 7) == "0.9999937"


async def test_a_budget_that_is_spent_refuses() -> None:
    one = gateway(f"- {{name: ai-proxy, config: {{model: {priced('openai', 'gpt-4o-mini')}}}}}")
    await one.ask(tokens(0, 1_666_666))
    assert (await one.ask(tokens(0, 1))).of("Remaining-hour-openai") == "4e-07"
    reply = await one.ask()
    assert (reply.status, reply.of("Remaining-hour-openai")) == (429, "0")


@pytest.mark.parametrize(
    ("proxy", "facts", "expected"),
    [
        # Each model of ai-proxy-advanced has prices of its own.
        ("advanced", {"model": "gpt-4o-mini"}, "0.85"),
        ("advanced", {"model": "gpt-4o"}, "-1.5"),
        # A model that is not declared runs as what the gateway would send it to, if that is clear.
        ("single", {"model": "alias"}, "0.85"),
        ("advanced", {"model": "unknown"}, "1"),
        # A target without a name is for any model.
        ("dynamic", {"model": "anything"}, "0.9"),
        ("other", {}, "1"),
        ("half", {}, "1"),
        ("none", {}, "1"),
    ],
)
async def test_prices_of_the_declaration(proxy: str, facts: dict[str, Any], expected: str) -> None:
    mini, large = priced("openai", "gpt-4o-mini"), priced("openai", "gpt-4o", "2.5")
    configs = {
        "advanced": f"- {{name: ai-proxy-advanced, config: {{targets: [{{model: {mini}}}, {{model: {large}}}]}}}}",
        "single": f"- {{name: ai-proxy, config: {{model: {mini}}}}}",
        "dynamic": "- {name: ai-proxy, config: {model: {provider: openai, options: "
        "{input_cost: 0.1, output_cost: 0.1}}}}",
        "other": f"- {{name: ai-proxy, config: {{model: {priced('cohere', 'gpt-4o-mini')}}}}}",
        "half": "- {name: ai-proxy, config: {model: {provider: openai, name: gpt-4o-mini, options: {input_cost: 1}}}}",
        "none": "",
    }
    found = await left(gateway(configs[proxy]), 1_000_000, 0, **facts)

    assert found == str(max(Decimal(0), Decimal(expected)))


async def test_the_prices_of_the_instance_that_runs_come_first() -> None:
    """Its own route's, and for requests of no route those of any."""
    text = f"""_format_version: "3.0"
services: [{{name: s, url: "http://s.test"}}]
routes:
- {{name: cheap, id: aaaaaaaa-1111-4111-8111-111111111111, service: {{name: s}}, paths: [/a]}}
- {{name: dear, id: bbbbbbbb-1111-4111-8111-111111111111, service: {{name: s}}, paths: [/b]}}
plugins:
- {{name: ai-proxy, route: cheap, config: {{model: {priced("openai", "gpt-4o-mini", "0.1")}}}}}
- {{name: ai-proxy, route: dear, config: {{model: {priced("openai", "gpt-4o-mini", "0.5")}}}}}
{BUDGET.replace("TAGS", "")}"""
    for route, expected in (("aaaaaaaa", "0.9"), ("bbbbbbbb", "0.5"), ("", "0.9")):
        name = f"{route}-1111-4111-8111-111111111111" if route else ""
        assert await left(Gateway(text, whole=True), 1_000_000, 0, route=name) == expected


async def test_a_tag_takes_the_built_in_list() -> None:
    """Dollars in place of what the declaration says."""
    listed = gateway(
        f"- {{name: ai-proxy, config: {{model: {priced('openai', 'gpt-4o-mini', '0.99')}}}}}",
        'tags: ["ai-limit:list-prices"]',
    )
    assert await left(listed, 1_000_000, 0) == "0.85"


def test_without_prices_the_start_says_so() -> None:
    (warning,) = gateway("").configuration.warnings
    assert "counts no cost: no ai-proxy or ai-proxy-advanced has model.options" in str(warning)
    assert "ai-limit:list-prices" in str(warning)


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.decimals("0.000001", "1000", places=6),
    st.decimals("0.000001", "1000", places=6),
)
def test_costs_are_exact_and_rounded_up(prompt: int, completion: int, price: Decimal, output: Decimal) -> None:
    costs = DeclaredCosts((Proxying((), (Target("openai", "m", price, output),)),))
    exact = (prompt * Fraction(price) + completion * Fraction(output)) / 1_000_000

    assert costs(Facts(provider="openai", model="m"), tokens(prompt, completion)) == ceil(exact * NANO)
