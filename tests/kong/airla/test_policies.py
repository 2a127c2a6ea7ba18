"""`policies`: what matches, how counters are kept apart, what is estimated, calendars."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from limiter.dimensions import reader
from tests.kong.airla.gateway import Gateway, Reply, tokens

GROUPS = """_format_version: "3.0"
consumers:
- {username: ann, custom_id: c-1, id: 11111111-1111-4111-8111-111111111111, groups: [{name: gold}]}
- {username: bob, id: 22222222-2222-4222-8222-222222222222}
consumer_groups:
- {name: gold, id: 33333333-3333-4333-8333-333333333333}
- {name: silver}
plugins:
- name: ai-rate-limiting-advanced
  config:
    policies:
    - match: [MATCH]
      limits: [{limit: 10, window_size: 60}]
"""


def matching(match: str) -> Gateway:
    return Gateway(GROUPS.replace("MATCH", match), whole=True)


async def spend(gateway: Gateway, **facts: Any) -> Reply:
    return await gateway.ask(tokens(10), **facts)


ANN = {"consumer": "ann", "custom_id": "c-1", "consumer_id": "11111111-1111-4111-8111-111111111111"}


@pytest.mark.parametrize(
    ("match", "meets", "misses"),
    [
        ("{type: consumer, key: id, values: [11111111-1111-4111-8111-111111111111]}", ANN, {"consumer_id": "x"}),
        ("{type: consumer, key: username, values: [ann]}", ANN, {"consumer": "bob"}),
        ("{type: consumer, key: custom_id, values: [c-1]}", ANN, {"custom_id": "c-2"}),
        ("{type: consumer, values: [11111111-1111-4111-8111-111111111111]}", ANN, {"consumer": "bob"}),
        ("{type: consumer, values: [ann]}", ANN, {"consumer": "bob"}),
        ("{type: consumer}", ANN, {}),
        ("{type: consumer_group, key: name, values: [gold, silver]}", {"groups": ("gold",)}, {"groups": ("x",)}),
        (
            "{type: consumer_group, key: id, values: [33333333-3333-4333-8333-333333333333]}",
            {"groups": ("gold", "silver")},
            {"groups": ("silver",)},
        ),
        ("{type: consumer_group, values: [gold]}", {"groups": ("gold",)}, {}),
        ("{type: consumer_group}", {"groups": ("any",)}, {}),
        ("{type: header, key: X-Tier, values: [a, b]}", {"headers": {"x-tier": "b"}}, {"headers": {"x-tier": "c"}}),
        ("{type: header, key: X_Tier, values: [a]}", {"headers": {"x-tier": "a"}}, {"headers": {"x-tie": "a"}}),
        ("{type: header, key: X-Tier, values: [a]}", {"headers": {"x_tier": "a"}}, {"headers": {"x-tiers": "a"}}),
        # Of repeated fields the first counts.
        (
            "{type: header, key: X-Tier, values: [a]}",
            {"headers": {"x-tier": "a, z"}, "fields": (("x-tier", "a"), ("x-tier", "z"))},
            {"headers": {"x-tier": "z, a"}, "fields": (("x-tier", "z"), ("x-tier", "a"))},
        ),
        ("{type: header, key: X-Tier}", {"headers": {"x-tier": "c"}}, {"headers": {}}),
        ("{type: ip, values: [127.0.0.1, 192.0.2.0]}", {"ip": "192.0.2.0"}, {"ip": "192.0.2.1"}),
        ("{type: ip, values: [192.0.2.0/24]}", {"ip": "192.0.2.77"}, {"ip": "192.0.3.1"}),
        ("{type: ip}", {"ip": "192.0.2.77"}, None),
        ("{type: model, values: [gpt-5.1]}", {"model": "gpt-5.1"}, {"model": "gpt-5.1-mini"}),
        ("{type: model, values: ['a*']}", {"model": "a*"}, {"model": "ab"}),
        ("{type: model}", {"model": "x"}, {"model": ""}),
        ("{type: path, values: [/v1/chat]}", {"path": "/v1/chat/completions"}, {"path": "/v1/chats"}),
        ("{type: path, values: [/v1/chat/]}", {"path": "/v1/chat"}, {"path": "/v1"}),
        ("{type: path, values: [/]}", {"path": "/v1"}, None),
        ("{type: provider, values: [openai, gemini]}", {"provider": "vertex"}, {"provider": "azure"}),
        ("{type: provider}", {"provider": "groq"}, None),
        (
            "{type: provider, values: [openai]}, {type: consumer, key: username, values: [ann]}",
            {"provider": "openai", **ANN},
            {"provider": "openai", "consumer": "bob"},
        ),
    ],
)
async def test_matchers(match: str, meets: dict[str, Any], misses: dict[str, Any] | None) -> None:
    """All entries of `match` must be met; a request that no policy matches is not limited at all."""
    gateway = matching(match)
    await spend(gateway, **meets)
    assert (await gateway.ask(**meets)).status == 429
    if misses is not None:
        assert await gateway.ask(**misses) == (200, {}, b"")


async def test_paths_are_those_that_clients_ask_for() -> None:
    """A route may strip them on the way."""
    gateway = matching("{type: path, values: [/a]}")
    await spend(gateway, route="r", target="/a/v1?x=/b", path="/v1")
    assert (await gateway.ask(route="r", target="/b/../a//v1", path="/v1")).status == 429
    assert (await gateway.ask(route="r", target="/v1", path="/a")).fields == {}


@pytest.mark.parametrize(
    ("match", "spends", "other"),
    [
        ("{type: model, partition_by: true}", {"model": "a"}, {"model": "b"}),
        ("{type: model, values: [a, b], partition_by: true}", {"model": "a"}, {"model": "b"}),
        ("{type: header, key: X-Sub, partition_by: true}", {"headers": {"x-sub": "1"}}, {"headers": {"x-sub": "2"}}),
        ("{type: consumer, key: username, partition_by: true}", ANN, {"consumer": "bob"}),
        ("{type: ip, values: [192.0.2.0/24], partition_by: true}", {"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}),
        ("{type: provider, values: [openai, azure], partition_by: true}", {}, {"provider": "azure"}),
        ("{type: path, values: [/a, /a/b], partition_by: true}", {"path": "/a/b/c"}, {"path": "/a/c"}),
        (
            "{type: consumer_group, values: [gold, silver], partition_by: true}",
            {"groups": ("gold", "silver")},
            {"groups": ("silver",)},
        ),
    ],
)
async def test_partitions(match: str, spends: dict[str, Any], other: dict[str, Any]) -> None:
    """A counter for each matched value; without `partition_by` one for all of them."""
    apart = matching(match)
    await spend(apart, **spends)
    assert (await apart.ask(**spends)).status == 429
    assert (await apart.ask(**other)).status == 200

    shared = matching(match.replace(", partition_by: true", ""))
    await spend(shared, **spends)
    assert (await shared.ask(**other)).status == 429


@pytest.mark.parametrize("values", ["", "values: [gemini, openai], "])
async def test_one_provider_of_two_names_is_one_partition(values: str) -> None:
    gateway = matching(f"{{type: provider, {values}partition_by: true}}")
    await spend(gateway, provider="gemini")
    assert (await gateway.ask(provider="vertex")).status == 429
    assert (await gateway.ask(provider="openai")).status == 200


async def test_members_of_two_groups_have_the_budget_of_the_first() -> None:
    """And not one of their own for the two together."""
    gateway = matching("{type: consumer_group, partition_by: true}")
    await spend(gateway, groups=("gold", "silver"))
    assert (await gateway.ask(groups=("gold",))).status == 429
    assert (await gateway.ask(groups=("silver",))).status == 200


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ("{type: provider, values: [OpenAI]}", "'OpenAI' matches no provider: their names are in lower case; did you"),
        ("{type: path, values: ['~/v1/.*']}", "'~/v1/.*' matches no path: should start with: /"),
        ("{type: path, values: [v1/chat], partition_by: true}", "'v1/chat' matches no path: should start with: /"),
        ("{type: path, values: [/v1//chat]}", "'/v1//chat' matches no path: must not have empty segments"),
        ("{type: provider, values: [openai, groq]}", ""),
    ],
)
def test_values_that_cannot_match_are_told(match: str, told: str) -> None:
    warnings = list(map(str, matching(match).configuration.warnings))
    assert [told in warning and ".match[0].values[0]: " in warning for warning in warnings] == [True] * bool(told)


def test_dimensions_of_kong_are_known_by_name() -> None:
    with pytest.raises(ValueError, match="unknown part 'nothing' of a request, expected one of path, provider, group"):
        reader("kong:nothing")


async def test_all_policies_that_match_are_charged_and_the_tightest_denies() -> None:
    gateway = Gateway("""
policies:
- match: [{type: provider, values: [openai]}]
  limits: [{limit: 100, window_size: 60}]
- match: [{type: model, values: [gpt-4o-mini]}]
  limits: [{limit: 30, window_size: 60}]
""")
    await gateway.ask(tokens(30))
    reply = await gateway.ask()
    assert (reply.status, reply.of("Remaining-minute-policy-1")) == (429, "70")
    reply = await gateway.ask(model="other")
    assert (reply.status, reply.of("Remaining-minute-policy-1")) == (200, "70")


async def test_a_policy_without_match_is_for_what_no_other_matches() -> None:
    """Wherever it stands; alone it is for all."""
    gateway = Gateway("""
policies:
- limits: [{limit: 10, window_size: 60}]
- match: [{type: model, values: [big]}]
  limits: [{limit: 100, window_size: 60}]
""")
    reply = await gateway.ask(tokens(50), model="big")
    assert [name for name in reply.fields if "policy-1" in name] == []
    await gateway.ask(tokens(10))
    assert (await gateway.ask()).status == 429
    assert (await gateway.ask(model="big")).status == 200
    (warning,) = gateway.configuration.warnings
    assert str(warning) == (
        "kong.yaml:6: plugins[0].config.policies[0]: "
        "applies only to requests that no other policy of this instance matches"
    )


async def test_a_prompt_that_does_not_fit_is_refused() -> None:
    """As Kong does from 3.14 on; an empty budget admits any request, and what is left on arrival is shown."""
    gateway = Gateway("policies: [{limits: [{limit: 100, window_size: 60}]}]")
    gateway.prompt = 500
    assert (await gateway.ask(tokens(60))).status == 200
    gateway.prompt = 41
    assert (await gateway.ask()).status == 429
    gateway.prompt = 40
    reply = await gateway.ask(tokens(40))
    assert (reply.status, reply.of("Remaining-minute-policy-1")) == (200, "40")
    gateway.prompt = 0
    assert (await gateway.ask()).status == 429


@pytest.mark.parametrize("strategy", ["prompt_tokens", "completion_tokens"])
async def test_completions_are_not_estimated(strategy: str) -> None:
    gateway = Gateway(f"policies: [{{limits: [{{limit: 100, window_size: 60, tokens_count_strategy: {strategy}}}]}}]")
    await gateway.ask(tokens(50, 50))
    gateway.prompt = 60
    assert (await gateway.ask()).status == (429 if strategy == "prompt_tokens" else 200)


@pytest.mark.parametrize(
    ("own", "whole", "kept"), [("fixed", "sliding", 0), ("sliding", "fixed", 10), ("", "fixed", 0), ("", "sliding", 10)]
)
async def test_a_policy_s_window_type_comes_before_the_instance_s(own: str, whole: str, kept: int) -> None:
    """Examples of AI Gateway 2.0 set the instance's."""
    mine = f"window_type: {own}, " if own else ""
    gateway = Gateway(f"window_type: {whole}\npolicies: [{{{mine}limits: [{{limit: 100, window_size: 60}}]}}]")
    await gateway.ask(tokens(10))
    gateway.after(60)
    assert (await gateway.ask()).of("Remaining-minute-policy-1") == str(100 - kept)


@pytest.mark.parametrize(
    ("span", "label", "end"),
    [
        ("period: month, month_day: 1", "month", (2026, 12, 1)),
        ("period: month, month_day: 31", "month", (2026, 11, 30)),
        ("period: week", "week", (2026, 11, 30)),
        ("period: week, week_start_day: thursday", "week", (2026, 11, 26)),
    ],
)
async def test_calendar_windows_end_at_midnight_of_their_zone(span: str, label: str, end: tuple[int, int, int]) -> None:
    zone = "America/New_York"
    gateway = Gateway(f"policies: [{{window_type: calendar, timezone: {zone}, limits: [{{limit: 100, {span}}}]}}]")
    await gateway.ask(tokens(100))
    gateway.after(0.4)
    reply = await gateway.ask()
    left = datetime(*end, tzinfo=ZoneInfo(zone)) - datetime.fromtimestamp(gateway.now / 1000, UTC)

    assert reply.of(f"Limit-{label}-policy-1") == "100"
    assert reply.of("Reset") == reply.of("Retry-After") == str(-(-round(left.total_seconds() * 10) // 10))
    gateway.after(left.total_seconds())
    assert (await gateway.ask()).status == 200


async def test_tiered_budgets() -> None:
    """The published example of six policies: tiers by a header, a pool of all, a cap on top."""
    cost = "tokens_count_strategy: cost, window_size: 60"
    gateway = Gateway(
        f"""_format_version: "3.0"
plugins:
- name: ai-proxy-advanced
  config:
    targets:
    - model: {{provider: openai, name: gpt-4o-mini, options: {{input_cost: 150000, output_cost: 600000}}}}
- name: ai-rate-limiting-advanced
  config:
    policies:
    - match:
      - {{type: header, key: x-budget-tier, values: [baseline]}}
      - {{type: header, key: x-budget-sub, partition_by: true}}
      limits: [{{limit: 5, {cost}}}]
    - match:
      - {{type: header, key: x-budget-tier, values: [2x]}}
      - {{type: header, key: x-budget-sub, partition_by: true}}
      limits: [{{limit: 10, {cost}}}]
    - match: [{{type: header, key: x-budget-org, values: [live-balance]}}]
      limits: [{{limit: 12, {cost}}}]
""",
        whole=True,
    )

    def who(tier: str, sub: str, **more: str) -> dict[str, Any]:
        return {"headers": {"x-budget-tier": tier, "x-budget-sub": sub, **more}}

    one = tokens(0, 10)  # costs 6
    assert (await gateway.ask(one, **who("baseline", "u1"))).status == 200
    assert (await gateway.ask(one, **who("baseline", "u1"))).status == 429
    assert (await gateway.ask(one, **who("baseline", "u2"))).status == 200
    assert (await gateway.ask(one, **who("2x", "u1"))).of("Remaining-minute-policy-2") == "10"
    assert (await gateway.ask(one, **who("2x", "u1"))).of("Remaining-minute-policy-2") == "4"
    assert (await gateway.ask(one, **who("2x", "u1"))).status == 429
    pool = {"x-budget-org": "live-balance"}
    assert (await gateway.ask(one, **who("2x", "u7", **pool))).of("Remaining-minute-policy-3") == "12"
    assert (await gateway.ask(one, **who("2x", "u8", **pool))).of("Remaining-minute-policy-3") == "6"
    assert (await gateway.ask(one, **who("2x", "u9", **pool))).status == 429
