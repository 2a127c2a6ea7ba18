"""Recorded exchanges, where a folder of them is at hand: set AI_LIMIT_CORPUS to run these."""

import base64
import gzip
import json
import os
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from limiter.usage import counts
from limiter.usage.forecast import forecast
from limiter.usage.providers import recognise
from limiter.usage.requests import Ask, read_request
from limiter.usage.session import Objection
from limiter.usage.sessions import session
from limiter.usage.tap import Observation, Tap
from limiter.usage.turns import Turn
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


def _turns(case: dict[str, Any]) -> tuple[list[Turn], tuple[Turn, ...]]:
    """The turns of a recorded session that ended, and those that were open when it did."""
    ask = _ask(case)
    assert ask is not None
    live, ended = session(ask, urlsplit(case["request"]["url"]).path), []
    for line in base64.b64decode(case["response"]["body_base64"]).splitlines():
        frame = json.loads(line)
        content = (frame["data"] if isinstance(frame["data"], str) else json.dumps(frame["data"])).encode()
        if frame["direction"] == "sent":
            turn = live.asked(content, is_text=True)
            assert not isinstance(turn, Objection), case["id"]
        else:
            told = live.told(content)
            ended += told.ended
            turn = None if told.begun in told.ended else told.begun
        ended += live.begin(turn) if turn else ()
    return ended, live.end()


def test_labelled_sessions_are_read_as_labelled() -> None:
    """WebSockets: the turns of a session add up, and each has its own usage."""
    wrong = []
    for case in _cases("labelled"):
        if not case["expected"]["framing"].startswith("websocket") or case["id"] in UNLABELLED:
            continue
        ended, left = _turns(case)
        assert not left, case["id"]
        assert len(ended) == case["expected"]["extra"]["responses"], case["id"]
        usages = [usage for turn in ended if (usage := turn.finish().usage)]
        problems = _problems(case["expected"], reduce(counts.add, usages) if usages else None)
        wrong += [f"{case['id']}: {', '.join(problems)}"] if problems else []
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
def test_every_turn_of_every_session_reports_its_usage(name: str) -> None:
    for case in _cases(name):
        if case["response"]["framing"].startswith("websocket"):
            ended, left = _turns(case)
            assert ended, case["id"]
            assert not left, case["id"]
            assert all(turn.finish().usage for turn in ended), case["id"]


@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
def test_all_exchanges_pass(name: str) -> None:
    """No exception, no byte changed, a forecast for every request."""
    for case in _cases(name):
        ask = _ask(case)
        assert ask is not None, case["id"]
        seen = _observed(case, ask, 1000)
        assert not seen.truncated or case["response"]["status"] >= 400, case["id"]
        assert forecast(ask, _sent(case["request"])).prompt_tokens > 0 or ask.endpoint.defers
