"""What an exchange is charged for, where its endpoint says little about it."""

from typing import Any

import pytest

from limiter.meters import Usage
from limiter.usage.consumption import consumed, unreported, waits_for_poll
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.tap import Observation
from tests.usage.exchanges import EVENTS, ask_for, lines, observe, sse

CHAT = "api.openai.com/v1/chat/completions"
OTHER = "api.anthropic.com/v9/new"
BATCHES = "api.openai.com/v1/batches"


def _foreseen() -> Forecast:
    return Forecast(7, 1000, 1000)


def _charged(url: str, body: Any, status: int = 200) -> Usage:
    ask = ask_for(url, {"model": "gpt-4o"})
    return consumed(ask, observe(ask, lines(body), status=status), status, _foreseen)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    "body", [{}, {"id": "b", "status": "in_progress", "usage": {"input_tokens": 5, "output_tokens": 5}}]
)
def test_what_starts_work_for_later_is_charged_nothing(body: Any, status: int) -> None:
    """Whatever it reports: the results report it again."""
    ask = ask_for(BATCHES, {"model": "gpt-4o"})
    seen = observe(ask, lines(body), status=status)
    assert consumed(ask, seen, status, _foreseen) == Usage()
    assert consumed(ask, None, None, _foreseen) == Usage()
    assert not unreported(ask, seen, status)
    assert not waits_for_poll(ask, seen)


def test_speech_is_paid_by_its_text() -> None:
    """The answer is sound, of which nothing can be read: neither tokens nor characters are in it."""
    ask = ask_for("api.openai.com/v1/audio/speech", {"model": "tts-1", "input": "Hello, hello"})
    expected = forecast(ask, b'{"model":"tts-1","voice":"alloy","input":"Hello, hello"}')
    usage = consumed(ask, observe(ask, b"\xff\xfb" * 1000, "audio/mpeg"), 200, lambda: expected)

    assert (usage.units, usage.completion_tokens) == ({"input_characters": 12}, 18)
    assert usage.estimated


def test_recordings_are_paid_by_their_length() -> None:
    """Where the answer is bare text."""
    part = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    form = part + b"\1" * 16_000 * 59 + b"\r\n--x--\r\n"
    ask = ask_for("api.openai.com/v1/audio/transcriptions", form, headers={"content-type": "multipart/form-data"})
    seen = observe(ask, b"Hello, hello", "text/plain")

    assert consumed(ask, seen, 200, lambda: forecast(ask, form)).units == {"audio_seconds": 60}


def test_unknown_paths_are_charged_what_they_report() -> None:
    assert _charged(OTHER, {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).total_tokens == 7
    assert _charged(OTHER, {"ok": True}) == Usage()
    assert _charged(CHAT, {"ok": True}).estimated


@pytest.mark.parametrize(
    ("url", "alarm"), [(CHAT, True), (OTHER, False), (BATCHES, False), ("api.openai.com/v1/ch%61t/x", True)]
)
def test_which_answers_without_usage_are_an_alarm(url: str, alarm: bool) -> None:
    ask = ask_for(url, {"model": "gpt-4o"})
    assert unreported(ask, observe(ask, b"{}"), 200) is alarm


def test_a_stream_of_an_unknown_path_is_cut() -> None:
    ask = ask_for(OTHER, {"stream": True})
    seen: Observation = observe(ask, sse({"choices": [{"delta": {"content": "Hi"}}]}), EVENTS)
    assert consumed(ask, seen, 200, _foreseen) == Usage()
