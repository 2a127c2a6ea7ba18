"""Mistral chat, fill-in-the-middle, embeddings: OpenAI's format, but a stream has its usage without being asked."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import CREATED, Answer, Asked, document, event, events


def chat(asked: Asked) -> Answer:
    """Also answers `/v1/fim/completions`."""
    if "stream_options" in asked.body:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}
        ]
        return document({"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"}, status=422)
    frame = {"id": f"{asked.number:032x}", "created": CREATED, "model": asked.model}
    if asked.body.get("stream"):
        return events(*_events(asked, {**frame, "object": "chat.completion.chunk"}), headers=_headers(asked))
    message = {"role": "assistant", "tool_calls": None, "content": asked.text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return document(
        {**frame, **_usage(asked), "object": "chat.completion", "choices": [choice]}, headers=_headers(asked)
    )


def embeddings(asked: Asked) -> Answer:
    wanted = asked.body.get("input", "")
    count = len(wanted) if isinstance(wanted, list) else 1
    data = [{"object": "embedding", "embedding": [0.25, -0.5, 0.125], "index": n} for n in range(count)]
    body: dict[str, Any] = {"id": f"{asked.number:032x}", "object": "list", "data": data, "model": asked.model}
    if asked.behaviour.usage:
        prompt = asked.tokens.prompt
        body["usage"] = {"prompt_tokens": prompt, "total_tokens": prompt, "completion_tokens": 0}
    return document(body, headers=_headers(asked))


def _events(asked: Asked, frame: dict[str, Any]) -> Iterator[bytes]:
    def chunk(text: str, reason: str | None = None, **more: Any) -> bytes:
        delta = {"content": text, **({} if reason else {"role": "assistant"})}
        return event({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more})

    yield chunk("")
    for word in asked.words:
        yield chunk(word)
    yield chunk("", "stop", **_usage(asked))
    yield event("[DONE]")


def _usage(asked: Asked) -> dict[str, Any]:
    if asked.behaviour.usage is None:
        return {}
    tokens = asked.tokens
    usage = {
        "prompt_tokens": tokens.prompt,
        "total_tokens": tokens.prompt + tokens.completion,
        "completion_tokens": tokens.completion,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "service_tier": "standard",
    }
    return {"usage": usage}


def _headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    cost = str(asked.tokens.prompt + asked.tokens.completion)
    return (
        ("x-kong-request-id", f"{asked.number:032x}"),
        ("x-ratelimit-limit-tokens-minute", "100000"),
        ("x-ratelimit-tokens-query-cost", cost),
    )
