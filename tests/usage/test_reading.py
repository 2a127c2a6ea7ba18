"""Events in any order and of any form."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.meters import Usage
from limiter.usage.readers import READERS, SNIFF
from limiter.usage.reading import Reading

NAMES = sorted(
    {
        *(
            "type",
            "object",
            "status",
            "id",
            "model",
            "usage",
            "usageMetadata",
            "response",
            "message",
            "choices",
            "delta",
            "content",
        ),
        *(name for reader in READERS.values() for path in reader.usage for name in path),
        *(name for reader in READERS.values() for name in reader.counts.members),
        *(name for reader in READERS.values() for name in reader.text),
    }
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=4)
    | st.sampled_from(["message", "message_stop", "response.done"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(NAMES), below, max_size=4),
    max_leaves=8,
)


@given(
    st.sampled_from([*sorted(READERS), SNIFF]),
    st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=5), max_size=5),
)
@settings(max_examples=300, deadline=None)
def test_any_events_can_be_read(name: str, events: list[dict[str, Any]]) -> None:
    """Members of the wrong type are as good as absent."""
    reading = Reading(name, len)
    for event in events:
        assert reading.read(json.dumps(event).encode())
    usage = reading.reported()
    assert usage is None or usage.prompt_tokens >= usage.cached_tokens >= 0
    assert reading.visible_tokens() >= 0
    assert isinstance(reading.complete, bool)


@pytest.mark.parametrize("event", [b"", b"5", b"[1]", b"{", b'"x"', b"null", b"\xff"])
def test_what_is_no_object_is_no_event(event: bytes) -> None:
    assert not Reading("openai", len).read(event)


def test_a_session_sums_its_responses() -> None:
    """Realtime: every response counts its whole context again, and transcriptions are billed beside them."""
    reading = Reading("openai-realtime", len)
    usage = {
        "total_tokens": 12,
        "input_tokens": 9,
        "output_tokens": 3,
        "input_token_details": {"audio_tokens": 5, "cached_tokens": 4},
    }
    for event in (
        {"type": "session.created", "session": {"model": "gpt-realtime"}},
        {"type": "response.created", "response": {"id": "resp_1", "usage": None}},
        {"type": "response.audio.delta", "delta": "QUJD"},
        {"type": "response.done", "response": {"id": "resp_1", "usage": usage}},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "usage": {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3},
        },
        {"type": "response.done", "response": {"id": "resp_2", "usage": usage}},
        {"type": "rate_limits.updated", "usage": usage},
    ):
        reading.read(json.dumps(event).encode())
    assert reading.reported() == Usage(
        prompt_tokens=20, completion_tokens=7, total_tokens=27, cached_tokens=8, prompt_audio_tokens=10, requests=3
    )


def test_a_live_session_sums_its_turns() -> None:
    """Gemini: the thinking is not in the total."""
    reading = Reading("gemini-live", len)
    for tokens in (37, 85):
        usage = {
            "promptTokenCount": 100,
            "responseTokenCount": tokens,
            "thoughtsTokenCount": 28,
            "totalTokenCount": 100 + tokens,
        }
        reading.read(json.dumps({"serverContent": {"turnComplete": True}, "usageMetadata": usage}).encode())
    assert reading.reported() == Usage(
        prompt_tokens=200, completion_tokens=178, total_tokens=322, reasoning_tokens=56, apart_tokens=56, requests=2
    )


def test_quiet_events_are_looked_into_when_they_matter() -> None:
    """Large ones at once, small ones at the end."""
    reading = Reading("openai", len)
    reading.read(b'{"model":"m","choices":[{"delta":{"content":"one "}}]}')
    for _ in range(3):
        reading.read(b'{"choices":[{"delta":{"content":"two "}}]}')
    reading.read(json.dumps({"choices": [{"delta": {"content": "x" * 70_000}}]}).encode())
    assert reading.visible_tokens() == 16 + 70_000
    assert reading.visible_tokens() == 16 + 70_000
