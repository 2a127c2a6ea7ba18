"""Exchanges written by hand: what a request calls, what came back, and what must be read off it."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from limiter.usage.providers import Directory
from limiter.usage.requests import Ask, read_request
from limiter.usage.tap import Observation, Tap

EVENTS = "text/event-stream"
JSON = "application/json"
DIRECTORY = Directory({"llama.example": "llama2", "files.example": "other"})
"""What settings map is known, too."""


def ask_for(url: str, body: Any = None, method: str = "POST", headers: dict[str, str] | None = None) -> Ask:
    """What a request to `host[:port]/path?query` asks for."""
    authority, _, path = url.partition("/")
    host, _, port = authority.partition(":")
    sent = {"content-type": JSON, **(headers or {})}
    endpoint = DIRECTORY.recognise(host, int(port or 443), method, "/" + path, sent)
    assert endpoint is not None, url
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return read_request(endpoint, "/" + path, sent, raw)


def sse(*events: Any, end: str = "\n\n", done: bool = False) -> bytes:
    """Server-sent events; `(name, data)` pairs are named."""
    blocks = []
    for event in events:
        name, data = event if isinstance(event, tuple) else (None, event)
        line_end = end[: len(end) // 2]
        head = f"event: {name}{line_end}" if name else ""
        blocks.append(f"{head}data: {json.dumps(data)}{end}")
    return ("".join(blocks) + (f"data: [DONE]{end}" if done else "")).encode()


def lines(*objects: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def observe(
    ask: Ask, body: bytes | Sequence[bytes], content_type: str = JSON, status: int = 200, **headers: str
) -> Observation:
    """What a tap sees; checks on the way that it changes no byte."""
    tap = Tap(
        ask,
        status,
        {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )
    assert not tap.rewrites
    for piece in [body] if isinstance(body, bytes) else body:
        assert tap.feed(piece) is piece
    seen = tap.finish()
    assert tap.finish() is seen
    assert tap.flush() == []
    return seen


def cuts(body: bytes) -> Iterable[list[bytes]]:
    """The body whole, in small and in odd pieces, and byte by byte."""
    yield [body]
    for size in (1, 7, 64):
        yield pieces(body, size)
