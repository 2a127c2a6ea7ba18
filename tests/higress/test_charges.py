"""What an answer costs: the sum of the provider's own two numbers, read with this proxy's own eyes."""

import gzip
import json
from typing import Any

import pytest

from limiter.meters import METERS, Usage
from tests.usage.exchanges import EVENTS, JSON, ask_for, observe, pieces, sse

CHAT = "api.openai.com/v1/chat/completions"
CLAUDE = "api.anthropic.com/v1/messages"
GEMINI = "generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent"
RESPONSES = "api.openai.com/v1/responses"


def counted(usage: Usage | None, meter: str = "io_tokens") -> int:
    return METERS[meter](usage) if usage else 0


def charge(url: str, body: Any, meter: str = "io_tokens") -> int:
    """Of a whole answer, or of one as bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    content_type = EVENTS if raw.startswith((b"data:", b"event:")) else JSON
    return counted(
        observe(ask_for(url, {"model": "m", "stream": content_type == EVENTS}), raw, content_type).usage, meter
    )


def chat(**usage: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [], "usage": usage}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 13, "completion_tokens": 33, "total_tokens": 46}, 46),
        ({"prompt_tokens": 13, "completion_tokens": 33, "total_tokens": 999}, 46),
        ({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
          "prompt_tokens_details": {"cached_tokens": 80}, "completion_tokens_details": {"reasoning_tokens": 30}}, 150),
        ({"prompt_tokens": 10, "completion_tokens": 15, "total_tokens": 25}, 25),
        ({"prompt_tokens": None, "completion_tokens": 5, "total_tokens": 5}, 5),
    ],
)  # fmt: skip
def test_openai(usage: dict[str, Any], expected: int) -> None:
    assert charge(CHAT, chat(**usage)) == expected


def test_embeddings() -> None:
    body = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    assert charge("api.openai.com/v1/embeddings", body) == 8


def test_a_total_of_zero_beside_tokens_is_no_total() -> None:
    """The gateway charges nothing then."""
    assert charge(CHAT, chat(prompt_tokens=3, completion_tokens=4, total_tokens=0)) == 7


def test_anthropic_without_its_cache() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 2000,
    }
    body = {"type": "message", "id": "m", "model": "c", "content": [], "stop_reason": "end_turn", "usage": usage}
    assert charge(CLAUDE, body) == 30
    assert charge(CLAUDE, body, "total_tokens") == 2330
    assert charge(CLAUDE, body, "weighted_tokens") == 30 + 200 + 375


def stream(delta: dict[str, int]) -> bytes:
    start = {
        "type": "message_start",
        "message": {"id": "m", "model": "c", "usage": {"input_tokens": 25, "output_tokens": 1}},
    }
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta}
    return sse(("message_start", start), ("message_delta", end), ("message_stop", {"type": "message_stop"}))


@pytest.mark.parametrize(
    ("delta", "expected"), [({"output_tokens": 15}, 40), ({"output_tokens": 15, "input_tokens": 26}, 41)]
)
def test_anthropic_streams(delta: dict[str, int], expected: int) -> None:
    assert charge(CLAUDE, stream(delta)) == expected


def test_gemini_without_thoughts_and_tool_prompts() -> None:
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 100,
        "toolUsePromptTokenCount": 9,
        "totalTokenCount": 139,
    }
    body = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage}
    assert charge(GEMINI, body) == 30
    assert charge(GEMINI, body, "total_tokens") == 139


def test_responses() -> None:
    usage = {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123}
    response = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": [], "usage": usage}
    assert charge(RESPONSES, response) == 123
    assert charge(RESPONSES, sse(("response.completed", {"type": "response.completed", "response": response}))) == 123


def test_what_the_gateway_does_not_recognise() -> None:
    """Ollama, Bedrock, Cohere and a list of Gemini's."""
    ollama = {"model": "m", "done": True, "prompt_eval_count": 10, "eval_count": 20}
    assert charge("127.0.0.1:11434/api/chat", ollama) == 30
    bedrock = {"output": {}, "stopReason": "end_turn",
               "usage": {"inputTokens": 12, "outputTokens": 8, "totalTokens": 20}}  # fmt: skip
    assert charge("bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", bedrock) == 20
    cohere = {"id": "c", "finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 7, "output_tokens": 4}}}
    assert charge("api.cohere.com/v2/chat", cohere) == 11
    gemini = {
        "candidates": [{}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6, "totalTokenCount": 11},
    }
    assert charge(GEMINI.replace("generate", "streamGenerate"), [gemini]) == 11


def test_usage_in_an_escaped_text_is_none() -> None:
    text = json.dumps({"usage": {"prompt_tokens": 9, "completion_tokens": 9}})
    body = {**chat(prompt_tokens=1, completion_tokens=1, total_tokens=2), "choices": [{"message": {"content": text}}]}
    assert charge(CHAT, body) == 2


@pytest.mark.parametrize("size", [1, 7, 40])
def test_where_an_answer_is_cut_into_pieces_does_not_matter(size: int) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    whole = json.dumps(chat(**usage), indent=1).replace("\n", "\n\n").encode()
    events = sse({"id": "c", "choices": [], "usage": None}, {"id": "c", "choices": [], "usage": usage}, done=True)
    assert counted(observe(ask_for(CHAT, {"model": "m"}), pieces(whole, size)).usage) == 12
    asked = ask_for(CHAT, {"model": "m", "stream": True, "stream_options": {"include_usage": True}})
    assert counted(observe(asked, pieces(events, size), EVENTS).usage) == 12


def test_a_compressed_answer_counts() -> None:
    body = gzip.compress(json.dumps(chat(prompt_tokens=7, completion_tokens=5, total_tokens=12)).encode())
    assert counted(observe(ask_for(CHAT, {"model": "m"}), body, content_encoding="gzip").usage) == 12


def test_an_answer_that_breaks_off_counts_what_was_seen() -> None:
    whole = stream({"output_tokens": 15})
    cut = whole[: whole.index(b"event: message_delta")]
    assert counted(observe(ask_for(CLAUDE, {"model": "m", "stream": True}), cut, EVENTS).usage) >= 25


def test_a_write_that_stays_for_an_hour_weighs_two() -> None:
    usage = Usage(prompt_tokens=100, cache_creation_tokens=100, cache_creation_1h_tokens=100)
    assert METERS["weighted_tokens"](usage) == 200


def test_weights_are_rounded_up() -> None:
    assert METERS["weighted_tokens"](Usage(prompt_tokens=1, cached_tokens=1)) == 1
