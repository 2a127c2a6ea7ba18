"""A tap without a proxy: microseconds a chunk, for a stream that passes as it is and for one that is rewritten."""

import json
import time
from statistics import median

from limiter.usage.providers import Directory
from limiter.usage.requests import read_request
from limiter.usage.tap import Tap
from tests.bench.table import head, row, show, verdict

CHUNKS = 1_000
STREAMS = 15
BOUND_US = 20.0
PATH = "/v1/chat/completions"
HEADERS = {"content-type": "application/json"}
ANSWER = {"content-type": "text/event-stream"}


def taps() -> None:
    show(head("Tap.feed, OpenAI chat", "us/chunk", "bound us", "x bound"))
    for hide_usage in (False, True):
        found = median(_stream_us(hide_usage=hide_usage) for _ in range(STREAMS))
        name = "rewritten" if hide_usage else "unchanged"
        show(row(name, f"{found:.2f}", verdict(found, BOUND_US, least=False, form=".0f"), f"{found / BOUND_US:.3f}"))


def _stream_us(*, hide_usage: bool) -> float:
    tap = _tap(hide_usage=hide_usage)
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o-mini"}
    choices = [{"index": 0, "delta": {"content": "word "}, "logprobs": None, "finish_reason": None}]
    piece = b"data: %s\n\n" % json.dumps({**frame, "choices": choices, "usage": None}).encode()
    began = time.perf_counter()
    for _ in range(CHUNKS):
        tap.feed(piece)
    return (time.perf_counter() - began) / CHUNKS * 1e6


def _tap(*, hide_usage: bool) -> Tap:
    """The only place that knows how a tap is made."""
    body = {"model": "gpt-4o-mini", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
    endpoint = Directory().recognise("api.openai.com", 443, "POST", PATH, HEADERS)
    assert endpoint
    ask = read_request(endpoint, PATH, HEADERS, json.dumps(body).encode())
    return Tap(ask, 200, ANSWER, hide_usage=hide_usage)
