"""Conditions of instances among the rules of a configuration: which limits apply, and what is said of them."""

import pytest

from limiter.config import dump, parse
from limiter.facts import Facts
from limiter.kong.conditions.condition import Expression, Met
from limiter.kong.conditions.entities import Entities
from limiter.rules import Condition, Limit, Policy, Rule
from limiter.selection import Selector
from limiter.windows import Window
from tests.kong.airla.gateway import Gateway, tokens

ROUTE = "aaaaaaaa-1111-4111-8111-111111111111"
KONG = """_format_version: "3.0"
services:
- name: llm
  url: https://api.openai.com
  routes: [{name: chat, id: ROUTE, paths: [/chat]}]
  plugins:
  - name: ai-rate-limiting-advanced
    condition: 'http.headers.x_team == "research"'
    config:
      policies:
      - {match: [{type: model, values: [gpt-5]}], limits: [{limit: 10, window_size: 60}]}
      - {limits: [{limit: 20, window_size: 60}]}
  - name: response-ratelimiting
    condition: route.name == "chat"
    config: {limits: {video: {minute: 1}}}
plugins:
- name: ai-rate-limiting-advanced
  config: {llm_providers: [{name: openai, limit: [30], window_size: [60]}]}
- name: response-ratelimiting
  config: {limits: {audio: {minute: 1}}}
""".replace("ROUTE", ROUTE)
SERVICE = parse(KONG, "kong.yaml", {}).settings.gateway.services[0].id


def selected(**facts: object) -> set[str]:
    plans = Selector(parse(KONG, "kong.yaml", {}).policy).select(Facts(**facts))  # type: ignore[arg-type]
    return {plan.limit.name.removesuffix(".minute") for plan in plans if plan.limit.name.endswith(".minute")}


def test_where_a_condition_is_not_met_no_instance_runs() -> None:
    """The service's own instance is the one that the request is for, met or not: the global one does not step in."""
    research = (("x-team", "research"),)
    general = {"kong.all.openai", "response-ratelimiting-2.audio"}
    assert selected(model="gpt-5") == general
    assert selected(model="gpt-5", service=SERVICE, route="other") == set()
    both = selected(model="gpt-5", service=SERVICE, route=ROUTE, fields=research)
    assert both == {"kong.service.llm.policy-1", "response-ratelimiting.video"}
    assert selected(model="gpt-4o", service=SERVICE, fields=research) == {"kong.service.llm.policy-2"}


async def test_an_instance_alone() -> None:
    """It neither counts nor shows anything where its condition is not met."""
    gateway = Gateway(
        """_format_version: "3.0"
plugins:
- name: ai-rate-limiting-advanced
  condition: http.path.startsWith("/v1/")
  config: {llm_providers: [{name: openai, limit: [10], window_size: [60]}]}
""",
        whole=True,
    )
    assert (await gateway.ask(tokens(50), path="/other")).fields == {}
    assert (await gateway.ask(tokens(50))).of("Remaining-minute-openai") == "10"
    assert (await gateway.ask()).status == 429
    assert (await gateway.ask(path="/other")).status == 200


def test_rules_keep_their_order() -> None:
    """Whether they have conditions, a predicate, both or neither."""
    met = Met(Expression.parse('http.method == "GET"'), Entities())
    rules = [
        Rule((Limit(str(number), "requests", 1, Window("fixed", 1, "minute")),), conditions, when=when)
        for number, (conditions, when) in enumerate(
            (conditions, when) for conditions in ((), (Condition.parse("model", ["a"]),)) for when in (None, met)
        )
    ]
    selector = Selector(Policy((*rules[2:], *rules[:2])))

    def names(**facts: str) -> list[str]:
        return [plan.limit.name for plan in selector.select(Facts(**facts))]  # type: ignore[arg-type]

    assert names(method="GET", model="a") == ["2", "3", "0", "1"]
    assert names(method="GET") == ["0", "1"]
    assert names(model="a") == ["2", "0"]


CARRIERS = {
    "kong.yaml": """apiVersion: configuration.konghq.com/v1
kind: KongClusterPlugin
metadata: {name: one, labels: {global: "true"}}
plugin: response-ratelimiting
condition: http.path == "/"
config: {limits: {video: {minute: 1}}}
""",
    "kong.json": """{"name": "response-ratelimiting", "condition": "http.path == \\"/\\"",
 "config": {"limits": {"video": {"minute": 1}}}}""",
    "kong.tf": """resource "konnect_gateway_plugin_response_ratelimiting" "one" {
  condition = "http.path == \\"/\\""
  config = { limits = { video = { minute = 1 } } }
}
""",
}


@pytest.mark.parametrize("file", CARRIERS)
def test_every_carrier_has_it(file: str) -> None:
    rules = parse(CARRIERS[file], file, {}).policy.rules
    assert [str(rule.when) for rule in rules if rule.limits] == ['http.path == "/"']


def test_the_native_form_tells_conditions() -> None:
    printed = dump(parse(KONG, "kong.yaml", {}))
    assert (
        '# kong.service.llm.policy-1.minute, kong.service.llm.policy-2.minute: only where http.headers.x_team == "rese'
        in printed
    )


def test_limits_alike_but_for_their_condition_are_no_mistake() -> None:
    """Nothing is said of one that counts the same as another, as it does not."""
    configuration = parse(KONG.replace("limit: 20", "limit: 10"), "kong.yaml", {})
    assert not [warning for warning in configuration.warnings if "counts the same" in str(warning)]
