"""Limits on cost: whose prices count, and that nothing is rounded away."""

from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.config import dump
from limiter.facts import Facts
from limiter.kong.airla.costs import CoarseCosts, DeclaredCosts, Proxying, Target
from limiter.kong.numbers import tostring
from limiter.meters import NANO
from limiter.wording import allowance
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
        # Here it goes on as the client names it: it is the dearest of its provider that counts.
        ("advanced", {"model": "unknown"}, "-1.5"),
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


OPENAI = (
    Target("openai", "gpt-4o", Decimal("2.5"), Decimal(10)),
    Target("openai", "gpt-4o-mini", Decimal("0.15"), Decimal("0.6")),
)
LARGE, MINI = (target.cost(tokens(1000, 1000)) for target in OPENAI)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-2024-11-20", LARGE),
        ("gpt-4o-mini-2024-07-18", MINI),
        ("gpt-4o-mini-latest", MINI),
        ("GPT-4o-Mini", MINI),
        ("gpt-4o-mini-0718", MINI),
        # Other models, whatever they begin with.
        ("gpt-4o-mini-pro", LARGE),
        ("o1-pro", LARGE),
        ("", LARGE),
    ],
)
def test_no_other_name_is_free(model: str, expected: int) -> None:
    """A model's own dates and versions cost what it does, all else as much as the dearest."""
    costs = DeclaredCosts((Proxying((("route", "r"),), OPENAI),))

    assert costs(Facts(provider="openai", model=model, route="r"), tokens(1000, 1000)) == expected
    assert costs(Facts(provider="openai", model=model), tokens(1000, 1000)) == expected
    assert costs(Facts(provider="cohere", model=model, route="r"), tokens(1000, 1000)) == 0


def test_a_dearer_price_of_another_instance_counts() -> None:
    """Where the instance that runs does not know the model, and another does."""
    pro = Target("openai", "o1-pro", Decimal(150), Decimal(600))
    costs = DeclaredCosts((Proxying((("route", "r"),), OPENAI[1:]), Proxying((("route", "s"),), (pro,))))

    assert costs(Facts(provider="openai", model="o1-pro", route="r"), tokens(1000, 1000)) == pro.cost(
        tokens(1000, 1000)
    )
    assert costs(Facts(provider="openai", model="other", route="r"), tokens(1000, 1000)) == MINI


async def test_a_model_that_is_declared_without_prices_costs_nothing_and_is_named() -> None:
    targets = f"{{model: {priced('openai', 'gpt-4o')}}}, {{model: {{provider: openai, name: own}}}}"
    one = gateway(f"- {{name: ai-proxy-advanced, config: {{targets: [{targets}]}}}}")

    assert await left(one, 1_000_000, 0, model="own") == "1"
    assert "counts no cost of models that are declared without input_cost and output_cost: openai/own" in str(
        one.configuration.warnings[-1]
    )


def test_the_start_tells_that_the_dearest_counts() -> None:
    targets = ", ".join(f"{{model: {priced('openai', name)}}}" for name in ("gpt-4o", "gpt-4o-mini"))
    warnings = gateway(f"- {{name: ai-proxy-advanced, config: {{targets: [{targets}]}}}}").configuration.warnings

    assert "other models than those that are declared count as the dearest of them" in str(warnings[-1])


@pytest.mark.parametrize(
    ("limit", "name", "scale"),
    [
        (9_007_199, "kong.all.openai.hour.cost", NANO),
        (9_007_200, "kong.all.openai.hour.cost.millionths", 10**6),
        (9_007_199_255, "kong.all.openai.hour.cost.thousandths", 1000),
    ],
)
async def test_large_budgets_are_counted_in_larger_parts(limit: int, name: str, scale: int) -> None:
    proxy = f"- {{name: ai-proxy, config: {{model: {priced('openai', 'gpt-4o-mini')}}}}}"
    budget = BUDGET.replace("TAGS", "").replace("limit: [1]", f"limit: [{limit}]")
    one = Gateway(f'_format_version: "3.0"\nplugins:\n{proxy}{budget}', whole=True)
    (counted,) = [limit for rule in one.configuration.policy.rules for limit in rule.limits]

    assert (counted.name, counted.scale) == (name, scale)
    assert allowance(counted) == f"${limit:,}.00 per 3600 seconds"
    assert f"${limit:,} per" in dump(one.configuration)
    assert await left(one, 10_000_000, 0) == tostring(Fraction(limit) - Fraction("1.5"))


@given(st.integers(0, 10**12), st.sampled_from([1000, 10**6]))
def test_larger_parts_are_rounded_up(prompt: int, scale: int) -> None:
    fine = DeclaredCosts((Proxying((), OPENAI[:1]),))
    facts = Facts(provider="openai", model="gpt-4o")

    assert CoarseCosts(fine, scale)(facts, tokens(prompt)) == ceil(Fraction(fine(facts, tokens(prompt)) * scale, NANO))


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
