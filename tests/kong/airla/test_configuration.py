"""What the compiler makes of fields that are no limits: ledgers, names, warnings, problems."""

import pytest

from limiter.config import ConfigError, parse
from limiter.kong.airla.voice import AirlaVoice
from limiter.ledgers import Ledger
from limiter.redis_settings import Address, RedisSettings
from tests.kong.airla.gateway import HEAD, Gateway

STD = "llm_providers: [{name: openai, limit: [100], window_size: [60]}]\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Gateway(text)
    return str(caught.value).splitlines()


def ledger(more: str) -> Ledger | None:
    rules = Gateway(STD + more).configuration.policy.rules
    return rules[-1].ledger


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", Ledger(store="memory:")),
        ("strategy: local\nsync_rate: -1", Ledger(store="memory:")),
        ("strategy: cluster\nsync_rate: 0", Ledger()),
        ("strategy: cluster\nsync_rate: 0.5", Ledger(sync_rate=0.5)),
    ],
)
def test_ledgers(more: str, expected: Ledger) -> None:
    """`local` is this process, `cluster` the store of the native limits."""
    assert ledger(more) == expected


def test_redis_is_a_ledger_of_its_own() -> None:
    """Every call may take as long as the record says; while it is away, counting goes on here."""
    found = ledger("strategy: redis\nsync_rate: 2\nredis: {host: cache.test, port: 7000, read_timeout: 900}")
    assert found is not None
    assert isinstance(found.store, RedisSettings)
    assert found.store.address == Address("cache.test", 7000)
    assert (found.timeout, found.sync_rate, found.on_error) == (2.0, 2.0, "local")


def test_names_tell_instance_provider_and_window() -> None:
    """They stand in logs and in keys; renaming an instance starts new counters, editing its amounts does not."""
    text = """_format_version: "3.0"
consumers: [{username: "Zoë", id: aaaaaaaa-1111-4111-8111-111111111111}]
plugins:
- name: ai-rate-limiting-advanced
  config: {tokens_count_strategy: prompt_tokens, llm_providers: [{name: openai, limit: 1, window_size: 60}]}
- name: ai-rate-limiting-advanced
  instance_name: second
  consumer: "Zoë"
  config: {policies: [{limits: [{limit: 1, window_size: 300}]}]}
"""
    rules = parse(text, "kong.yaml", {}).policy.rules
    assert [limit.name for rule in rules for limit in rule.limits] == [
        "kong.instance.second.policy-1.300",
        "kong.all.openai.minute.prompt_tokens",
    ]


def test_names_have_the_kinds_of_what_an_instance_is_attached_to() -> None:
    """So that a further instance changes no other's counters."""
    plugin = f"{{name: ai-rate-limiting-advanced, config: {{{STD.strip()}}}}}"
    text = f"""_format_version: "3.0"
consumer_groups: [{{name: openai, plugins: [{plugin}]}}]
services:
- name: openai
  url: "http://s.test"
  plugins: [{plugin}]
  routes: [{{name: openai, paths: [/], plugins: [{plugin}]}}]
"""
    both = [limit.name for rule in parse(text, "kong.yaml", {}).policy.rules for limit in rule.limits]
    assert both == [f"kong.{kind}.openai.openai.minute" for kind in ("group", "route", "service")]


@pytest.mark.parametrize(
    ("protocols", "told"),
    [("[grpc, grpcs]", True), ("[https]", True), ("[http, grpc]", False), ("[grpc, grpcs, http, https]", False)],
)
def test_protocols_that_seem_to_tell_requests_apart_are_told(protocols: str, told: bool) -> None:
    plugin = f"{{name: ai-rate-limiting-advanced, protocols: {protocols}, config: {{{STD.strip()}}}}}"
    warnings = parse(f"{HEAD}- {plugin}", "kong.yaml", {}).warnings
    assert ["protocols: does not tell requests apart" in str(warning) for warning in warnings] == [True] * told


SLIDING = """_format_version: "3.0"
_plugin_configs:
  shared: {window_type: fixed, policies: [{window_type: WRITTEN, limits: [{limit: 10, window_size: 60}]}]}
plugins: [{name: ai-rate-limiting-advanced, _config: shared}]
"""
TERRAFORM = """
locals { kind = "WRITTEN" }
resource "konnect_gateway_plugin_ai_rate_limiting_advanced" "a" {
  enabled = true
  control_plane_id = "x"
  config = {
    window_type = "fixed"
    policies = [for size in [60] : { window_type = local.kind, limits = [{ limit = 10, window_size = size }] }]
  }
}
"""


@pytest.mark.parametrize(("text", "file"), [(SLIDING, "kong.yaml"), (TERRAFORM, "main.tf")])
@pytest.mark.parametrize("written", ["sliding", "fixed"])
def test_a_policys_own_window_type_counts_wherever_it_is_written(text: str, file: str, written: str) -> None:
    (limit,) = [
        limit for rule in parse(text.replace("WRITTEN", written), file, {}).policy.rules for limit in rule.limits
    ]
    assert limit.window.kind == written


def test_a_policy_without_window_type_has_the_instances() -> None:
    for left_out in ("", "window_type: null, "):
        gateway = Gateway(f"window_type: fixed\npolicies: [{{{left_out}limits: [{{limit: 10, window_size: 60}}]}}]")
        assert [limit.window.kind for rule in gateway.configuration.policy.rules for limit in rule.limits] == ["fixed"]


def test_instances_of_one_namespace_must_agree() -> None:
    text = f"""{HEAD}- name: ai-rate-limiting-advanced
  config: {{namespace: n, {STD.strip()}}}
- name: ai-rate-limiting-advanced
  service: s
  config: {{namespace: n, strategy: cluster, {STD.strip()}}}
services: [{{name: s, url: "http://s.test"}}]
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, "kong.yaml", {})
    assert str(caught.value) == (
        "kong.yaml:4: plugins[0].config.strategy: "
        "differs from the instance at kong.yaml:5, which has the same namespace"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "llm_providers: [{name: openai, limit: 1, window_size: 0.5}]",
            "found 0.5, expected a whole number of seconds",
        ),
        (
            "custom_cost_count_function: return 1\nllm_providers: [{name: customCost, limit: 1e15, window_size: 60}]",
            "found a limit of 1000000000000000, which is too much to be counted exactly",
        ),
        (
            "policies: [{id: 11111111-1111-4111-8111-111111111111}]",
            "found a reference to a stored policy, expected its limits here",
        ),
        (
            "policies: [{match: [{type: ip, values: [nowhere]}], limits: [{limit: 1, window_size: 60}]}]",
            "found nowhere: 'nowhere' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            STD + "request_prompt_count_function: retrun 1",
            """Error parsing function: [string "retrun 1"]:1: '=' expected near '1')""",
        ),
        (
            STD + "strategy: redis\nredis: {sentinel_master: m, cluster_nodes: [{ip: 127.0.0.1}]}",
            "redis: found sentinel and cluster, expected one of them",
        ),
    ],
)
def test_problems(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert problem.endswith(expected)
    assert problem.startswith("kong.yaml:")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("llm_format: anthropic", "llm_format: has no effect"),
        ("dictionary_name: mine", "dictionary_name: has no effect"),
        ("error_code: 150", "error_code: is no status"),
        ("error_code: 0", "error_code: is no status"),
        ("error_code: 700", "error_code: is no status"),
        ("disable_penalty: true", "disable_penalty: has no effect"),
        ("custom_cost_count_function: return 1", "custom_cost_count_function: is never called"),
    ],
)
def test_warnings(more: str, expected: str) -> None:
    (warning,) = Gateway(STD + more).configuration.warnings
    assert expected in str(warning)


def test_an_empty_list_of_providers_is_told() -> None:
    _, warning = Gateway("llm_providers: []").configuration.warnings
    assert "llm_providers: limits nothing, as it is empty" in str(warning)


@pytest.mark.parametrize(("most", "expected"), [("0", 0), ("0.5", 1), ("2", 2), ("2.1", 3)])
def test_a_part_of_a_second_of_jitter_is_a_whole_one(most: str, expected: int) -> None:
    voice = Gateway(f"{STD}retry_after_jitter_max: {most}").configuration.policy.rules[-1].voice
    assert isinstance(voice, AirlaVoice)
    assert voice.jitter == expected


def test_tags_of_ours_are_checked() -> None:
    text = f"{HEAD}- {{name: ai-rate-limiting-advanced, tags: [own, 'ai-limit:retry'], config: {{{STD.strip()}}}}}"
    (warning,) = parse(text, "kong.yaml", {}).warnings
    assert "found the unknown tag 'ai-limit:retry'; did you mean 'ai-limit:retry-after'?" in str(warning)


def test_values_that_nothing_has_are_told() -> None:
    gateway = Gateway("""
policies:
- match: [{type: consumer, key: username, values: [ghost]}, {type: consumer_group, values: [spirits]}]
  limits: [{limit: 1, window_size: 60}]
""")
    assert ["ghost" in str(warning) or "spirits" in str(warning) for warning in gateway.configuration.warnings] == [
        True,
        True,
    ]
