"""Recorded exchanges, where a folder of them is at hand: set AI_LIMIT_CORPUS to run these."""

import base64
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from limiter.usage.forecast import forecast
from limiter.usage.providers import recognise
from limiter.usage.reading import Reading
from limiter.usage.requests import Ask, read_request
from limiter.usage.tap import Observation, Tap
from tests.usage.exchanges import pieces

FOLDER = os.environ.get("AI_LIMIT_CORPUS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="AI_LIMIT_CORPUS is not set")

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
PARTS = ("cached_tokens", "cache_creation_tokens", "reasoning_tokens")
# The corpus takes xAI's realtime sessions to report nothing; their `response.done` has a `usage` beside `response`.
UNLABELLED = frozenset({"xai/realtime-xai-01", "xai/realtime-xai-03"})


def _cases(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(Path(FOLDER) / f"{name}.jsonl.gz") as file:
        yield from map(json.loads, file)


def _sent(request: dict[str, Any]) -> bytes:
    body = request["body"]
    match request["body_encoding"]:
        case "base64":
            return base64.b64decode(body or "")
        case "json":
            return json.dumps(body).encode()
    return (body or "").encode()


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _ask(case: dict[str, Any]) -> Ask | None:
    request = case["request"]
    url = urlsplit(request["url"])
    path = f"{url.path}?{url.query}" if url.query else url.path
    headers = {name: value for name, value in _lower(request["headers"]).items() if name != "content-encoding"}
    port = url.port or (443 if url.scheme in ("https", "wss") else 80)
    endpoint = recognise(url.hostname or "", port, request["method"], path, headers)
    return None if endpoint is None else read_request(endpoint, path, headers, _sent(request))


def _observed(case: dict[str, Any], ask: Ask, size: int) -> Observation:
    response = case["response"]
    # The recordings' bodies are decoded already.
    headers = {name: value for name, value in _lower(response["headers"]).items() if name != "content-encoding"}
    tap = Tap(ask, response["status"], headers)
    for piece in pieces(base64.b64decode(response["body_base64"]), size):
        assert tap.feed(piece) is piece
    return tap.finish()


def _problems(expected: dict[str, Any], usage: Any) -> list[str]:
    if all(expected[name] is None for name in COUNTS):
        return [f"usage {usage}"] if usage is not None and usage.total_tokens else []
    if usage is None:
        return ["no usage"]
    wanted = {name: expected[name] or 0 for name in COUNTS} | {
        name: expected[name] for name in PARTS if expected[name] is not None
    }
    return [
        f"{name} {getattr(usage, name)} ≠ {value}" for name, value in wanted.items() if getattr(usage, name) != value
    ]


@pytest.mark.parametrize("size", [1_000_000, 61])
def test_labelled_exchanges_are_read_as_labelled(size: int) -> None:
    wrong, right = [], 0
    for case in _cases("labelled"):
        expected = case["expected"]
        if expected["exactness"] == "ambiguous" or expected["framing"].startswith("websocket"):
            continue
        ask = _ask(case)
        if ask is None:
            wrong.append(f"{case['id']}: host not known")
            continue
        seen = _observed(case, ask, size)
        problems = _problems(expected, seen.usage)
        if ask.endpoint.provider != expected["provider"]:
            problems.append(f"provider {ask.endpoint.provider}")
        if ask.endpoint.name != expected["endpoint"]:
            problems.append(f"endpoint {ask.endpoint.name}")
        if seen.usage is not None and seen.usage.estimated:
            problems.append("estimated")
        right += not problems
        wrong += [f"{case['id']}: {', '.join(problems)}"] if problems else []
    assert not wrong, f"{right} right, {len(wrong)} wrong\n" + "\n".join(wrong)


def test_labelled_sessions_are_read_as_labelled() -> None:
    """WebSockets: every frame from the server is an event."""
    wrong = []
    for case in _cases("labelled"):
        if not case["expected"]["framing"].startswith("websocket") or case["id"] in UNLABELLED:
            continue
        ask = _ask(case)
        assert ask is not None
        reading = Reading(ask.endpoint.reader, len)
        for line in base64.b64decode(case["response"]["body_base64"]).splitlines():
            frame = json.loads(line)
            if frame["direction"] == "received":
                data = frame["data"]
                reading.read((data if isinstance(data, str) else json.dumps(data)).encode())
        problems = _problems(case["expected"], reading.reported())
        wrong += [f"{case['id']}: {', '.join(problems)}"] if problems else []
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
def test_all_exchanges_pass(name: str) -> None:
    """No exception, no byte changed, a forecast for every request."""
    for case in _cases(name):
        ask = _ask(case)
        assert ask is not None, case["id"]
        seen = _observed(case, ask, 1000)
        assert not seen.truncated or case["response"]["status"] >= 400, case["id"]
        assert forecast(ask, _sent(case["request"])).prompt_tokens > 0
