"""Hugging Face: the router in OpenAI's format, and the native API of text-generation-inference (TGI)."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import CREATED, Answer, Asked, document, event, events


def chat(asked: Asked) -> Answer:
    frame = {
        "id": f"chatcmpl-{asked.number}",
        "created": CREATED,
        "model": asked.model,
        "system_fingerprint": "fp_test",
    }
    extra = (("x-inference-provider", "cerebras"), ("x-request-id", f"Root=1-{asked.number}"))
    if asked.body.get("stream"):
        return events(*_chat_events(asked, {**frame, "object": "chat.completion.chunk"}), headers=extra)
    choice = {"finish_reason": "stop", "index": 0, "message": {"content": asked.text, "role": "assistant"}}
    return document({**frame, "object": "chat.completion", "choices": [choice], **_usage(asked)}, headers=extra)


def generate(asked: Asked) -> Answer:
    """TGI at the root of an endpoint, which answers a list, at `/generate` and at `/generate_stream`."""
    if asked.body.get("stream") or asked.path.endswith("/generate_stream"):
        return events(*map(event, _tokens(asked)), headers=(("x-compute-characters", "5"),))
    body: dict[str, Any] = {"generated_text": asked.text}
    if _detailed(asked):
        tokens = [_token(n, word) for n, word in enumerate(asked.words, 1)]
        body["details"] = {**_ended(asked), "prefill": [], "tokens": tokens}
    return document(body if asked.path.endswith("/generate") else [body], headers=_headers(asked))


def _chat_events(asked: Asked, frame: dict[str, Any]) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return event({**frame, "choices": [{"delta": delta, "finish_reason": reason, "index": 0}]})

    yield chunk({"role": "assistant", "content": ""})
    for word in asked.words:
        yield chunk({"content": word})
    yield chunk({}, "stop")
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        yield event({**frame, "choices": [], **_usage(asked)})
    yield event("[DONE]")


def _tokens(asked: Asked) -> Iterator[dict[str, Any]]:
    for n, word in enumerate(asked.words, 1):
        yield {"index": n, "token": _token(n, word), "generated_text": None, "details": None}
    end: dict[str, Any] = {"index": len(asked.words) + 1, "token": {**_token(2, "</s>"), "special": True}}
    details = {**_ended(asked), "input_length": asked.tokens.prompt} if _detailed(asked) else None
    yield {**end, "generated_text": asked.text, "details": details}


def _detailed(asked: Asked) -> bool:
    return bool(asked.behaviour.usage and (asked.body.get("parameters") or {}).get("details"))


def _ended(asked: Asked) -> dict[str, Any]:
    return {"finish_reason": "eos_token", "generated_tokens": asked.tokens.completion, "seed": None}


def _token(number: int, text: str) -> dict[str, Any]:
    return {"id": number, "text": text, "logprob": -0.5, "special": False}


def _usage(asked: Asked) -> dict[str, Any]:
    if asked.behaviour.usage is None:
        return {}
    tokens = asked.tokens
    total = tokens.prompt + tokens.completion
    counts = {"prompt_tokens": tokens.prompt, "completion_tokens": tokens.completion, "total_tokens": total}
    return {"usage": {**counts, "prompt_tokens_details": {"cached_tokens": tokens.cached}}}


def _headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    if asked.behaviour.usage is None:
        return ()
    return (
        ("x-compute-type", "1-nvidia-a10g"),
        ("x-prompt-tokens", str(asked.tokens.prompt)),
        ("x-generated-tokens", str(asked.tokens.completion)),
    )
