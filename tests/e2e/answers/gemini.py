"""Gemini generateContent, and its stream as events or as one JSON array. Its candidates' tokens leave thoughts out."""

import json
from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import Answer, Asked, document, event, events

STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def generate(asked: Asked) -> Answer:
    return document(_response(asked, asked.text, finished=True))


def stream(asked: Asked) -> Answer:
    if asked.query.get("alt") == "sse":
        # The real service ends its lines with CR LF, and sends no end marker.
        return events(*(event(chunk, newline="\r\n") for chunk in _chunks(asked)))
    documents = [json.dumps(chunk, indent=2) for chunk in _chunks(asked)]
    pieces = [f"{'[' if n == 0 else ',\n'}{text}".encode() for n, text in enumerate(documents)]
    kind = (("content-type", "application/json; charset=UTF-8"),)
    return Answer(headers=kind, pieces=(*pieces, b"\n]\n"), streamed=True)


def count_tokens(asked: Asked) -> Answer:
    return document({"totalTokens": asked.tokens.prompt})


def embed(asked: Asked) -> Answer:
    """The older models report no usage."""
    return document({"embedding": {"values": [0.25, -0.5, 0.125]}})


def embed_many(asked: Asked) -> Answer:
    count = len(asked.body.get("requests") or [None])
    return document({"embeddings": [{"values": [0.25, -0.5, 0.125]}] * count})


def _chunks(asked: Asked) -> Iterator[dict[str, Any]]:
    words = asked.words or ("",)
    for n, word in enumerate(words, 1):
        yield _response(asked, word, finished=n == len(words))


def _response(asked: Asked, text: str, *, finished: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finished:
        candidate["finishReason"] = "STOP"
    body: dict[str, Any] = {
        "candidates": [candidate],
        "modelVersion": _model(asked),
        "responseId": f"resp-{asked.number}",
    }
    if asked.behaviour.usage:
        body["usageMetadata"] = _usage(asked, finished=finished)
    return body


def _model(asked: Asked) -> str:
    return asked.behaviour.model or asked.path.rpartition("/")[2].partition(":")[0]


def _usage(asked: Asked, *, finished: bool) -> dict[str, Any]:
    """Cumulative: chunks before the last know the prompt, and of the output one token."""
    tokens = asked.tokens
    candidates = tokens.completion - tokens.reasoning if finished else 1
    thoughts = tokens.reasoning if finished else 0
    usage = {
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": candidates,
        "totalTokenCount": tokens.prompt + candidates + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
    }
    if tokens.cached:
        usage["cachedContentTokenCount"] = tokens.cached
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return usage
