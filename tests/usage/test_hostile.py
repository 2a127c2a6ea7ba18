"""Bodies that somebody made to be slow: a megabyte of anything takes about as long as a megabyte of plain text.

Bounds are ratios to a plain body of the same size on the same machine, several times what is measured, and far below
what a step that is quadratic anywhere would take.
"""

import base64
import json
import random
import time
from collections.abc import Callable
from functools import cache, partial

import pytest

from limiter.usage.forecast import forecast, prepare
from limiter.usage.requests import read_request
from limiter.usage.tap import Tap
from tests.usage.exchanges import EVENTS, JSON, ask_for, pieces

MB = 1024 * 1024
URL = "api.openai.com/v1/chat/completions"
MOST_FORECAST = 300
"""Times the cost of plain text, which is counted at some 300 MB a second; the dearest is at 60."""
MOST_TAP = 60
"""Times the cost of a plain stream; the dearest is at 15."""
MOST_CALL = 0.4
"""Seconds of processor time of one piece of 64 KB; the longest takes 0.11."""
TRIES = 3
"""One that is fast will do: others run on this machine too."""

_random = random.Random(1)
WORDS = ("The quick brown fox jumps over the lazy dog, and then some more of it follows. " * 20_000)[:MB]
PACKED = base64.b64encode(_random.randbytes(MB * 3 // 4)).decode()


def chat(content: str, *, ascii: bool = True) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}]}, ensure_ascii=ascii).encode()


REQUESTS: dict[str, bytes] = {
    "spaces": chat(" " * MB),
    "one letter": chat("a" * MB),
    "line ends": chat("\n" * (MB // 2)),
    "white space": chat(" \t\r\n" * (MB // 4)),
    "punctuation": chat("!" * MB),
    "digits": chat("1234567890" * (MB // 10)),
    "hexadecimal": chat(_random.randbytes(MB // 2).hex()),
    "base64": chat(PACKED),
    "an image": chat("data:image/png;base64," + PACKED),
    "Chinese": chat("中" * (MB // 3), ascii=False),
    "any script": chat("".join(chr(_random.randrange(0x100, 0xD7FF)) for _ in range(MB // 3)), ascii=False),
    "joined emoji": chat("👩‍👩‍👧‍👦" * (MB // 25), ascii=False),
    "quotes": chat('"' * (MB // 2)),
    "surrogates": b'{"messages":[{"content":"' + b"\\ud800" * (MB // 6) + b'"}]}',
    "deep arrays": b'{"messages":' + b"[" * (MB // 2) + b"]" * (MB // 2) + b"}",
    "deep objects": b'{"messages":' + b'{"a":' * (MB // 6) + b"1" + b"}" * (MB // 6) + b"}",
    "many that are just not too deep": b'{"messages":[' + b",".join([b"[" * 900 + b"]" * 900] * (MB // 1801)) + b"]}",
    "a huge number": b'{"max_tokens":' + b"9" * MB + b',"messages":[]}',
    "huge numbers": b'{"messages":[' + b",".join([b"9" * 4000] * (MB // 4001)) + b"]}",
    "many turns": json.dumps({"messages": [{"role": "user", "content": "a"}] * (MB // 34)}).encode(),
    "many empty turns": b'{"messages":[' + b",".join([b"{}"] * (MB // 3)) + b"]}",
    "many members": json.dumps({f"k{number}": number for number in range(MB // 16)}).encode(),
    "cut JSON": chat(WORDS)[:-3],
    "no JSON": b"\xff\xfe" * (MB // 2),
    "bare spaces": b" " * MB,
    "zeros": b"\0" * MB,
    "a form of nothing but names": b'--x\r\n' + b'name="model"\r\n' * (MB // 14),
    "a form of nothing but numbers": b'--x\r\n' + b'name="n"\r\n' * (MB // 10),
    "a form of nothing but parts": b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n' * (MB // 56),
    "a form of nothing but dispositions": b'--x\r\n' + b"content-disposition:" * (MB // 20),
    "a form of nothing but parameters": b'--x\r\ncontent-disposition:' + b';a="' * (MB // 4),
    "a form of nothing but boundaries": b'--x' * (MB // 3),
    "a form of nothing but headers": b'--x\r\nname="model"\r\n' + b"a\r\n" * (MB // 3),
}  # fmt: skip

STREAM = b"".join(
    b'data: {"id":"x","model":"gpt-4o","choices":[{"delta":{"content":" quick brown fox jumps"}}]}\n\n'
    for _ in range(MB // 96)
)
RESPONSES: dict[str, tuple[str, bytes]] = {
    "100,000 tiny events": (EVENTS, b"data: {}\n\n" * 100_000),
    "comments": (EVENTS, b":\n" * (MB // 2)),
    "line feeds": (EVENTS, b"\n" * MB),
    "carriage returns": (EVENTS, b"\r" * MB),
    "an event of many lines": (EVENTS, b"data:1\n" * (MB // 7)),
    "an endless line": (EVENTS, b"data: " + b"a" * MB),
    "usage in every event": (EVENTS, b'data: {"usage":{"prompt_tokens":1}}\n\n' * (MB // 38)),
    "an end in every event": (EVENTS, b'data: {"choices":[{"finish_reason":"stop"}]}\n\n' * (MB // 46)),
    "spaces": (JSON, b" " * MB),
    "deep arrays": (JSON, b"[" * MB),
    "deep objects": (JSON, b'{"usage":' * (MB // 9)),
    "a huge number": (JSON, b'{"usage":{"prompt_tokens":' + b"9" * MB + b"}}"),
    "many choices": (JSON, b'{"choices":[' + b",".join([b'{"message":{"content":"a"}}'] * (MB // 27)) + b"]}"),
    "many elements": (JSON, b"[" + b"{}," * (MB // 3)),
    "many lines": ("application/x-ndjson", b"{}\n" * (MB // 3)),
    "zeros": (JSON, b"\0" * MB),
    "frames of nothing": ("application/vnd.amazon.eventstream", b"\0" * MB),
    "surrogates": (JSON, b'{"choices":[{"message":{"content":"' + b"\\ud800" * (MB // 6) + b'"}}]}'),
    "spaces as an answer": (JSON, json.dumps({"choices": [{"message": {"content": " " * MB}}]}).encode()),
    "base64 as an answer": (JSON, json.dumps({"choices": [{"message": {"content": PACKED}}]}).encode()),
    "escaped quotes": (JSON, b'["' + b'\\"' * (MB // 2)),
    "brackets in texts": (JSON, b'[{"a":"' + b"{[" * (MB // 2)),
}


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Processor time at best: others run on this machine too."""
    found = []
    for _ in range(times):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)


def foresee(body: bytes) -> None:
    kind = "multipart/form-data; boundary=x" if body.startswith(b"--") else JSON
    sent = {"content-type": kind}
    ask = read_request(ask_for(URL).endpoint, "/v1/chat/completions", sent, body)
    assert forecast(ask, body).prompt_tokens >= 0


def follow(kind: str, body: bytes, size: int) -> tuple[float, float]:
    """Seconds of all calls, and of the longest."""
    tap = Tap(ask_for(URL, {"stream": True}), 200, {"content-type": kind})
    calls: list[Callable[[], object]] = [partial(tap.feed, piece) for piece in pieces(body, size)]
    times = [seconds(call) for call in (*calls, tap.finish)]
    return sum(times), max(times)


@cache
def plain_request() -> float:
    prepare()
    return seconds(lambda: foresee(chat(WORDS)), 5)


@cache
def plain_stream(size: int) -> float:
    return min(follow(EVENTS, STREAM, size)[0] for _ in range(3))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_counted_in_bounded_time(name: str) -> None:
    """Whatever is in it: reading it and its forecast."""
    bound = MOST_FORECAST * plain_request()

    assert any(seconds(lambda: foresee(REQUESTS[name])) < bound for _ in range(TRIES))


@pytest.mark.parametrize("size", [64 * 1024, 1000])
@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_followed_in_bounded_time(name: str, size: int) -> None:
    """Whatever is in it and however it is cut; and no single piece holds up the others for long."""
    bound = MOST_TAP * plain_stream(size)
    tries = (follow(*RESPONSES[name], size) for _ in range(TRIES))

    assert any(whole < bound and longest < MOST_CALL for whole, longest in tries)
