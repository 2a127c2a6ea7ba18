"""The answer that HTTP would get, as each WebSocket protocol says it."""

import json

import pytest

from limiter.facts import Facts
from limiter.refusals import failure
from limiter.session_errors import ending
from limiter.voices import Answer

SPENT = Answer(
    429,
    (("content-type", "application/json"), ("retry-after", "30")),
    b'{"error":{"message":"spent","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
)


def test_realtime_names_the_message_that_is_refused() -> None:
    end = ending("openai-realtime", SPENT, "mine")
    event = json.loads(end.event)
    assert (event["type"], end.closes) == ("error", False)
    assert event["error"] == {
        "message": "spent", "type": "insufficient_quota", "param": None, "code": "insufficient_quota",
        "event_id": "mine",
    }  # fmt: skip
    assert json.loads(ending("openai-realtime", SPENT).event)["error"]["event_id"] is None


def test_responses_hold_status_and_headers() -> None:
    event = json.loads(ending("openai-responses", SPENT, lane="a").event)
    assert (event["type"], event["status"], event["stream_id"]) == ("error", 429, "a")
    assert event["error"]["code"] == event["code"] == "insufficient_quota"
    assert event["headers"] == {"retry-after": "30"}
    assert "stream_id" not in json.loads(ending("openai-responses", SPENT).event)


def test_gemini_live_is_closed_with_the_reason() -> None:
    answer = failure(Facts(provider="gemini", api="gemini"), 503, "the store is away")
    assert ending("gemini-live", answer) == (b"", 1011, "the store is away", True)


@pytest.mark.parametrize("api", ["openai", "azure", "anthropic", "gemini", "cohere", "mistral", "bedrock", "ollama"])
@pytest.mark.parametrize("protocol", ["openai-realtime", "openai-responses", "gemini-live", "other"])
def test_every_format_of_errors_is_understood(api: str, protocol: str) -> None:
    for status in (403, 500, 503):
        assert ending(protocol, failure(Facts(api=api), status, "why")).reason == "why"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Too many requests", "Too many requests"),
        (b"", "refused with status 429"),
        (b"\xff", "\ufffd"),
        (b"[]", "[]"),
        (b'"text"', "text"),
        (b'{"message":"API rate limit exceeded"}', "API rate limit exceeded"),
    ],
)
def test_answers_of_gateways_are_told_as_they_are(body: bytes, message: str) -> None:
    event = json.loads(ending("openai-realtime", Answer(429, (), body)).event)
    assert event["error"]["message"] == message
