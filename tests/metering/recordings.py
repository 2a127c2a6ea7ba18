"""Recordings written by hand, in the forms that files hold them in."""

import base64
import json
from typing import Any

CHAT = "https://api.openai.com/v1/chat/completions"
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
COST = "0.00021"
"""Of `ANSWER`, in dollars: 1000 tokens at $0.15 a million and 100 at $0.60."""


def exchange(
    answer: Any = ANSWER, *, id: str = "one", url: str = CHAT, asked: Any = ASKED, status: int = 200, **response: Any
) -> dict[str, Any]:
    """One exchange in the form of JSON lines; `answer` may be bytes."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return {
        "id": id,
        "request": {"method": "POST", "url": url, "headers": {}, "body_encoding": "json", "body": asked},
        "response": {
            "status": status,
            "headers": {"content-type": "application/json"},
            "framing": "json",
            "body_base64": base64.b64encode(body).decode(),
            **response,
        },
    }


def jsonl(*exchanges: Any) -> bytes:
    """JSON lines; bytes are put in as they are."""
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in exchanges)


def session(
    *frames: tuple[str, Any], url: str = "wss://api.openai.com/v1/realtime?model=gpt-realtime"
) -> dict[str, Any]:
    """A WebSocket as JSON lines keep it."""
    lines = b"".join(json.dumps({"direction": way, "data": data}).encode() + b"\n" for way, data in frames)
    kept = exchange(lines, url=url, asked=None, status=101, framing="websocket-jsonl")
    kept["request"]["method"] = "GET"
    return kept


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "test"}, "entries": entries}}).encode()


def entry(answer: Any = ANSWER, *, url: str = CHAT, status: int = 200, **content: Any) -> dict[str, Any]:
    """One entry of a HAR."""
    return {
        "startedDateTime": "2025-06-01T12:00:00.000Z",
        "request": {
            "method": "POST",
            "url": url,
            "headers": [{"name": ":authority", "value": "api.openai.com"}, {"name": "Accept", "value": "*/*"}],
            "postData": {"mimeType": "application/json", "text": json.dumps(ASKED)},
        },
        "response": {
            "status": status,
            # Archives keep plain bodies, and headers as they were.
            "headers": [
                {"name": "Content-Type", "value": "application/json"}, {"name": "Content-Encoding", "value": "br"},
            ],
            "content": {"size": 100, "mimeType": "application/json", "text": json.dumps(answer), **content},
        },
    }  # fmt: skip
