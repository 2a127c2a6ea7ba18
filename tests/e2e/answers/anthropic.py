"""Anthropic messages. Its input tokens leave cached ones out, and a stream reports usage at both ends."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.answers.parts import Answer, Asked, document, event, events


def messages(asked: Asked) -> Answer:
    extra = (("request-id", f"req_{asked.number}"),)
    if asked.body.get("stream"):
        return events(*(event(data, data["type"]) for data in stream(asked)), headers=extra)
    return document(body(asked), headers=extra)


def body(asked: Asked) -> dict[str, Any]:
    """The document; Bedrock and Vertex answer with it too."""
    content = [{"type": "text", "text": asked.text}]
    made = {**_message(asked), "content": content, "stop_reason": "end_turn"}
    if asked.behaviour.usage:
        made["usage"] = {**_input(asked), "output_tokens": asked.tokens.completion}
    return made


def count_tokens(asked: Asked) -> Answer:
    return document({"input_tokens": asked.tokens.prompt})


def stream(asked: Asked) -> Iterator[dict[str, Any]]:
    """The data of the events."""
    start = _message(asked)
    if asked.behaviour.usage:
        # The output here is a placeholder; the last event has the true number.
        start["usage"] = {**_input(asked), "output_tokens": 1}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "ping"}
    for word in asked.words:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    if asked.behaviour.usage:
        end["usage"] = {"output_tokens": asked.tokens.completion}
    yield end
    yield {"type": "message_stop"}


def _message(asked: Asked) -> dict[str, Any]:
    return {
        "id": f"msg_{asked.number}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _input(asked: Asked) -> dict[str, Any]:
    tokens = asked.tokens
    return {
        "input_tokens": tokens.prompt - tokens.cached - tokens.cache_creation,
        "cache_creation_input_tokens": tokens.cache_creation,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens.cache_creation, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
    }
