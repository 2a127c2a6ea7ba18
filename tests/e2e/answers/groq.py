"""Groq chat: OpenAI's format with times in the usage, which a stream has in `x_groq` of its last chunk, unasked."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import CREATED, Answer, Asked, document, event, events


def chat(asked: Asked) -> Answer:
    frame = {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": asked.model,
        "system_fingerprint": "fp_test",
    }
    if asked.body.get("stream"):
        return events(*_events(asked, {**frame, "object": "chat.completion.chunk"}), headers=_headers(asked))
    message = {"role": "assistant", "content": asked.text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {**frame, "choices": [choice], **_usage(asked), "x_groq": {"id": f"req_{asked.number}"}}
    return document(body, headers=_headers(asked))


def _events(asked: Asked, frame: dict[str, Any]) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event({**frame, "choices": [choice], **more})

    name = {"id": f"req_{asked.number}"}
    yield chunk({"role": "assistant", "content": ""}, x_groq=name)
    for word in asked.words:
        yield chunk({"content": word})
    # When the usage is asked for, the same chunk has it at the usual place too.
    asked_for = _usage(asked) if (asked.body.get("stream_options") or {}).get("include_usage") else {}
    yield chunk({}, "stop", x_groq={**name, **_usage(asked)}, **asked_for)
    yield event("[DONE]")


def _usage(asked: Asked) -> dict[str, Any]:
    if asked.behaviour.usage is None:
        return {}
    tokens = asked.tokens
    usage: dict[str, Any] = {
        "queue_time": 0.09,
        "prompt_tokens": tokens.prompt,
        "prompt_time": 0.005,
        "completion_tokens": tokens.completion,
        "completion_time": 0.029,
        "total_tokens": tokens.prompt + tokens.completion,
        "total_time": 0.034,
    }
    if tokens.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": tokens.cached}
    if tokens.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning}
    return {"usage": usage}


def _headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    return (
        ("x-request-id", f"req_{asked.number}"),
        ("x-ratelimit-limit-tokens", "30000"),
        ("x-ratelimit-remaining-tokens", "29987"),
        ("x-ratelimit-reset-tokens", "26ms"),
    )
