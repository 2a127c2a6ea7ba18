"""A tap without a proxy: microseconds a chunk, and milliseconds a MB beside what parsing the same bytes takes.

The reference is `json.loads` of every JSON text of the body, after undoing what it is encoded in: what a reader that
looks at everything would spend at least, on this machine and in this run.
"""

import gzip
import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from limiter.usage.providers import Directory
from limiter.usage.requests import read_request
from limiter.usage.tap import Tap
from tests.bench.table import head, row, show, verdict
from tests.usage.test_eventstream import frame

CHUNKS = 1_000
STREAMS = 15
BOUND_US = 20.0
MB = 1024 * 1024
SIZE = 4 * MB
PIECE = 64 * 1024
"""Bytes that mitmproxy reads at once, at most."""
RUNS = 7
BOUND_RATIO = 3.0
"""Beside `json.loads`, which looks at nothing that it has parsed, and waits for whole texts."""
OPENAI = "api.openai.com"
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"
HEADERS = {"content-type": "application/json"}
EVENTS = "text/event-stream"
_FRAME = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o-mini"}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}


class Body(NamedTuple):
    """An answer of about `SIZE` bytes."""

    name: str
    host: str
    path: str
    content_type: str
    plain: bytes
    texts: Sequence[bytes]
    """The JSON texts in it."""
    encoding: str = ""


def taps() -> None:
    show(head("Tap.feed, OpenAI chat", "us/chunk", "bound us", "x bound"))
    for hide_usage in (False, True):
        found = median(_stream_us(hide_usage=hide_usage) for _ in range(STREAMS))
        name = "rewritten" if hide_usage else "unchanged"
        show(row(name, f"{found:.2f}", verdict(found, BOUND_US, least=False, form=".0f"), f"{found / BOUND_US:.3f}"))
    show(head(f"Tap, pieces of {PIECE // 1024} KB", "ms/MB", "json.loads", "x json.loads", "bound"))
    for body in _bodies():
        tap, reference = _per_mb(body)
        ratio = median(ours / theirs for ours, theirs in zip(tap, reference, strict=True))
        bound = verdict(ratio, BOUND_RATIO, least=False, form=".2f")
        show(row(body.name, f"{median(tap):.2f}", f"{median(reference):.2f}", f"{ratio:.3f}", bound))


def _stream_us(*, hide_usage: bool) -> float:
    tap = _tap(OPENAI, "/v1/chat/completions", {"content-type": EVENTS}, hide_usage=hide_usage)
    piece = b"data: %s\n\n" % _delta("word ")
    began = time.process_time()
    for _ in range(CHUNKS):
        tap.feed(piece)
    return (time.process_time() - began) / CHUNKS * 1e6


def _bodies() -> list[Body]:
    stream = [_delta("word ")] * (SIZE // len(_delta("word "))) + [
        json.dumps({"choices": [], "usage": _USAGE}).encode()
    ]
    events = b"".join(b"data: %s\n\n" % event for event in stream)
    text = "It was the best of times, it was the worst of times. " * (SIZE // 53)
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    answer = json.dumps({"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": choices, "usage": _USAGE}).encode()
    vector = [number / 7919 - 0.5 for number in range(1536)]
    rows = [{"object": "embedding", "index": row, "embedding": vector} for row in range(SIZE // (1536 * 22))]
    vectors = json.dumps({"object": "list", "data": rows, "usage": {"prompt_tokens": 9, "total_tokens": 9}}).encode()
    word = json.dumps({"contentBlockIndex": 0, "delta": {"text": "word "}, "p": "abcdefghijklmnop"}).encode()
    binary = [word] * (SIZE // len(frame(word)))
    chat = "/v1/chat/completions"
    return [
        Body("SSE", OPENAI, chat, EVENTS, events, stream),
        Body("SSE, gzip", OPENAI, chat, EVENTS, events, stream, "gzip"),
        Body("JSON, a long text", OPENAI, chat, "application/json", answer, [answer]),
        Body("JSON, embeddings", OPENAI, "/v1/embeddings", "application/json", vectors, [vectors]),
        Body(
            "AWS event stream", BEDROCK, "/model/amazon.nova-lite-v1%3A0/converse-stream",
            "application/vnd.amazon.eventstream", b"".join(map(frame, binary)), binary,
        ),
    ]  # fmt: skip


def _per_mb(body: Body) -> tuple[list[float], list[float]]:
    """Milliseconds a decoded MB of the tap and of the reference, run by turns."""
    sent = gzip.compress(body.plain, 6) if body.encoding else body.plain
    pieces = [sent[start : start + PIECE] for start in range(0, len(sent), PIECE)]
    headers = {"content-type": body.content_type, "content-encoding": body.encoding}

    def follow() -> None:
        tap = _tap(body.host, body.path, headers)
        for piece in pieces:
            tap.feed(piece)
        assert not tap.finish().truncated

    def parse() -> None:
        if body.encoding:
            gzip.decompress(sent)
        for text in body.texts:
            json.loads(text)

    size = len(body.plain) / MB
    both = [(_ms(follow) / size, _ms(parse) / size) for _ in range(RUNS)]
    return [ours for ours, _ in both], [theirs for _, theirs in both]


def _ms(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def _delta(text: str) -> bytes:
    choices = [{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}]
    return json.dumps({**_FRAME, "choices": choices, "usage": None}).encode()


def _tap(host: str, path: str, headers: dict[str, str], *, hide_usage: bool = False) -> Tap:
    """The only place that knows how a tap is made."""
    body = {"model": "gpt-4o-mini", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
    endpoint = Directory().recognise(host, 443, "POST", path, HEADERS)
    assert endpoint
    return Tap(read_request(endpoint, path, HEADERS, json.dumps(body).encode()), 200, headers, hide_usage=hide_usage)
