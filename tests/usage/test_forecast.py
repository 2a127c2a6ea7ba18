"""Forecasts: near the truth for honest requests, and harmless for the others."""

# ruff: noqa: E501  (bodies, one a line)

import gzip
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.meters import Scope
from limiter.usage.forecast import IMAGE, LIKELY_COMPLETION, Forecast, forecast, output_limit, prepare, text_tokens
from tests.usage.exchanges import ask_for
from tests.usage.test_readers import CASES

CHAT = "api.openai.com/v1/chat/completions"
CLAUDE = "api.anthropic.com/v1/messages"
TEXT = "The quick brown fox jumps over the lazy dog. " * 20


def _forecast(url: str, body: Any) -> Forecast:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return forecast(ask_for(url, raw), raw)


def _messages(*texts: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text} for text in texts], **more}


def test_a_chat() -> None:
    """`Hello` is one token, a message takes four more, the prompt three, and sixteen are reserve."""
    prepare()
    seen = _forecast(CHAT, _messages("Hello", max_tokens=50))
    assert (seen.prompt_tokens, seen.likely_completion, seen.max_completion) == (1 + 1 + 4 + 3 + 16, 50, 51)


def test_all_that_reaches_the_model_counts_and_nothing_else() -> None:
    few = _forecast(CHAT, _messages("a")).prompt_tokens
    assert _forecast(CHAT, {**_messages("a"), "metadata": {"x": TEXT}, "user": TEXT}).prompt_tokens == few
    for more in (
        {"tools": [{"type": "function", "function": {"name": "f", "description": TEXT}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"description": TEXT}}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": TEXT}}]}]},
    ):
        assert _forecast(CHAT, {**_messages("a"), **more}).prompt_tokens > few + 150


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("api.openai.com/v1/responses", {"model": "gpt-4o", "instructions": TEXT, "input": TEXT}),
        ("api.openai.com/v1/completions", {"model": "gpt-4o", "prompt": [TEXT, TEXT]}),
        ("api.openai.com/v1/embeddings", {"model": "text-embedding-3-small", "input": [TEXT, TEXT]}),
        (CLAUDE, {"model": "c", "system": [{"type": "text", "text": TEXT}], "messages": [{"role": "user", "content": TEXT}]}),
        ("generativelanguage.googleapis.com/v1beta/models/g:generateContent",
         {"systemInstruction": {"parts": [{"text": TEXT}]}, "contents": [{"parts": [{"text": TEXT}]}]}),
        ("bedrock-runtime.us-east-1.amazonaws.com/model/m/converse",
         {"system": [{"text": TEXT}], "messages": [{"content": [{"text": TEXT}]}]}),
        ("bedrock-runtime.us-east-1.amazonaws.com/model/amazon.titan/invoke", {"inputText": TEXT + TEXT}),
        ("api.cohere.com/v2/embed", {"texts": [TEXT, TEXT]}),
        ("api.cohere.com/v1/chat", {"message": TEXT, "chat_history": [{"message": TEXT}]}),
        ("localhost:11434/api/generate", {"model": "llama3", "prompt": TEXT, "system": TEXT}),
        ("localhost:8080/generate", {"inputs": TEXT + TEXT}),
    ],
)  # fmt: skip
def test_every_format_has_its_text_counted(url: str, body: dict[str, Any]) -> None:
    """About four hundred tokens and the reserve."""
    assert 400 <= _forecast(url, body).prompt_tokens <= 700


def test_claude_takes_more_tokens_for_a_text() -> None:
    gpt = _forecast(CHAT, _messages(TEXT * 10)).prompt_tokens
    claude = _forecast(CLAUDE, {**_messages(TEXT * 10), "model": "claude-sonnet-4-5"}).prompt_tokens
    assert claude == pytest.approx(gpt * 1.2, rel=0.02)


def test_images_are_flat() -> None:
    image = "data:image/png;base64," + "A" * 1_000_000
    content = [
        {"type": "image_url", "image_url": {"url": image, "detail": "high"}},
        {"type": "text", "text": "What is it?"},
    ]
    body = _messages("x")
    body["messages"][0]["content"] = content
    assert IMAGE <= _forecast(CHAT, body).prompt_tokens <= IMAGE + 40
    linked = [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    body["messages"][0]["content"] = linked
    assert IMAGE <= _forecast(CHAT, body).prompt_tokens <= IMAGE + 40
    source = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 6_000_000}}
    body["messages"][0]["content"] = [source, source]
    assert 2 * IMAGE <= _forecast(CLAUDE, body).prompt_tokens <= 2 * IMAGE + 40


def test_documents_count_by_their_size() -> None:
    source = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 500_000}}
    body = {"model": "c", "messages": [{"role": "user", "content": [source]}]}
    assert 10_000 <= _forecast(CLAUDE, body).prompt_tokens <= 10_100


def test_what_a_request_allows_bounds_its_answer() -> None:
    """One token more, as some count the mark at the end."""
    limit = output_limit("openai", "gpt-4o")

    def seen(**more: Any) -> tuple[int, int, int]:
        found = _forecast(CHAT, _messages("a", **more))
        return found.prompt_tokens, found.likely_completion, found.max_completion

    assert seen() == (25, LIKELY_COMPLETION, limit + 1)
    assert seen(n=3) == (25, 3 * LIKELY_COMPLETION, 3 * (limit + 1))
    assert seen(max_tokens=5, n=2) == (25, 10, 12)


def test_the_client_may_know_better_how_long_answers_are() -> None:
    """But no answer is longer than all that a model can have before it."""
    assert _forecast(CHAT, _messages("a", max_tokens=100_000)).max_completion == 100_001
    assert _forecast(CHAT, _messages("a", max_tokens=10**9)).max_completion == 128_001


@pytest.mark.parametrize(
    "url",
    ["api.openai.com/v1/embeddings", "api.cohere.com/v2/rerank", "api.cohere.com/v1/embed", "api.mistral.ai/v1/ocr",
     "generativelanguage.googleapis.com/v1beta/models/g:batchEmbedContents", "localhost:11434/api/embed"],
)  # fmt: skip
def test_what_writes_nothing_has_no_completion(url: str) -> None:
    seen = _forecast(url, {"model": "m", "input": "a"})
    assert (seen.likely_completion, seen.max_completion) == (0, 0)


def test_images_have_an_answer_of_their_own_length() -> None:
    drawn = {"model": "gpt-image-1", "prompt": "a cat", "n": 2}
    assert _forecast("api.openai.com/v1/images/generations", drawn).max_completion == 2 * 6_540


def test_uploads_count_by_their_size() -> None:
    body = b"--b\r\n" + b"\0" * 160_000
    assert forecast(ask_for("api.openai.com/v1/audio/transcriptions", body), body).prompt_tokens == 103


def test_encoded_bodies_are_counted() -> None:
    body = json.dumps(_messages(TEXT)).encode()
    assert _forecast(CHAT, gzip.compress(body)).prompt_tokens == _forecast(CHAT, body).prompt_tokens


HOSTILE = {
    "one letter": json.dumps(_messages("a" * 1_000_000)).encode(),
    "blanks": json.dumps(_messages(" " * 1_000_000)).encode(),
    "line feeds": json.dumps(_messages("\n" * 500_000)).encode(),
    "ideographs": json.dumps(_messages("中" * 300_000), ensure_ascii=False).encode(),
    "emoji": json.dumps(_messages("\U0001f600" * 200_000), ensure_ascii=False).encode(),
    "hexadecimal": json.dumps(_messages("0123456789abcdef" * 60_000)).encode(),
    "base64 in a text": json.dumps(_messages("QUJDREVGR0hJ+/" * 70_000)).encode(),
    "lone surrogates": json.dumps(_messages("\ud800" * 150_000)).encode(),
    "empty arrays": b'{"messages":[' + b"[]," * 333_000 + b"[]]}",
    "empty objects": b'{"messages":[' + b"{}," * 333_000 + b"{}]}",
    "deep arrays": b'{"messages":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "one member many times": b'{"messages":[{' + b'"a":"b",' * 120_000 + b'"a":1}]}',
    "tools": json.dumps({**_messages("a"), "tools": ["x" * 1_000_000]}).encode(),
    "no JSON": b"\xff\x00" * 500_000,
    "broken JSON": b'{"messages":[{"content":"' + b"x" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_cost_little_and_count_much(name: str) -> None:
    """A megabyte of anything: no more than about its length, some time, no exception."""
    body = HOSTILE[name]
    ask = ask_for(CHAT, body)
    start = time.process_time()
    seen = forecast(ask, body)
    assert time.process_time() - start < 4
    assert 0 < seen.prompt_tokens <= len(body) + 1000


def test_long_texts_are_counted_in_part() -> None:
    """Two megabytes exactly, the rest by its length."""
    body = json.dumps(_messages("word " * 3_000_000)).encode()
    start = time.process_time()
    seen = _forecast(CHAT, body)
    assert time.process_time() - start < 4
    assert 3_000_000 <= seen.prompt_tokens <= 6_000_000
    medium = json.dumps(_messages(*["word " * 100_000] * 7)).encode()
    assert len(medium) < 4_000_000
    assert 700_000 <= _forecast(CHAT, medium).prompt_tokens <= 1_000_000


def test_media_of_long_bodies_are_left_out() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    body = _messages("x")
    body["messages"][0]["content"] = [image] * 9
    assert 9 * IMAGE <= _forecast(CHAT, body).prompt_tokens <= 10 * IMAGE


@given(st.sampled_from(sorted({case.url for case in CASES.values()})), st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_body_has_a_forecast(url: str, body: bytes) -> None:
    seen = forecast(ask_for(url, body), body)
    assert 0 < seen.prompt_tokens <= seen.most_prompt
    assert 0 <= seen.likely_completion <= seen.max_completion


def test_a_conversation_beside_the_body_counts() -> None:
    seen = Forecast(100, 10, 20, 150, Scope(audio=5))
    told = seen.told(1000)
    assert (told.prompt_tokens, told.most_prompt, told.scope.audio, told.scope.images) == (1100, 2150, 2005, 2000)
    assert seen.told(0) is seen


def test_text_of_cut_streams_is_charged_with_a_margin() -> None:
    gpt, claude = ask_for(CHAT, _messages("a")), ask_for(CLAUDE, {"model": "claude-x"})
    bedrock = ask_for("bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-x/converse", {})
    assert text_tokens(gpt, "") == 0
    assert text_tokens(gpt, TEXT) == 212  # 201 × 1.05
    assert text_tokens(claude, TEXT) == text_tokens(bedrock, TEXT) == 242  # 201 × 1.2
    assert text_tokens(gpt, "\ud800") == text_tokens(gpt, "?")
