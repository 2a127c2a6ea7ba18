"""OpenAI chat completions, completions, embeddings; the same on Azure deployments."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import CREATED, Answer, Asked, document, event, events

_PROMPT_FILTER = [
    {
        "prompt_index": 0,
        "content_filter_results": {
            name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")
        },
    }
]


def chat(asked: Asked) -> Answer:
    frame = {
        "id": f"chatcmpl-{asked.number}",
        "created": CREATED,
        "model": asked.model,
        "system_fingerprint": "fp_test",
    }
    extra = _headers(asked)
    if asked.body.get("stream"):
        return events(*_chat_events(asked, {**frame, "object": "chat.completion.chunk"}), headers=extra)
    choices: list[dict[str, Any]] = [
        {
            "index": n,
            "message": {"role": "assistant", "content": asked.text, "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
        for n in range(asked.body.get("n") or 1)
    ]
    body: dict[str, Any] = {**frame, "object": "chat.completion", "choices": choices, "service_tier": "default"}
    if _azure(asked):
        body["prompt_filter_results"] = _PROMPT_FILTER
    return document({**body, **_usage(asked)}, headers=extra)


def completions(asked: Asked) -> Answer:
    frame = {"id": f"cmpl-{asked.number}", "object": "text_completion", "created": CREATED, "model": asked.model}

    def choice(text: str, reason: str | None) -> list[dict[str, Any]]:
        return [{"text": text, "index": 0, "logprobs": None, "finish_reason": reason}]

    if not asked.body.get("stream"):
        return document({**frame, "choices": choice(asked.text, "stop"), **_usage(asked)}, headers=_headers(asked))
    null = {"usage": None} if _wants_usage(asked) else {}
    pieces = [event({**frame, "choices": choice(word, None), **null}) for word in asked.words]
    pieces.append(event({**frame, "choices": choice("", "stop"), **null}))
    return events(*pieces, *_last(asked, frame), headers=_headers(asked))


def embeddings(asked: Asked) -> Answer:
    wanted = asked.body.get("input", "")
    count = len(wanted) if isinstance(wanted, list) else 1
    usage = {"prompt_tokens": asked.tokens.prompt, "total_tokens": asked.tokens.prompt}
    vectors: list[Any] = [[0.25, -0.5, 0.125]] * count
    if asked.body.get("encoding_format") == "base64":
        vectors = ["AACAPgAAAL8AAAA+"] * count
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)],
        "model": asked.model,
    }
    return document({**body, **({"usage": usage} if asked.behaviour.usage else {})}, headers=_headers(asked))


def moderations(asked: Asked) -> Answer:
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.001}}
    return document({"id": f"modr-{asked.number}", "model": asked.model or "omni-moderation", "results": [result]})


def models(asked: Asked) -> Answer:
    model = {"id": "gpt-4o-mini", "object": "model", "created": CREATED, "owned_by": "system"}
    return document({"object": "list", "data": [model]})


def _chat_events(asked: Asked, frame: dict[str, Any]) -> Iterator[bytes]:
    # As the real API does: with `include_usage` all chunks have a null usage, and one more, without choices, has it.
    null = {"usage": None} if _wants_usage(asked) else {}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event({**frame, "choices": [choice], **null})

    if _azure(asked):
        first: dict[str, Any] = {"choices": [], "created": 0, "id": "", "model": "", "object": "", **null}
        yield event({**first, "prompt_filter_results": _PROMPT_FILTER})
    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for word in asked.words:
        yield chunk({"content": word})
    yield chunk({}, "stop")
    yield from _last(asked, frame)


def _last(asked: Asked, frame: dict[str, Any]) -> Iterator[bytes]:
    if _wants_usage(asked):
        yield event({**frame, "choices": [], **_usage(asked)})
    yield event("[DONE]")


def _wants_usage(asked: Asked) -> bool:
    return bool((asked.body.get("stream_options") or {}).get("include_usage") and asked.behaviour.usage)


def _usage(asked: Asked) -> dict[str, Any]:
    if asked.behaviour.usage is None:
        return {}
    tokens = asked.behaviour.usage
    usage = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    return {"usage": usage}


def _azure(asked: Asked) -> bool:
    return asked.path.lstrip("/").startswith("openai/deployments/")


def _headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    if _azure(asked):
        return (("apim-request-id", f"apim-{asked.number}"), ("x-ms-region", "East US"))
    return (("x-request-id", f"req_{asked.number}"), ("openai-processing-ms", "12"), ("openai-version", "2020-10-01"))
