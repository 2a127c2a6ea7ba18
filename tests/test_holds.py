"""A hold of `reserve: maximum` is never less than what the exchange comes to cost."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.config import parse
from limiter.decisions import Admission
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.meters import NANO, Usage
from limiter.prices import Prices
from limiter.stores.memory import MemoryStore
from limiter.usage.consumption import with_request_tier
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.requests import Ask
from tests.usage.exchanges import ask_for

NOON = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp() * 1000)
CHAT = "api.openai.com/v1/chat/completions"
RESPONSES = "api.openai.com/v1/responses"
CLAUDE = "api.anthropic.com/v1/messages"
GEMINI = "generativelanguage.googleapis.com/v1beta/models/{}:generateContent"
TEXT = "The quick brown fox jumps over the lazy dog. "


def engine(reserve: str = "maximum", meter: str = "$100000") -> Engine:
    policy = parse(f"limits: [{{name: a, amount: {meter} per day, reserve: {reserve}}}]", "a.yaml").policy
    return Engine(policy, {None: MemoryStore(lambda: NOON)}, Prices(), lambda: NOON, lambda: "1")


def asked(url: str, body: dict[str, Any]) -> tuple[Ask, Facts, Forecast]:
    raw = json.dumps(body).encode()
    ask = ask_for(url, raw)
    facts = Facts(provider=ask.endpoint.provider, model=ask.model, endpoint=ask.endpoint.name, api=ask.endpoint.api)
    return ask, facts, forecast(ask, raw)


async def held(url: str, body: dict[str, Any], reserve: str = "maximum", meter: str = "$100000") -> int:
    _, facts, seen = asked(url, body)

    async def measure() -> Forecast:
        return seen

    outcome = await engine(reserve, meter).admit(facts, measure)
    assert isinstance(outcome, Admission)
    return outcome.planned[0].charge.take


def true_cost(url: str, body: dict[str, Any], usage: Usage) -> int:
    ask, facts, _ = asked(url, body)
    cost = engine().priced(with_request_tier(usage, ask), facts).cost
    assert cost is not None
    return cost


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def cached(text: str, ttl: str) -> dict[str, Any]:
    block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}
    return {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": [block]}]}


def parts(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(items)}], **more}


def used(prompt: int, completion: int, **more: Any) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion, **more)


LONG = TEXT * 2000
CASES: dict[str, tuple[str, dict[str, Any], Usage]] = {
    "a prompt written to a cache for an hour": (
        CLAUDE,
        cached(LONG, "1h"),
        used(20_000, 100, cache_creation_tokens=20_000, cache_creation_1h_tokens=20_000),
    ),
    "a prompt written to a cache": (
        CLAUDE,
        cached(LONG, "5m"),
        used(20_000, 100, cache_creation_tokens=20_000),
    ),
    "a cache that a tool asks for": (
        CLAUDE,
        said(
            LONG,
            model="claude-sonnet-4-5",
            max_tokens=100,
            tools=[{"name": "f", "input_schema": {}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        ),
        used(20_000, 100, cache_creation_tokens=20_000, cache_creation_1h_tokens=20_000),
    ),
    "a cache that the provider fills unasked": (
        CHAT,
        said(LONG, model="gpt-5.6", max_completion_tokens=100),
        used(20_000, 100, cache_creation_tokens=20_000),
    ),
    "a conversation that the provider keeps": (
        RESPONSES,
        {"model": "gpt-4o", "input": "And?", "previous_response_id": "resp_1", "max_output_tokens": 100},
        used(100_000, 100),
    ),
    "a conversation object": (
        RESPONSES,
        {"model": "gpt-4o", "input": "And?", "conversation": {"id": "conv_1"}, "max_output_tokens": 100},
        used(100_000, 100),
    ),
    "a stored prompt": (
        RESPONSES,
        {"model": "gpt-4o", "prompt": {"id": "pmpt_1"}, "max_output_tokens": 100},
        used(50_000, 100),
    ),
    "a dearer tier": (
        CHAT,
        said(LONG, model="gpt-4o", max_tokens=5000, service_tier="priority"),
        used(20_000, 5000),
    ),
    "a cheaper tier that was not to be had": (
        CHAT,
        said(LONG, model="gpt-5", max_completion_tokens=5000, service_tier="flex"),
        used(20_000, 5000, service_tier="default"),
    ),
    "an image by a model that speaks too": (
        GEMINI.format("gemini-2.5-flash-image"),
        parts({"text": "A cat"}, generationConfig={"maxOutputTokens": 1300}),
        used(4, 1290, completion_image_tokens=1290),
    ),
    "a document by its name": (
        CLAUDE,
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}
            ],
        },
        used(150_000, 100),
    ),
    "a document by its address": (
        RESPONSES,
        {
            "model": "gpt-4o",
            "max_output_tokens": 100,
            "input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/y.pdf"}]}],
        },
        used(100_000, 100),
    ),
    "a small document": (
        CLAUDE,
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0" * 600},
                        }
                    ],
                }
            ],
        },
        used(120_000, 100),
    ),
    "a film beside what is cached": (
        GEMINI.format("gemini-2.5-flash"),
        parts(
            {"fileData": {"fileUri": "https://youtu.be/x", "mimeType": "video/mp4"}},
            cachedContent="cachedContents/1",
            generationConfig={"maxOutputTokens": 100},
        ),
        used(900_000, 100, prompt_audio_tokens=300_000),
    ),
    "a search of the web": (
        CLAUDE,
        said(
            "News?",
            model="claude-sonnet-4-5",
            max_tokens=100,
            tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}],
        ),
        used(100_000, 100, web_searches=3),
    ),
    "searches without a bound": (
        RESPONSES,
        {"model": "gpt-4o", "input": "News?", "max_output_tokens": 100, "tools": [{"type": "web_search"}]},
        used(100_000, 100, web_searches=10),
    ),
    "an image by a tool": (
        RESPONSES,
        {"model": "gpt-4o", "input": "A cat", "max_output_tokens": 100, "tools": [{"type": "image_generation"}]},
        used(2000, 100, units={"image_gen_input_tokens": 1000, "image_gen_output_tokens": 6208}),
    ),
    "an answer longer than the data know": (
        CLAUDE,
        said("Hi", model="claude-3-7-sonnet-20250219", max_tokens=128_000),
        used(10, 128_000),
    ),
    "tools, which Claude is told about at length": (
        CLAUDE,
        said("Hi", model="claude-sonnet-4-5", max_tokens=100, tools=[{"name": "f", "input_schema": {}}]),
        used(660, 100),
    ),
    "images that cost many tokens": (
        CHAT,
        {
            "model": "gpt-4o-mini",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}],
        },
        used(48_169, 100),
    ),
    "a long context": (
        GEMINI.format("gemini-2.5-pro"),
        parts({"text": TEXT * 22_000}, generationConfig={"maxOutputTokens": 1000}),
        used(220_000, 1000),
    ),
    "a prompt that is answered several times": (
        "api.openai.com/v1/completions",
        {"model": "gpt-3.5-turbo-instruct", "prompt": ["a", "b", "c"], "max_tokens": 100, "n": 2},
        used(3, 600),
    ),
    "candidates": (
        GEMINI.format("gemini-2.5-flash"),
        parts({"text": "Hi"}, generationConfig={"maxOutputTokens": 100, "candidateCount": 4}),
        used(2, 400),
    ),
    "speech": (
        CHAT,
        said("Hi", model="gpt-audio", modalities=["text", "audio"], max_completion_tokens=1000),
        used(10, 1000, completion_audio_tokens=1000),
    ),
    "sound": (
        CHAT,
        {
            "model": "gpt-audio",
            "max_completion_tokens": 10,
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "input_audio", "input_audio": {"data": "A" * 40_000, "format": "mp3"}}],
                }
            ],
        },
        used(320, 10, prompt_audio_tokens=300),
    ),
    "Claude's text": (
        CLAUDE,
        said("DIE BÜRGSCHAFT, " * 500, model="claude-opus-4-8", max_tokens=10),
        used(6_500, 10),
    ),
    "digits that Gemini tells apart": (
        GEMINI.format("gemini-2.5-flash"),
        parts({"text": "1234567890" * 1000}, generationConfig={"maxOutputTokens": 10}),
        used(10_010, 10),
    ),
    "thoughts that the provider sealed": (
        RESPONSES,
        {
            "model": "gpt-5",
            "max_output_tokens": 100,
            "input": [
                {"role": "user", "content": "Hi"},
                {"type": "reasoning", "summary": [], "encrypted_content": "gAAA" * 2000},
            ],
        },
        used(1_600, 100),
    ),
    "DeepSeek at its dearest hour": (
        "api.deepseek.com/chat/completions",
        said("Hi", model="deepseek-chat", max_tokens=1000),
        used(10, 1000),
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_hold_covers(case: str) -> None:
    url, body, usage = CASES[case]
    assert await held(url, body) >= true_cost(url, body, usage)
    if usage.prompt_tokens:
        assert await held(url, body, meter="900M tokens") >= usage.total_tokens


@pytest.mark.parametrize(
    ("text", "most"),
    [("Hi", 0.02), (LONG, 0.2)],
)
async def test_plain_requests_hold_little(text: str, most: float) -> None:
    """A hold that is far above the cost would keep other requests out for nothing."""
    assert await held(CHAT, said(text, model="gpt-4o", max_tokens=1000)) < most * NANO
    assert await held(CLAUDE, said(text, model="claude-sonnet-4-5", max_tokens=1000)) < most * NANO


async def test_a_search_has_its_fee() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    fetch = {"type": "web_fetch_20250910", "name": "web_fetch"}
    hidden = await held(CLAUDE, said("Hi", model="claude-sonnet-4-5", max_tokens=10, tools=[fetch]))
    for uses, fee in ((1, 10_000_000), (7, 70_000_000), (None, 100_000_000)):
        tool = search if uses is None else {**search, "max_uses": uses}
        with_fee = await held(CLAUDE, said("Hi", model="claude-sonnet-4-5", max_tokens=10, tools=[tool]))
        assert with_fee == hidden + fee


async def test_an_estimate_stays_what_is_likely() -> None:
    """Whatever the most would be; and it is what stays booked when the answer is never seen."""
    url, body, _ = CASES["a conversation that the provider keeps"]
    assert await held(url, body, "estimate") < 0.01 * NANO
    _, facts, seen = asked(url, body)

    async def measure() -> Forecast:
        return seen

    outcome = await engine().admit(facts, measure)
    assert isinstance(outcome, Admission)
    assert outcome.planned[0].charge.keep < 0.001 * NANO


MODELS = [
    (CHAT, "gpt-4o"),
    (CHAT, "gpt-5"),
    (CHAT, "gpt-5.6"),
    (CHAT, "gpt-audio"),
    (CHAT, "unheard-of"),
    (CLAUDE, "claude-sonnet-4-5"),
    (CLAUDE, "claude-opus-4-6"),
    (CLAUDE, "unheard-of"),
    (GEMINI, "gemini-2.5-pro"),
    (GEMINI, "gemini-2.5-flash"),
    (GEMINI, "gemini-2.5-flash-image"),
    ("api.deepseek.com/chat/completions", "deepseek-chat"),
    ("openrouter.ai/api/v1/chat/completions", "openai/gpt-4o"),
    ("api.x.ai/v1/chat/completions", "grok-4"),
]


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[str, dict[str, Any], Usage]:
    """A request, and a usage that it allows: any split of the prompt, any kind of output up to the bound."""
    url, model = draw(st.sampled_from(MODELS))
    text = TEXT * draw(st.integers(1, 200))
    bound = draw(st.integers(1, 32_000))
    n = draw(st.integers(1, 3))
    tier = draw(st.sampled_from(["", "priority", "flex", "default", "batch", "fast"]))
    ttl = draw(st.sampled_from(["", "5m", "1h"]))
    hides = draw(st.booleans())
    search = draw(st.booleans())
    body: dict[str, Any]
    if url == CLAUDE:
        n = 1
        block: dict[str, Any] = {"type": "text", "text": text}
        if ttl:
            block["cache_control"] = {"type": "ephemeral", "ttl": ttl}
        body = {"model": model, "max_tokens": bound, "messages": [{"role": "user", "content": [block]}]}
        if draw(st.booleans()):
            body |= {"inference_geo": "us", "speed": "fast"}
        if hides:
            body["container"] = "container_1"
        if search:
            body["tools"] = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]
    elif url == GEMINI:
        url = url.format(model)
        body = parts({"text": text}, generationConfig={"maxOutputTokens": bound, "candidateCount": n})
        if hides:
            body["cachedContent"] = "cachedContents/1"
        if search:
            body["tools"] = [{"googleSearch": {}}]
    else:
        body = said(text, model=model, max_tokens=bound, n=n, modalities=["text", "audio", "image"])
        if hides:
            body["messages"][0]["content"] = [{"type": "file", "file": {"file_id": "file_1"}}]
        if search:
            body["web_search_options"] = {}
    if tier:
        body["service_tier"] = tier
    ask, _, seen = asked(url, body)
    prompt = draw(st.integers(0, seen.most_prompt))
    completion = draw(st.integers(0, bound * n))
    written = draw(st.integers(0, prompt)) if url != CLAUDE or ttl else 0
    media = hides or seen.scope.searches > 0  # Models that cannot search leave the wish alone.
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        cached_tokens=draw(st.integers(0, prompt)),
        cache_creation_tokens=written,
        cache_creation_1h_tokens=draw(st.integers(0, written)) if ttl == "1h" and url == CLAUDE else 0,
        reasoning_tokens=draw(st.integers(0, completion)),
        prompt_audio_tokens=draw(st.integers(0, prompt)) if media else 0,
        prompt_image_tokens=draw(st.integers(0, prompt)) if media else 0,
        completion_audio_tokens=draw(st.integers(0, completion)),
        completion_image_tokens=draw(st.integers(0, completion)),
        web_searches=draw(st.integers(0, seen.scope.searches)),
        service_tier=draw(st.sampled_from(["", ask.service_tier, "default"])),
        premium=draw(st.sampled_from([0, seen.scope.premium])),
    )
    return url, body, usage


def _plain(seen: Forecast) -> Forecast:
    """As if no service tier had been asked for."""
    return replace(seen, scope=seen.scope._replace(tier=""))


@given(exchanges())
@settings(max_examples=300, deadline=None)
def test_no_usage_that_the_request_allows_costs_more(exchange: tuple[str, dict[str, Any], Usage]) -> None:
    url, body, usage = exchange
    _, facts, seen = asked(url, body)
    holds = engine()._hold(facts, seen, local=False)
    assert (holds.most.cost or 0) >= true_cost(url, body, usage)
    assert (holds.likely.cost or 0) >= (engine()._hold(facts, _plain(seen), local=False).likely.cost or 0)
    assert holds.most.prompt_tokens >= usage.prompt_tokens
    assert holds.most.completion_tokens >= usage.completion_tokens
    assert (holds.most.cost or 0) >= (holds.likely.cost or 0) >= (holds.prompt.cost or 0)
    assert replace(holds.most, cost=None) == Usage(
        prompt_tokens=holds.most.prompt_tokens,
        completion_tokens=holds.most.completion_tokens,
        total_tokens=holds.most.prompt_tokens + holds.most.completion_tokens,
    )


@pytest.mark.parametrize("local", [True, False])
def test_a_model_on_ones_own_machine_holds_no_money(local: bool) -> None:
    _, facts, seen = asked("localhost:11434/api/chat", said("Hi", model="llama3"))
    holds = engine()._hold(facts, seen, local=local)
    assert (holds.most.cost == 0) is local
    assert holds.most.total_tokens > 0
