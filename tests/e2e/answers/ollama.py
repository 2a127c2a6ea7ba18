"""Ollama's own API: JSON, or a document a line, whose last has the counts. It streams unless told not to."""

import json
from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import Answer, Asked, document

_CREATED = "2025-10-09T08:53:20.000000001Z"


def chat(asked: Asked) -> Answer:
    return _answer(asked, lambda text: {"message": {"role": "assistant", "content": text}})


def generate(asked: Asked) -> Answer:
    return _answer(asked, lambda text: {"response": text})


def embed(asked: Asked) -> Answer:
    wanted = asked.body.get("input", "")
    count = len(wanted) if isinstance(wanted, list) else 1
    body: dict[str, Any] = {"model": asked.model, "embeddings": [[0.25, -0.5, 0.125]] * count, "total_duration": 14_143}
    if asked.behaviour.usage:
        body["prompt_eval_count"] = asked.tokens.prompt
    return document(body)


def _answer(asked: Asked, part: Any) -> Answer:
    frame = {"model": asked.model, "created_at": _CREATED}
    end = {"done": True, "done_reason": "stop", "total_duration": 839_744_125, "load_duration": 29_176_166}
    if asked.behaviour.usage:
        end |= {"prompt_eval_count": asked.tokens.prompt, "prompt_eval_duration": 166_000_000}
        end |= {"eval_count": asked.tokens.completion, "eval_duration": 643_000_000}
    if asked.body.get("stream", True) is False:
        return document({**frame, **part(asked.text), **end})

    def lines() -> Iterator[bytes]:
        for word in asked.words:
            yield _line({**frame, **part(word), "done": False})
        yield _line({**frame, **part(""), **end})

    return Answer(headers=(("content-type", "application/x-ndjson"),), pieces=tuple(lines()), streamed=True)


def _line(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"
