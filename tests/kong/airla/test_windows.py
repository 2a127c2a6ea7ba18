"""When requests pass: at the limit, over the ends of windows, by identity."""

from typing import Any

import pytest

from limiter.facts import Facts
from tests.kong.airla.gateway import Gateway, tokens


def limited(limit: int, window: int, more: str = "") -> Gateway:
    return Gateway(f"llm_providers: [{{name: openai, limit: {limit}, window_size: {window}}}]\n{more}")


async def test_the_request_that_crosses_the_limit_completes() -> None:
    """And the next is refused; exactly at the limit, too."""
    gateway = limited(100, 60)
    assert (await gateway.ask(tokens(99))).status == 200
    assert (await gateway.ask(tokens(1))).status == 200
    assert (await gateway.ask()).status == 429


async def test_the_published_trace() -> None:
    """One token in ten seconds: requests two seconds apart, a pause of twenty, and again."""
    for start in range(10):
        gateway = limited(1, 10)
        gateway.after(start)
        seen = []
        for pause in (2, 2, 20, 2, 2):
            seen.append((await gateway.ask(tokens(10, 30), takes=300)).status)
            gateway.after(pause)
        seen.append((await gateway.ask()).status)
        assert seen == [200, 429, 429, 200, 429, 429]


async def test_sliding_windows_count_the_one_before_by_its_share() -> None:
    """Ten now and forty before, half of which still counts, are thirty."""
    gateway = limited(100, 60)
    await gateway.ask(tokens(40))
    gateway.after(90)
    await gateway.ask(tokens(10))

    assert (await gateway.ask()).of("Remaining-minute-openai") == "70"


async def test_the_workshop_s_remainder() -> None:
    """297 tokens in a minute, 55.5 s into the next: 22.3 count, so that 477 or 478 of 500 are left."""
    gateway = limited(500, 60)
    gateway.after(41)
    await gateway.ask(tokens(297))
    gateway.after(74.5)

    assert (await gateway.ask()).of("Remaining-minute-openai") == "477"


async def test_fixed_windows_forget_at_once() -> None:
    gateway = limited(10, 60, "window_type: fixed")
    gateway.after(59)
    await gateway.ask(tokens(10))
    assert (await gateway.ask()).status == 429
    gateway.after(1)
    assert (await gateway.ask(tokens(10))).status == 200


async def test_windows_are_laid_on_the_epoch() -> None:
    """A window of seven seconds begins at a multiple of seven."""
    gateway = limited(1, 7, "window_type: fixed")
    gateway.now = 7000 * 250_000_000 - 1000
    await gateway.ask(tokens(1))
    assert (await gateway.ask()).of("Reset") == "1"
    gateway.after(1)
    assert (await gateway.ask()).status == 200


async def test_an_exhausted_provider_blocks_the_others() -> None:
    """As which one will serve is not known when the plugin runs; what they use is counted apart."""
    gateway = Gateway("""
llm_providers:
- {name: azure, limit: 10, window_size: 60}
- {name: cohere, limit: 10, window_size: 60}
""")
    assert (await gateway.ask(tokens(10), provider="azure")).status == 200
    assert (await gateway.ask(provider="cohere")).status == 429
    assert (await gateway.ask(provider="openai")).status == 429


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("openai", "openai"),
        ("azure", "azure"),
        ("anthropic", "anthropic"),
        ("bedrock", "bedrock"),
        ("cohere", "cohere"),
        ("gemini", "gemini"),
        ("gemini", "vertex"),
        ("huggingface", "huggingface"),
        ("llama2", "ollama"),
        ("llama2", "vllm"),
        ("mistral", "mistral"),
    ],
)
async def test_names_of_providers(name: str, provider: str) -> None:
    """Each of Kong's names counts what our table calls otherwise here and there, and nothing else."""
    gateway = Gateway(f"llm_providers: [{{name: {name}, limit: 10, window_size: 60}}]")
    await gateway.ask(tokens(100), provider="dashscope")
    assert (await gateway.ask(tokens(10), provider=provider)).status == 200
    assert (await gateway.ask(provider=provider)).status == 429


async def test_a_name_given_twice_is_two_limits() -> None:
    gateway = Gateway("""
llm_providers:
- {name: openai, limit: 10, window_size: 60}
- {name: openai, limit: 20, window_size: 60}
""")
    await gateway.ask(tokens(9))
    assert (await gateway.ask(tokens(1))).of("Remaining-minute-openai") == "1"
    reply = await gateway.ask()
    assert (reply.status, reply.of("Limit-minute-openai"), reply.of("Remaining-minute-openai")) == (429, "10", "0")
    assert len(reply.fields) == 7


@pytest.mark.parametrize(
    ("strategy", "left"), [("total_tokens", "70"), ("prompt_tokens", "80"), ("completion_tokens", "90")]
)
async def test_strategies(strategy: str, left: str) -> None:
    gateway = limited(100, 60, f"tokens_count_strategy: {strategy}")
    await gateway.ask(tokens(20, 10))
    assert (await gateway.ask()).of("Remaining-minute-openai") == left


async def test_refusals_add_no_tokens() -> None:
    gateway = limited(10, 60, "window_type: fixed")
    await gateway.ask(tokens(10))
    for _ in range(5):
        assert (await gateway.ask(tokens(10))).status == 429
    gateway.after(60)
    assert (await gateway.ask()).of("Remaining-minute-openai") == "10"


ALICE = {"consumer": "alice", "consumer_id": "id-a", "credential_id": "key-a", "service": "s1"}
BOB = {"consumer": "bob", "consumer_id": "id-b", "credential_id": "key-b", "service": "s2"}
NOBODY: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("identifier", "spends", "same", "other"),
    [
        ("consumer", ALICE, ALICE | {"ip": "192.0.2.9", "credential_id": "key-c"}, BOB),
        ("consumer", NOBODY, {"credential_id": "key-c"}, {"ip": "192.0.2.9"}),
        ("consumer", {"consumer": "alice"}, {"consumer": "alice", "ip": "192.0.2.9"}, {"consumer": "bob"}),
        ("credential", ALICE, ALICE | {"ip": "192.0.2.9"}, ALICE | {"credential_id": "key-c"}),
        ("credential", NOBODY, {"consumer_id": "id-a"}, {"ip": "192.0.2.9"}),
        ("ip", ALICE, BOB, ALICE | {"ip": "192.0.2.9"}),
        ("service", ALICE, ALICE | {"ip": "192.0.2.9"}, BOB),
        ("service", NOBODY, ALICE | {"service": ""}, {"ip": "192.0.2.9"}),
        (
            "header\nheader_name: X-Team",
            {"headers": {"x-team": "a"}},
            {"headers": {"x-team": "a"}, "ip": "192.0.2.9"},
            {"headers": {"x-team": "b"}},
        ),
        ("header\nheader_name: X-Team", NOBODY, ALICE, {"ip": "192.0.2.9"}),
        (
            "path\npath: /v1/chat",
            {"path": "/v1/chat"},
            {"path": "/v1/chat/completions", "ip": "192.0.2.9"},
            {"path": "/v1/chatter"},
        ),
        ("path\npath: /a|b%7C", {"path": "/a|b%7C"}, {"path": "/a|b%7C/c", "ip": "192.0.2.9"}, {"path": "/a"}),
        ("path\npath: /v1/chat", {"path": "/v1/x"}, {"path": "/v1/y"}, {"path": "/v1/x", "ip": "192.0.2.9"}),
    ],
)
async def test_identifiers(
    identifier: str, spends: dict[str, Any], same: dict[str, Any], other: dict[str, Any]
) -> None:
    """Whose counter a request is counted on; without the identifier it is the address's."""
    gateway = limited(10, 60, f"identifier: {identifier}")
    await gateway.ask(tokens(10), **spends)

    assert (await gateway.ask(**same)).status == 429
    assert (await gateway.ask(**other)).status == 200


async def test_a_consumer_s_instance_comes_before_the_global_one() -> None:
    """Two plugins, as in the workshop: each consumer has the limit of their own, others that of all."""
    gateway = Gateway(
        """_format_version: "3.0"
consumers:
- username: one
  id: 11111111-1111-4111-8111-111111111111
  plugins:
  - {name: ai-rate-limiting-advanced, config: {llm_providers: [{name: openai, limit: 500, window_size: 60}]}}
- username: two
  id: 22222222-2222-4222-8222-222222222222
  plugins:
  - {name: ai-rate-limiting-advanced, config: {llm_providers: [{name: openai, limit: 10000, window_size: 60}]}}
plugins:
- {name: ai-rate-limiting-advanced, config: {llm_providers: [{name: openai, limit: 7, window_size: 60}]}}
""",
        whole=True,
    )
    one = {"consumer_id": "11111111-1111-4111-8111-111111111111", "consumer": "one"}
    two = {"consumer_id": "22222222-2222-4222-8222-222222222222", "consumer": "two"}
    assert (await gateway.ask(tokens(600), **one)).of("Limit-minute-openai") == "500"
    assert (await gateway.ask(**one)).status == 429
    assert (await gateway.ask(tokens(600), **two)).of("Remaining-minute-openai") == "10000"
    assert (await gateway.ask(**two)).of("Remaining-minute-openai") == "9400"
    assert (await gateway.ask()).of("Limit-minute-openai") == "7"


async def test_a_group_s_instance_has_one_counter_for_the_group() -> None:
    """With `identifier: consumer-group`."""
    gateway = Gateway(
        """_format_version: "3.0"
consumer_groups:
- name: gold
  plugins:
  - name: ai-rate-limiting-advanced
    config: {identifier: consumer-group, llm_providers: [{name: openai, limit: 10, window_size: 60}]}
""",
        whole=True,
    )
    await gateway.ask(tokens(10), groups=("gold",), consumer_id="a")
    assert (await gateway.ask(groups=("gold",), consumer_id="b")).status == 429
    assert (await gateway.ask(consumer_id="c")).fields == {}


async def test_namespaces_share_counters() -> None:
    """Of instances that agree on name, window and strategy; without a namespace each has its own."""
    text = """_format_version: "3.0"
services:
- {name: a, id: aaaaaaaa-1111-4111-8111-111111111111, url: "http://a.test"}
- {name: b, id: bbbbbbbb-1111-4111-8111-111111111111, url: "http://b.test"}
plugins:
- name: ai-rate-limiting-advanced
  service: a
  config: {SPACE llm_providers: [{name: openai, limit: 10, window_size: 60}]}
- name: ai-rate-limiting-advanced
  service: b
  config: {SPACE llm_providers: [{name: openai, limit: 20, window_size: 60}]}
"""
    a, b = "aaaaaaaa-1111-4111-8111-111111111111", "bbbbbbbb-1111-4111-8111-111111111111"
    for space, left in (("namespace: pool,", "10"), ("", "20")):
        gateway = Gateway(text.replace("SPACE", space), whole=True)
        await gateway.ask(tokens(10), service=a)
        assert (await gateway.ask(service=a)).status == 429
        assert (await gateway.ask(service=b)).of("Remaining-minute-openai") == left


def test_facts_have_what_identifiers_read() -> None:
    assert {"consumer_id", "credential_id", "service", "ip", "path"} <= set(Facts.__dataclass_fields__)
