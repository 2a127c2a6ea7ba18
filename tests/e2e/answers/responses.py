"""OpenAI responses: one document, or events that carry it at both ends."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import CREATED, Answer, Asked, document, event, events


def create(asked: Asked) -> Answer:
    """With `background`, work that is only begun, unless it is streamed."""
    extra = (("x-request-id", f"req_{asked.number}"),)
    if asked.body.get("background") and not asked.body.get("stream"):
        return document(_response(asked, "queued"), headers=extra)
    if asked.body.get("stream"):
        numbered = (event({**data, "sequence_number": n}, name) for n, (name, data) in enumerate(_events(asked)))
        return events(*numbered, headers=extra)
    return document(_response(asked, "completed"), headers=extra)


def retrieve(asked: Asked) -> Answer:
    """`GET /v1/responses/{id}` repeats the usage at every poll; with `?stream=true` it tells it all again.

    Ids tell the state: `…_queued`, `…_failed`, `…_plain` for one that was not made in the background; others are done.
    """
    if asked.query.get("stream") == "true":
        return events(*(event(data, name) for name, data in _events(asked)))
    state = asked.path.rpartition("_")[2]
    return document(_response(asked, {"queued": "in_progress", "failed": "failed"}.get(state, "completed")))


def _events(asked: Asked) -> Iterator[tuple[str, dict[str, Any]]]:
    def named(name: str, **data: Any) -> tuple[str, dict[str, Any]]:
        return name, {"type": name, **data}

    item = {"id": f"msg_{asked.number}", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield named("response.created", response=_response(asked, "in_progress"))
    yield named("response.in_progress", response=_response(asked, "in_progress"))
    yield named("response.output_item.added", output_index=0, item=item)
    yield named("response.content_part.added", **place, part=part)
    for word in asked.words:
        yield named("response.output_text.delta", **place, delta=word, logprobs=[])
    yield named("response.output_text.done", **place, text=asked.text, logprobs=[])
    yield named("response.content_part.done", **place, part={**part, "text": asked.text})
    yield named("response.output_item.done", output_index=0, item=_message(asked))
    yield named("response.completed", response=_response(asked, "completed"))


def _message(asked: Asked) -> dict[str, Any]:
    part = {"type": "output_text", "text": asked.text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{asked.number}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _response(asked: Asked, status: str) -> dict[str, Any]:
    done = status == "completed"
    polled = asked.path.rpartition("/")[2] if asked.method == "GET" else ""
    return {
        # Polls of one response in several states are of one id.
        "id": polled.replace("_queued", "").replace("_failed", "") or f"resp_{asked.number}",
        "background": not polled.endswith("_plain") if polled else bool(asked.body.get("background")),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": asked.body.get("max_output_tokens"),
        "model": asked.model,
        "output": [_message(asked)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _usage(asked) if done else None,
        "metadata": {},
    }


def _usage(asked: Asked) -> dict[str, Any] | None:
    tokens = asked.behaviour.usage
    if tokens is None:
        return None
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.cache_creation},
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.completion,
    }
