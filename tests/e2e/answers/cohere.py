"""Cohere: `tokens` is what the model saw, `billed_units` what is charged, which leaves Cohere's own template out."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import Answer, Asked, document, event, events

TEMPLATE = 8
"""Tokens of each prompt that are Cohere's own, and are not billed."""


def chat(asked: Asked) -> Answer:
    if asked.body.get("stream"):
        # Named events, and nevertheless OpenAI's end mark.
        return events(*(event(data, data["type"]) for data in _events(asked)), event("[DONE]"), headers=_headers(asked))
    body = {
        "id": _id(asked),
        "message": {"role": "assistant", "content": [{"type": "text", "text": asked.text}]},
        "finish_reason": "COMPLETE",
        **_usage(asked),
    }
    return document(body, headers=(*_headers(asked), ("num_tokens", str(billed(asked) + asked.tokens.completion))))


def embed(asked: Asked) -> Answer:
    texts = list(asked.body.get("texts") or [])
    meta: dict[str, Any] = {"api_version": {"version": "2"}}
    if asked.behaviour.usage:
        meta["billed_units"] = {"input_tokens": asked.tokens.prompt}
    vectors = {kind: [[0.25, -0.5, 0.125]] * len(texts) for kind in asked.body.get("embedding_types") or ["float"]}
    body = {
        "id": _id(asked),
        "embeddings": vectors,
        "texts": texts,
        "meta": meta,
        "response_type": "embeddings_by_type",
    }
    return document(body, headers=_headers(asked))


def rerank(asked: Asked) -> Answer:
    """Priced by the search: there are no tokens."""
    count = len(asked.body.get("documents") or [])
    results = [{"index": n, "relevance_score": 0.875 / (n + 1)} for n in range(count)]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return document({"id": _id(asked), "results": results, "meta": meta}, headers=_headers(asked))


def billed(asked: Asked) -> int:
    """Input tokens that are charged."""
    return max(1, asked.tokens.prompt - TEMPLATE)


def _events(asked: Asked) -> Iterator[dict[str, Any]]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"id": _id(asked), "type": "message-start", "delta": {"message": start}}
    first = {"content": {"type": "text", "text": ""}}
    yield {"type": "content-start", "index": 0, "delta": {"message": first}}
    for word in asked.words:
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}
    yield {"type": "content-end", "index": 0}
    yield {"type": "message-end", "delta": {"finish_reason": "COMPLETE", **_usage(asked)}}


def _usage(asked: Asked) -> dict[str, Any]:
    if asked.behaviour.usage is None:
        return {}
    tokens = {"input_tokens": asked.tokens.prompt, "output_tokens": asked.tokens.completion}
    if asked.tokens.reasoning:
        tokens["reasoning_tokens"] = asked.tokens.reasoning
    units = {"input_tokens": billed(asked), "output_tokens": asked.tokens.completion}
    return {"usage": {"billed_units": units, "tokens": tokens, "cached_tokens": asked.tokens.cached}}


def _id(asked: Asked) -> str:
    return f"00000000-0000-4000-8000-{asked.number:012}"


def _headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    return (("x-debug-trace-id", f"{asked.number:032}"), ("x-envoy-upstream-service-time", "12"))
