"""Every endpoint's own form of usage, by hand-written exchanges, read at any cut."""

# ruff: noqa: E501  (a table, one exchange a row)

from typing import Any, NamedTuple

import pytest

from limiter.meters import Usage
from limiter.usage.providers import PROVIDERS
from limiter.usage.readers import READERS, SNIFF
from tests.usage.exchanges import EVENTS, JSON, ask_for, cuts, lines, observe, sse
from tests.usage.test_eventstream import chunk, frame

BINARY = "application/vnd.amazon.eventstream"
NDJSON = "application/x-ndjson"


class Case(NamedTuple):
    url: str
    body: bytes
    usage: Usage | None
    content_type: str = JSON
    request: Any = None
    method: str = "POST"
    model: str = ""
    response_id: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012  (read only)


def u(prompt: int = 0, completion: int = 0, total: int | None = None, **more: Any) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion if total is None else total,
        **more,
    )


def j(value: Any) -> bytes:
    return lines(value)


def _chat(usage: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-x-2030-01-01", **more,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": usage,
    }  # fmt: skip


def _delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {"content": text} if text else {}
    return {
        "id": "chatcmpl-1",
        "model": "gpt-x-2030-01-01",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


OPENAI = "api.openai.com/v1/"
CODE_ASSIST = "cloudcode-pa.googleapis.com/v1internal:"
GEMINI = "generativelanguage.googleapis.com/v1beta/models/gemini-x:"
VERTEX = "us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/m:"
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com/model/"
STREAM = {"model": "m", "stream": True}
CHAT = {"model": "gpt-x-2030-01-01", "response_id": "chatcmpl-1"}
CHAT_USAGE = {
    "prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 7},
    "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 3},
}  # fmt: skip
CHAT_READ = u(1200, 300, cached_tokens=1024, reasoning_tokens=200, prompt_audio_tokens=7, completion_audio_tokens=3)
RESPONSES_USAGE = {
    "input_tokens": 90, "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8}, "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 12}, "total_tokens": 110,
}  # fmt: skip
RESPONSES_READ = u(90, 20, cached_tokens=64, cache_creation_tokens=8, reasoning_tokens=12)
RESPONSE = {"id": "resp_1", "object": "response", "model": "gpt-y", "output": []}
CLAUDE_USAGE = {
    "input_tokens": 12, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20},
    "server_tool_use": {"web_search_requests": 2}, "service_tier": "standard",
}  # fmt: skip
CLAUDE_READ = u(
    2312, 50, cached_tokens=2000, cache_creation_tokens=300, cache_creation_1h_tokens=200, apart_tokens=2300, reasoning_tokens=20,
    web_searches=2, service_tier="standard",
)  # fmt: skip
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-z",
    "content": [{"type": "text", "text": "Hi"}],
}
CLAUDE_STREAM = [
    ("message_start", {"type": "message_start", "message": {"id": "msg_1", "model": "claude-z", "usage": {"input_tokens": 12, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 300, "output_tokens": 3}}}),
    ("ping", {"type": "ping"}),
    ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": None, "output_tokens": 50}}),
    ("message_stop", {"type": "message_stop"}),
]  # fmt: skip
GEMINI_USAGE = {
    "promptTokenCount": 85, "candidatesTokenCount": 122, "thoughtsTokenCount": 87, "toolUsePromptTokenCount": 149,
    "cachedContentTokenCount": 40, "totalTokenCount": 443, "serviceTier": "standard",
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "IMAGE", "tokenCount": 25}],
}  # fmt: skip
GEMINI_READ = u(
    234,
    209,
    443,
    cached_tokens=40,
    reasoning_tokens=87,
    apart_tokens=236,
    prompt_image_tokens=25,
    service_tier="standard",
)


def _gemini(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {
        "content": {"parts": [{"text": text}], "role": "model"},
        **({"finishReason": finish} if finish else {}),
    }
    return {"candidates": [candidate], "modelVersion": "gemini-x-001", "responseId": "g1", **more}


GEMINI_STREAM = [
    _gemini("He", usageMetadata={"promptTokenCount": 85, "totalTokenCount": 85, "cachedContentTokenCount": 40}),
    _gemini("llo", usageMetadata={"trafficType": "ON_DEMAND"}),
    _gemini("!", "STOP", usageMetadata={**GEMINI_USAGE, "cachedContentTokenCount": None}),
]
COHERE_USAGE = {
    "billed_units": {"input_tokens": 10, "output_tokens": 104}, "cached_tokens": 448,
    "tokens": {"input_tokens": 505, "output_tokens": 107, "reasoning_tokens": 5},
}  # fmt: skip
COHERE_READ = u(
    505, 107, cached_tokens=448, reasoning_tokens=5, units={"billed_input_tokens": 10, "billed_output_tokens": 104}
)
OLLAMA_END = {
    "model": "llama3",
    "message": {"content": ""},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 26,
    "eval_count": 8,
}
METRICS = {"inputTokenCount": 392, "outputTokenCount": 97, "cacheReadInputTokenCount": 8, "invocationLatency": 5}
TOKEN_HEADERS = {"x-amzn-bedrock-input-token-count": "9", "x-amzn-bedrock-output-token-count": "112"}

CASES = {
    "openai chat": Case(OPENAI + "chat/completions", j(_chat(CHAT_USAGE)), CHAT_READ, **CHAT),
    "openai chat, tier": Case(OPENAI + "chat/completions", j(_chat({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, service_tier="flex")), u(1, 2, service_tier="flex"), **CHAT),
    "openai chat, stream": Case(OPENAI + "chat/completions", sse(_delta("Hi", usage=None), _delta(finish="stop", usage=None), {"id": "chatcmpl-1", "choices": [], "usage": CHAT_USAGE}, done=True), CHAT_READ, EVENTS, STREAM, **CHAT),
    "openai chat, stream not asked": Case(OPENAI + "chat/completions", sse(_delta("Hi"), _delta(finish="stop"), done=True), None, EVENTS, STREAM, **CHAT),
    "openai completions": Case(OPENAI + "completions", j({"id": "c", "model": "m", "choices": [{"text": "x"}], "usage": {"prompt_tokens": 11, "total_tokens": 11}}), u(11, 0), model="m", response_id="c"),
    "openai responses": Case(OPENAI + "responses", j({**RESPONSE, "usage": RESPONSES_USAGE, "service_tier": "priority"}), u(90, 20, cached_tokens=64, cache_creation_tokens=8, reasoning_tokens=12, service_tier="priority"), model="gpt-y", response_id="resp_1"),
    "openai responses, stream": Case(OPENAI + "responses", sse(
        ("response.created", {"type": "response.created", "response": {**RESPONSE, "usage": None, "service_tier": "auto"}}),
        ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "Hi"}),
        ("response.completed", {"type": "response.completed", "response": {**RESPONSE, "usage": RESPONSES_USAGE, "service_tier": "default"}}),
    ), u(90, 20, cached_tokens=64, cache_creation_tokens=8, reasoning_tokens=12, service_tier="default"), EVENTS, STREAM, model="gpt-y", response_id="resp_1"),
    "openai responses, failed": Case(OPENAI + "responses", sse(("response.failed", {"type": "response.failed", "response": {**RESPONSE, "usage": None}})), None, EVENTS, STREAM, model="gpt-y", response_id="resp_1"),
    "openai responses, poll": Case(OPENAI + "responses/resp_1", j({**RESPONSE, "usage": RESPONSES_USAGE}), RESPONSES_READ, method="GET", model="gpt-y", response_id="resp_1"),
    "openai responses, tools": Case(OPENAI + "responses", j({**RESPONSE, "usage": RESPONSES_USAGE, "tool_usage": {"web_search": {"num_requests": 3}, "image_gen": {"input_tokens": 50, "output_tokens": 272}}}), u(90, 20, cached_tokens=64, cache_creation_tokens=8, reasoning_tokens=12, web_searches=3, units={"image_gen_input_tokens": 50, "image_gen_output_tokens": 272}), model="gpt-y", response_id="resp_1"),
    "openai responses, compact": Case(OPENAI + "responses/compact", j({"id": "r", "object": "response.compaction", "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}}), u(5, 6), response_id="r"),
    "openai input tokens": Case(OPENAI + "responses/input_tokens", j({"object": "response.input_tokens", "input_tokens": 47}), None),
    "openai embeddings": Case(OPENAI + "embeddings", j({"object": "list", "data": [{"embedding": [0.25] * 20_000}], "model": "e", "usage": {"prompt_tokens": 8, "total_tokens": 8}}), u(8), model="e"),
    "openai moderations": Case(OPENAI + "moderations", j({"id": "modr-1", "model": "omni", "results": []}), None, model="omni", response_id="modr-1"),
    "openai images": Case(OPENAI + "images/generations", j({"created": 1, "data": [{"b64_json": "A" * 50_000}], "usage": {"input_tokens": 20, "output_tokens": 272, "total_tokens": 292, "input_tokens_details": {"text_tokens": 15, "image_tokens": 5}}}), u(20, 272, prompt_image_tokens=5, completion_image_tokens=272)),
    "openai images, stream": Case(OPENAI + "images/generations", sse(
        ("image_generation.partial_image", {"type": "image_generation.partial_image", "b64_json": "A" * 3000, "partial_image_index": 0}),
        ("image_generation.completed", {"type": "image_generation.completed", "b64_json": "A" * 3000, "usage": {"input_tokens": 20, "output_tokens": 272, "total_tokens": 292, "input_tokens_details": {"text_tokens": 20, "image_tokens": 0}}}),
    ), u(20, 272, completion_image_tokens=272), EVENTS, {"model": "gpt-image-2", "stream": True}),
    "azure images": Case("r.openai.azure.com/openai/deployments/d/images/generations?api-version=2025-04-01-preview", j({"created": 1, "data": [{"b64_json": "A" * 3000}], "usage": {"input_tokens": 20, "output_tokens": 272, "total_tokens": 292, "input_tokens_details": {"text_tokens": 15, "image_tokens": 5}}}), u(20, 272, prompt_image_tokens=5, completion_image_tokens=272)),
    "azure transcription": Case("r.openai.azure.com/openai/deployments/d/audio/transcriptions?api-version=2025-03-01-preview", j({"text": "Hi", "usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"text_tokens": 4, "audio_tokens": 10}, "output_tokens": 3, "total_tokens": 17}}), u(14, 3, prompt_audio_tokens=10)),
    "openai images, none": Case(OPENAI + "images/generations", j({"created": 1, "data": [{"url": "https://x"}]}), None),
    "openai transcription": Case(OPENAI + "audio/transcriptions", j({"text": "Hi", "usage": {"type": "tokens", "input_tokens": 37, "input_token_details": {"audio_tokens": 37}, "output_tokens": 5, "total_tokens": 42}}), u(37, 5, prompt_audio_tokens=37)),
    "openai transcription, by the second": Case(OPENAI + "audio/transcriptions", j({"text": "Hi", "usage": {"type": "duration", "seconds": 7}}), u(units={"audio_seconds": 7})),
    "openai transcription, stream": Case(OPENAI + "audio/transcriptions", sse({"type": "transcript.text.delta", "delta": "Hi"}, {"type": "transcript.text.done", "text": "Hi", "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}}), u(4, 2), EVENTS),
    "openai speech": Case(OPENAI + "audio/speech", b"ID3\x03\x00\x00", None, "audio/mpeg"),
    "openai batch results": Case(OPENAI + "files/f/content", lines(
        {"id": "batch_req_1", "response": {"status_code": 200, "body": _chat({"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11})}},
        {"id": "batch_req_2", "response": {"status_code": 200, "body": _chat({"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22})}},
        {"id": "batch_req_3", "response": None, "error": {}},
    ), u(30, 3, service_tier="batch", requests=2), "application/octet-stream", method="GET", model="gpt-x-2030-01-01", response_id="batch_req_1"),
    "openai assistants": Case(OPENAI + "threads/t/runs", sse(
        ("thread.run.created", {"id": "run_1", "object": "thread.run", "model": "gpt-a", "usage": None}),
        ("thread.run.step.completed", {"id": "step_1", "object": "thread.run.step", "usage": {"prompt_tokens": 300, "completion_tokens": 4, "total_tokens": 304}}),
        ("thread.run.completed", {"id": "run_1", "object": "thread.run", "usage": {"prompt_tokens": 380, "completion_tokens": 90, "total_tokens": 470}}),
        done=True,
    ), u(380, 90), EVENTS, STREAM, model="gpt-a", response_id="run_1"),
    "azure chat, stream": Case("r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21", sse(
        {"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]}, _delta("Hi"), _delta(finish="stop"), {"id": "chatcmpl-1", "model": "gpt-x-2030-01-01", "choices": [], "usage": CHAT_USAGE}, done=True,
    ), CHAT_READ, EVENTS, STREAM, **CHAT),
    "azure grok": Case("r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview", j(_chat({"prompt_tokens": 10, "completion_tokens": 213, "total_tokens": 223, "prompt_tokens_details": {"cached_tokens": 161}})), u(10, 213, cached_tokens=10), **CHAT),
    "azure claude": Case("r.services.ai.azure.com/anthropic/v1/messages", j({**CLAUDE, "usage": CLAUDE_USAGE}), CLAUDE_READ, model="claude-z", response_id="msg_1"),
    "anthropic messages": Case("api.anthropic.com/v1/messages", j({**CLAUDE, "usage": CLAUDE_USAGE}), CLAUDE_READ, model="claude-z", response_id="msg_1"),
    "anthropic messages, stream": Case("api.anthropic.com/v1/messages", sse(*CLAUDE_STREAM), u(2312, 50, cached_tokens=2000, cache_creation_tokens=300, apart_tokens=2300), EVENTS, STREAM, model="claude-z", response_id="msg_1"),
    "anthropic messages, delta repeats the input": Case("api.anthropic.com/v1/messages", sse(CLAUDE_STREAM[0], ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": CLAUDE_USAGE}), CLAUDE_STREAM[-1]), CLAUDE_READ, EVENTS, STREAM, model="claude-z", response_id="msg_1"),
    "anthropic, advised by another model": Case("api.anthropic.com/v1/messages", j({**CLAUDE, "usage": {"input_tokens": 412, "output_tokens": 531, "service_tier": "standard", "inference_geo": "us", "iterations": [
        {"type": "message", "input_tokens": 412, "output_tokens": 89},
        {"type": "advisor_message", "model": "claude-opus-x", "input_tokens": 823, "output_tokens": 1612, "cache_read_input_tokens": 7},
        {"type": "message", "input_tokens": 0, "cache_read_input_tokens": 412, "output_tokens": 442},
    ]}}), u(412 + 823 + 7 + 412, 89 + 1612 + 442, cached_tokens=419, apart_tokens=419, premium=10, service_tier="standard", others={"claude-opus-x": u(830, 1612, cached_tokens=7, apart_tokens=7, premium=10, service_tier="standard")}), model="claude-z", response_id="msg_1"),
    "anthropic, fast": Case("api.anthropic.com/v1/messages", j({**CLAUDE, "usage": {"input_tokens": 3, "output_tokens": 4, "service_tier": "standard", "speed": "fast", "inference_geo": "global"}}), u(3, 4, service_tier="fast"), model="claude-z", response_id="msg_1"),
    "anthropic, fast in vain": Case("api.anthropic.com/v1/messages", j({**CLAUDE, "usage": {"input_tokens": 3, "output_tokens": 4, "service_tier": "standard", "speed": "standard"}}), u(3, 4, service_tier="standard"), model="claude-z", response_id="msg_1"),
    "anthropic count": Case("api.anthropic.com/v1/messages/count_tokens", j({"input_tokens": 14}), None),
    "anthropic complete": Case("api.anthropic.com/v1/complete", j({"completion": "Hi", "stop_reason": "stop_sequence", "model": "claude-2"}), None, model="claude-2"),
    "anthropic batch results": Case("api.anthropic.com/v1/messages/batches/b/results", lines(
        {"custom_id": "0", "result": {"type": "succeeded", "message": {**CLAUDE, "usage": {"input_tokens": 20, "output_tokens": 5, "service_tier": "batch"}}}},
        {"custom_id": "1", "result": {"type": "succeeded", "message": {**CLAUDE, "usage": {"input_tokens": 19, "output_tokens": 4, "service_tier": "batch"}}}},
        {"custom_id": "2", "result": {"type": "errored"}},
    ), u(39, 9, service_tier="batch", requests=2), "application/x-jsonl", method="GET", model="claude-z", response_id="msg_1"),
    "gemini": Case(GEMINI + "generateContent", j(_gemini("Hi", "STOP", usageMetadata=GEMINI_USAGE)), GEMINI_READ, model="gemini-x-001", response_id="g1"),
    "gemini, stream": Case(GEMINI + "streamGenerateContent?alt=sse", sse(*GEMINI_STREAM, end="\r\n\r\n"), GEMINI_READ, EVENTS, model="gemini-x-001", response_id="g1"),
    "gemini, stream as array": Case(GEMINI + "streamGenerateContent", b"[" + b"\n,\r\n".join(map(j, GEMINI_STREAM)) + b"]\n", GEMINI_READ, model="gemini-x-001", response_id="g1"),
    "code assist": Case(CODE_ASSIST + "generateContent", j({"response": _gemini("Hi", "STOP", usageMetadata=GEMINI_USAGE), "traceId": "t"}), GEMINI_READ, model="gemini-x-001", response_id="g1"),
    "code assist, stream": Case(CODE_ASSIST + "streamGenerateContent?alt=sse", sse(*({"response": event} for event in GEMINI_STREAM)), GEMINI_READ, EVENTS, model="gemini-x-001", response_id="g1"),
    "gemini, blocked": Case(GEMINI + "generateContent", j({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}), u(9)),
    "gemini, all thought": Case(GEMINI + "generateContent", j({"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": {"promptTokenCount": 7, "thoughtsTokenCount": 71, "totalTokenCount": 78}}), u(7, 71, reasoning_tokens=71, apart_tokens=71)),
    "gemini, openai's format": Case("generativelanguage.googleapis.com/v1beta/openai/chat/completions", j(_chat({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109})), u(35, 74, 109, apart_tokens=62), **CHAT),
    "gemini embeddings": Case(GEMINI + "embedContent", j({"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 4}}), u(4)),
    "gemini embeddings, none": Case(GEMINI + "batchEmbedContents", j({"embeddings": [{"values": [0.5]}]}), None),
    "gemini interactions": Case("generativelanguage.googleapis.com/v1beta/interactions", j({"id": "i1", "model": "g", "status": "completed", "usage": {"total_input_tokens": 267, "total_output_tokens": 3, "total_thought_tokens": 57, "total_tool_use_tokens": 5, "total_cached_tokens": 2, "total_tokens": 332, "input_tokens_by_modality": [{"modality": "image", "tokens": 258}]}}), u(272, 60, 332, cached_tokens=2, reasoning_tokens=57, apart_tokens=62, prompt_image_tokens=258), model="g", response_id="i1"),
    "gemini batch": Case("generativelanguage.googleapis.com/v1beta/batches/b", j({"name": "batches/b", "response": {"inlinedResponses": {"inlinedResponses": [{"response": {"usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 1, "totalTokenCount": 14}}}, {"response": {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}}}]}}}), u(16, 3, service_tier="batch", requests=2), method="GET", response_id="batches/b"),
    "vertex, numbers for names": Case(VERTEX + "streamGenerateContent", b"[" + j({"candidates": [{"finishReason": 1, "content": {"parts": [{"text": "x"}]}}], "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 16, "thoughtsTokenCount": 232, "totalTokenCount": 259, "trafficType": 1, "promptTokensDetails": [{"modality": 2, "tokenCount": 11}]}}) + b"]", u(11, 248, reasoning_tokens=232, apart_tokens=232, prompt_image_tokens=11)),
    "vertex, flexible": Case(VERTEX + "generateContent", j({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1, "thoughtsTokenCount": 100, "totalTokenCount": 106, "trafficType": "ON_DEMAND_FLEX"}}), u(5, 101, reasoning_tokens=100, apart_tokens=100, service_tier="ON_DEMAND_FLEX")),
    "vertex predict": Case(VERTEX + "predict", j({"predictions": [{"embeddings": {"values": [0.1] * 20_000, "statistics": {"token_count": 6}}}, {"embeddings": {"statistics": {"token_count": 4}}}]}), u(10, requests=2)),
    "vertex claude": Case("aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/claude-z:streamRawPredict", sse(*CLAUDE_STREAM), u(2312, 50, cached_tokens=2000, cache_creation_tokens=300, apart_tokens=2300), EVENTS, model="claude-z", response_id="msg_1"),
    "bedrock converse": Case(BEDROCK + "m%3A0/converse", j({"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn", "usage": {"inputTokens": 12, "outputTokens": 185, "totalTokens": 1225, "cacheReadInputTokens": 1028, "cacheReadInputTokenCount": 1028, "cacheWriteInputTokens": 0}, "trace": {"guardrail": {"usage": {"topicPolicyUnits": 1}}}}), u(1040, 185, cached_tokens=1028, apart_tokens=1028)),
    "bedrock converse-stream": Case(BEDROCK + "m/converse-stream", frame(b'{"role":"assistant"}') + frame(b'{"delta":{"text":"Hi"}}') + frame(b'{"stopReason":"end_turn"}') + frame(b'{"metrics":{"latencyMs":5},"usage":{"inputTokens":28,"outputTokens":22,"totalTokens":50}}'), u(28, 22), BINARY),
    "bedrock claude": Case(BEDROCK + "anthropic.claude/invoke", j({**CLAUDE, "usage": CLAUDE_USAGE}), CLAUDE_READ, model="claude-z", response_id="msg_1", headers={"x-amzn-bedrock-input-token-count": "12", "x-amzn-bedrock-output-token-count": "50", "x-amzn-bedrock-cache-read-input-token-count": "2000"}),
    "bedrock headers only": Case(BEDROCK + "cohere.command/invoke", j({"generations": [{"text": "Hi"}]}), u(9, 112), headers=TOKEN_HEADERS),
    "bedrock nova": Case(BEDROCK + "amazon.nova/invoke", j({"output": {}, "usage": {"inputTokens": 5, "outputTokens": 6, "totalTokens": 11, "cacheReadInputTokenCount": 3}}), u(8, 6, cached_tokens=3, apart_tokens=3)),
    "bedrock llama": Case(BEDROCK + "meta.llama/invoke", j({"generation": "Hi", "prompt_token_count": 10, "generation_token_count": 20}), u(10, 20)),
    "bedrock titan": Case(BEDROCK + "amazon.titan/invoke", j({"inputTextTokenCount": 5, "results": [{"tokenCount": 32, "outputText": "Hi"}]}), u(5, 32)),
    "bedrock jamba": Case(BEDROCK + "ai21.jamba/invoke", j(_chat({"prompt_tokens": 17, "completion_tokens": 8, "total_tokens": 25})), u(17, 8), **CHAT),
    "bedrock claude, stream": Case(BEDROCK + "anthropic.claude/invoke-with-response-stream", b"".join(chunk(data) for _, data in CLAUDE_STREAM[:-1]) + chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS}), u(2312, 97, cached_tokens=2000, cache_creation_tokens=300, apart_tokens=2300), BINARY, model="claude-z", response_id="msg_1"),
    "bedrock titan, stream": Case(BEDROCK + "amazon.titan/invoke-with-response-stream", chunk({"outputText": "Hi", "inputTextTokenCount": 5}) + chunk({"outputText": "", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 10}}), u(5, 10), BINARY),
    "bedrock embeddings": Case(BEDROCK + "amazon.titan-embed/invoke", j({"embedding": [0.5], "inputTextTokenCount": 6}), u(6)),
    "cohere v2": Case("api.cohere.com/v2/chat", j({"id": "c2", "message": {"content": [{"text": "Hi"}]}, "usage": COHERE_USAGE}), COHERE_READ, response_id="c2"),
    "cohere v2, stream": Case("api.cohere.com/v2/chat", sse(("message-start", {"type": "message-start", "id": "c2"}), ("content-delta", {"type": "content-delta", "delta": {"message": {"content": {"text": "Hi"}}}}), ("message-end", {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COHERE_USAGE}}), done=True), COHERE_READ, EVENTS, STREAM, response_id="c2"),
    "cohere v1": Case("api.cohere.ai/v1/chat", j({"text": "Hi", "generation_id": "g", "meta": COHERE_USAGE}), COHERE_READ, response_id="g"),
    "cohere v1, stream": Case("api.cohere.com/v1/chat", lines({"event_type": "text-generation", "text": "Hi"}, {"event_type": "stream-end", "response": {"generation_id": "g", "meta": COHERE_USAGE}}), COHERE_READ, "application/stream+json", STREAM, response_id="g"),
    "cohere embeddings": Case("api.cohere.com/v2/embed", j({"id": "e", "embeddings": {}, "meta": {"billed_units": {"input_tokens": 7, "image_tokens": 2}}}), u(9, prompt_image_tokens=2, units={"billed_input_tokens": 9}), response_id="e"),
    "cohere ranking": Case("api.cohere.com/v2/rerank", j({"id": "r", "results": [], "meta": {"billed_units": {"search_units": 1}}}), u(units={"searches": 1}), response_id="r"),
    "mistral, stream": Case("api.mistral.ai/v1/chat/completions", sse(_delta("Hi"), _delta(finish="stop", usage={"prompt_tokens": 24, "completion_tokens": 2, "total_tokens": 26, "num_cached_tokens": 10}), done=True), u(24, 2, cached_tokens=10), EVENTS, STREAM, **CHAT),
    "mistral code": Case("codestral.mistral.ai/v1/fim/completions", j(_chat({"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9})), u(4, 5), **CHAT),
    "mistral sound": Case("api.mistral.ai/v1/chat/completions", j(_chat({"prompt_tokens": 9, "completion_tokens": 248, "total_tokens": 632, "prompt_audio_seconds": 3, "prompt_tokens_details": {"audio_tokens": 375}})), u(384, 248, prompt_audio_tokens=375, apart_tokens=375, units={"audio_seconds": 3}), **CHAT),
    "mistral pages": Case("api.mistral.ai/v1/ocr", j({"model": "ocr", "pages": [], "usage_info": {"pages_processed": 6, "doc_size_bytes": 5}}), u(units={"pages": 6}), model="ocr"),
    "mistral batch": Case("api.mistral.ai/v1/batch/jobs/b", j({"id": "b", "status": "SUCCESS", "outputs": [{"response": {"body": _chat({"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5})}}, {"response": {"body": _chat({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2})}}]}), u(3, 4, service_tier="batch", requests=2), method="GET", response_id="b"),
    "ollama": Case("localhost:11434/api/chat", j(OLLAMA_END), u(26, 8), request={"model": "llama3", "stream": False}, model="llama3"),
    "ollama, stream": Case("localhost:11434/api/chat", lines({"model": "llama3", "message": {"content": "Hi"}, "done": False}, OLLAMA_END), u(26, 8), NDJSON, {"model": "llama3"}, model="llama3"),
    "ollama, stream without a type": Case("localhost:11434/api/generate", lines({"model": "llama3", "response": "Hi", "done": False}, {"model": "llama3", "response": "", "done": True, "done_reason": "stop", "eval_count": 8}), u(0, 8), "", {"model": "llama3"}, model="llama3"),
    "ollama embeddings": Case("localhost:11434/api/embeddings", j({"embedding": [0.5]}), None),
    "ollama, openai's format": Case("localhost:11434/v1/chat/completions", j(_chat({"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9})), u(4, 5), **CHAT),
    "tgi": Case("x.us-east-1.aws.endpoints.huggingface.cloud/", b"[" + j({"generated_text": "Hi", "details": {"finish_reason": "eos_token", "generated_tokens": 75}}) + b"]", u(16, 75), headers={"x-prompt-tokens": "16", "x-generated-tokens": "75"}),
    "tgi, stream": Case("localhost:8080/generate_stream", sse({"token": {"text": "Hi"}, "details": None}, {"token": {"text": "!"}, "generated_text": "Hi!", "details": {"finish_reason": "length", "generated_tokens": 2, "input_length": 9}}), u(9, 2), EVENTS),
    "tgi, without counts": Case("localhost:8080/generate", j({"generated_text": "Hi"}), None),
    "llama 2, raw": Case("llama.example/raw", j({"data": [{"generated_text": "Hi"}]}), None),
    "llama 2, raw, with counts": Case("llama.example/raw", b"[" + j({"generated_text": "Hi", "details": {"finish_reason": "length", "generated_tokens": 2, "input_length": 9}}) + b"]", u(9, 2)),
    "llama 2 by llama.cpp": Case("llama.example/completion", j({"content": "Hi", "stop": True, "model": "/m.gguf", "tokens_predicted": 3, "tokens_evaluated": 11}), u(11, 3), model="/m.gguf"),
    "llama 2 by llama.cpp, stream": Case("llama.example/completion", sse({"content": "Hi", "stop": False, "tokens_predicted": 1, "tokens_evaluated": 11}, {"content": "", "stop": True, "tokens_predicted": 3, "tokens_evaluated": 11}), u(11, 3), EVENTS, STREAM),
    "llama 2, openai's format": Case("llama.example/v1/chat/completions", j(_chat({"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9})), u(4, 5), **CHAT),
    "llama 2, openai's format anywhere": Case("llama.example/any", j(_chat({"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9})), u(4, 5), model="gpt-x-2030-01-01"),
    "llama 2, ollama's format": Case("llama.example/api/chat", lines({"model": "llama3", "message": {"content": "Hi"}, "done": False}, OLLAMA_END), u(26, 8), NDJSON, {"model": "llama3"}, model="llama3"),
    "llama 2, ollama's format anywhere": Case("llama.example/any", lines({"model": "llama3", "message": {"content": "Hi"}, "done": False}, OLLAMA_END), u(26, 8), NDJSON, {"model": "llama3"}, model="llama3"),
    "hugging face router": Case("router.huggingface.co/v1/chat/completions", j(_chat({"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9})), u(4, 5), **CHAT),
    "openrouter": Case("openrouter.ai/api/v1/chat/completions", j(_chat({"prompt_tokens": 17, "completion_tokens": 82, "total_tokens": 99, "cost": 0.000427, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.000427}, "prompt_tokens_details": {"cache_write_tokens": 5}})), u(17, 82, cost=427_000, cache_creation_tokens=5), **CHAT),
    "groq, stream": Case("api.groq.com/openai/v1/chat/completions", sse(_delta("Hi", x_groq={"id": "r"}), _delta(finish="stop", x_groq={"id": "r", "usage": {"prompt_tokens": 12, "completion_tokens": 24, "total_tokens": 36}}), done=True), u(12, 24), EVENTS, STREAM, **CHAT),
    "deepseek": Case("api.deepseek.com/chat/completions", j(_chat({"prompt_tokens": 14, "completion_tokens": 37, "total_tokens": 51, "prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 11})), u(14, 37, cached_tokens=3), **CHAT),
    "deepseek, anthropic's format": Case("api.deepseek.com/anthropic/v1/messages", j({**CLAUDE, "usage": {"input_tokens": 3, "output_tokens": 4}}), u(3, 4), model="claude-z", response_id="msg_1"),
    "xai, stream": Case("api.x.ai/v1/chat/completions", sse(_delta("Hi"), {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303, "completion_tokens_details": {"reasoning_tokens": 290}, "cost_in_usd_ticks": 1466250}}, done=True), u(12, 291, reasoning_tokens=290, cost=146_625, apart_tokens=290), EVENTS, STREAM, **CHAT),
    "xai, searching": Case("api.x.ai/v1/responses", j({**RESPONSE, "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13, "server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 3, "mcp_calls": 9}}}), u(9, 4, web_searches=5), model="gpt-y", response_id="resp_1"),
    "xai images": Case("api.x.ai/v1/images/generations", j({"data": [], "usage": {"cost_in_usd_ticks": 200000000}}), u(cost=20_000_000)),
    "perplexity, stream": Case("api.perplexity.ai/chat/completions", sse(
        _delta("Hi", usage={"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9}),
        _delta(finish="stop", usage={"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13, "cost": {"total_cost": 0.00501, "request_cost": 0.005}}),
    ), u(8, 5, cost=5_010_000), EVENTS, STREAM, **CHAT),
    "together": Case("api.together.ai/v1/chat/completions", j(_chat({"prompt_tokens": 46, "completion_tokens": 42, "total_tokens": 88, "cached_tokens": 6})), u(46, 42, cached_tokens=6), **CHAT),
    "moonshot, stream": Case("api.moonshot.cn/v1/chat/completions", sse(_delta("Hi"), {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7, "cached_tokens": 2}}]}, done=True), u(4, 3, cached_tokens=2), EVENTS, STREAM, **CHAT),
    "dashscope, stream": Case("dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation", sse({"request_id": "q", "output": {"text": "H"}, "usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}}, {"request_id": "q", "output": {"text": "Hi", "finish_reason": "stop"}, "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}}), u(9, 2), EVENTS, response_id="q"),
    "databricks, stream": Case("adb-1.azuredatabricks.net/serving-endpoints/chat/completions", sse(_delta("Hi", usage={"prompt_tokens": 4, "completion_tokens": None, "total_tokens": None}), _delta(finish="stop", usage={"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9, "cache_read_input_tokens": 1}), done=True), u(4, 5, cached_tokens=1), EVENTS, STREAM, **CHAT),
    "voyage": Case("api.voyageai.com/v1/embeddings", j({"data": [], "model": "v", "usage": {"total_tokens": 12}}), u(12), model="v"),
    "writer": Case("api.writer.com/v1/chat", j(_chat({"prompt_tokens": 40, "completion_tokens": 300, "total_tokens": 340, "completion_token_details": {"reasoning_tokens": 2}})), u(40, 300, reasoning_tokens=2), **CHAT),
    "fireworks, stream": Case("api.fireworks.ai/inference/v1/chat/completions", sse(_delta("Hi"), _delta(finish="stop", usage={"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9}), done=True), u(4, 5), EVENTS, STREAM, **CHAT),
    "unknown path, anthropic's format": Case("api.openai.com/v1/whatever", j({**CLAUDE, "usage": {"input_tokens": 3, "output_tokens": 4}}), u(3, 4), model="claude-z", response_id="msg_1"),
    "unknown path, google's format": Case("api.openai.com/v1/whatever", sse(*GEMINI_STREAM), GEMINI_READ, EVENTS, model="gemini-x-001", response_id="g1"),
    "unknown path, openai's format": Case("api.anthropic.com/v1/whatever", j(_chat(CHAT_USAGE)), CHAT_READ, **CHAT),
    "stream that is called json": Case(OPENAI + "chat/completions", sse(_delta("Hi"), {"choices": [], "usage": CHAT_USAGE}, done=True), CHAT_READ, JSON, STREAM, **CHAT),
    "stream of lines that is called json": Case("localhost:11434/api/chat", lines({"message": {"content": "Hi"}, "done": False}, OLLAMA_END), u(26, 8), JSON, {"model": "llama3"}, model="llama3"),
    "document that is called a stream": Case(OPENAI + "chat/completions", j(_chat(CHAT_USAGE)), CHAT_READ, EVENTS, STREAM, **CHAT),
    "lone surrogate": Case(OPENAI + "chat/completions", j(_chat(CHAT_USAGE)).replace(b'"Hi"', b'"\\ud800"'), CHAT_READ, **CHAT),
    "broken utf-8": Case(OPENAI + "chat/completions", j(_chat(CHAT_USAGE)).replace(b'"Hi"', b'"\xff\xfe"'), CHAT_READ, **CHAT),
    "byte order mark": Case(OPENAI + "chat/completions", b"\xef\xbb\xbf" + j(_chat(CHAT_USAGE)), CHAT_READ, **CHAT),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_usage_is_read_exactly(name: str) -> None:
    """At any cut, and the same where the model and the id are known."""
    case = CASES[name]
    ask = ask_for(case.url, case.request, case.method)
    for parts in cuts(case.body) if len(case.body) < 20_000 else [[case.body]]:
        seen = observe(ask, parts, case.content_type, **case.headers)
        assert seen.usage == case.usage
        assert (seen.model, seen.response_id) == (case.model, case.response_id)
        assert seen.complete
        assert not seen.truncated


def test_every_reader_is_tried() -> None:
    """Except those of WebSockets."""
    tried = {ask_for(case.url, case.request, case.method).endpoint.reader for case in CASES.values()}
    assert {*READERS, SNIFF} - tried == {"openai-realtime", "gemini-live"}


def test_every_reader_that_is_named_exists() -> None:
    named = {route.reader or provider.reader for provider in PROVIDERS for route in provider.routes}
    assert named <= {*READERS, SNIFF}
