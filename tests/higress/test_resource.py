"""`WasmPlugin`: which of its configurations a request is for."""

import pytest

from limiter.config import parse
from limiter.selection import Selector
from tests.higress.asking import REDIS, facts

URL = "oci://registry.example.com/plugins/ai-token-ratelimit:2.0.0"


def resource(*rules: str, default: str = "default", disabled: bool = False) -> str:
    """Each rule is its conditions; its rule name is `0`, `1` and so on, and that of the default is given."""
    lines = ["kind: WasmPlugin", "spec:", f"  url: {URL}"]
    if default:
        lines += [f"  defaultConfig: {config(default)}", f"  defaultConfigDisable: {str(disabled).lower()}"]
    if rules:
        lines += ["  matchRules:"]
        lines += [f"    - {{{conditions}, config: {config(str(number))}}}" for number, conditions in enumerate(rules)]
    return "\n".join(lines) + "\n"


def config(name: str) -> str:
    return f"{{rule_name: '{name}', global_threshold: {{token_per_day: 1}}, {REDIS.strip()}}}"


def chosen(text: str, settings: str = "", **request: str) -> str:
    documents = f"settings: {settings}\n---\n{text}" if settings else text
    plans = Selector(parse(documents, "a.yaml").policy).select(facts(**request))
    return "".join(plan.limit.name for plan in plans)


@pytest.mark.parametrize(
    ("domain", "host", "matches"),
    [
        ("www.*", "www.test.com", True),
        ("www.*", "test.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "example.com", False),
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "b.example.com", False),
        ("a.example.com", "a.example.com:8080", True),
        ("*", "anything", True),
        ("a.*.com", "a.b.com", False),
        ("API.example.com", "api.example.com", False),
    ],
)
def test_domains(domain: str, host: str, matches: bool) -> None:
    assert chosen(resource(f"domain: ['{domain}']"), host=host) == ("0" if matches else "default")


@pytest.mark.parametrize(
    ("service", "matches"),
    [("qwen.dns", True), ("qwen.dns:443", True), ("moonshot.dns:443", False), ("qwen.dns:", False)],
)
def test_services_by_their_address(service: str, matches: bool) -> None:
    settings = "{service_addresses: {qwen.dns: 'dashscope.aliyuncs.com:443'}}"
    found = chosen(resource(f"service: ['{service}']"), settings, host="dashscope.aliyuncs.com")
    assert found == ("0" if matches else "default")


@pytest.mark.parametrize(
    ("service", "host", "matches"),
    [
        ("llm.internal", "llm.internal", True),
        ("llm.internal", "llm.internal:9000", True),
        ("llm.internal:9000", "llm.internal:9000", True),
        ("llm.internal:9000", "llm.internal", False),
        ("llm.internal:9000", "llm.internal:9001", False),
        ("llm.dns", "llm", True),
    ],
)
def test_services_by_their_name(service: str, host: str, matches: bool) -> None:
    assert chosen(resource(f"service: ['{service}']"), host=host) == ("0" if matches else "default")


def test_ingresses_are_routes() -> None:
    text = resource("ingress: [ns/qwen]", "ingress: [x], service: [api.openai.com]")
    assert chosen(text, route="ns/qwen") == "0"
    assert chosen(text, route="x") == "1"
    assert chosen(text, route="x", host="other") == "default"
    assert chosen(text) == "default"


def test_with_an_ingress_the_domain_does_not_matter() -> None:
    text = resource("ingress: [x], domain: [a]")
    assert chosen(text, route="x", host="b") == "0"
    assert chosen(text, host="a") == "default"


def test_with_a_domain_the_service_does_not_matter() -> None:
    assert chosen(resource("domain: [a], service: [b]"), host="a") == "0"


def test_the_first_rule_that_matches_wins() -> None:
    text = resource("domain: ['*.com']", "domain: [a.com]", "domain: ['*']")
    assert [chosen(text, host=host) for host in ("a.com", "a.org")] == ["0", "2"]


def test_without_a_default_others_are_not_limited() -> None:
    assert chosen(resource("domain: [a]", default=""), host="b") == ""
    assert chosen(resource("domain: [a]", disabled=True), host="b") == ""
    assert chosen(resource("domain: [a]", disabled=True), host="a") == "0"


def test_a_disabled_rule_is_none() -> None:
    assert chosen(resource("configDisable: true, domain: [a]"), host="a") == "default"


def test_a_rule_that_matches_keeps_the_default_out_even_where_it_limits_nothing() -> None:
    item = "{limit_by_header: x, limit_keys: [{key: a, token_per_day: 1}]}"
    items = f"{{rule_name: r, rule_items: [{item}], {REDIS.strip()}}}"
    text = resource().replace("spec:\n", f"spec:\n  matchRules: [{{domain: [a], config: {items}}}]\n")
    assert chosen(text, host="a") == ""
    assert chosen(text, host="b") == "default"


def test_two_resources_both_apply() -> None:
    assert chosen(f"{resource(default='one')}---\n{resource(default='two')}") == "onetwo"


def test_prefixes_of_routes_in_the_flattened_form() -> None:
    text = f"_rules_: [{{_match_route_prefix_: ['team-'], {config('a')[1:-1]}}}]\n"
    assert chosen(text, route="team-7") == "a"
    assert chosen(text, route="other") == ""
