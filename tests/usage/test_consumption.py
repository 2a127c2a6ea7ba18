"""What an exchange is charged for, where its endpoint says little about it."""

import json
from typing import Any

import pytest

from limiter.facts import Facts
from limiter.meters import Usage
from limiter.prices import Prices
from limiter.usage.consumption import consumed, unreported, waits_for_poll, with_request_tier
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.tap import Observation
from tests.usage.exchanges import EVENTS, ask_for, lines, observe, sse

CHAT = "api.openai.com/v1/chat/completions"
OTHER = "api.anthropic.com/v9/new"
BATCHES = "api.openai.com/v1/batches"
CLAUDE = "api.anthropic.com/v1/messages"
PRICES = Prices()


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


@pytest.mark.parametrize(
    ("url", "model"),
    [
        (CHAT, "gpt-5"),
        ("generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gemini-2.5-pro"),
        (CLAUDE, "claude-sonnet-4-5"),
    ],
)
@pytest.mark.parametrize("tier", ["batch", "Batch", "flex", "priority", "unheard of"])
@pytest.mark.parametrize("told", [True, False])
def test_no_word_of_the_client_on_its_tier_makes_anything_cheaper(url: str, model: str, tier: str, told: bool) -> None:
    """Neither where the answer names no tier, nor where it has no usage."""
    counts = {"prompt_tokens": 1000, "input_tokens": 1000, "completion_tokens": 1000, "output_tokens": 1000}

    def cost(**more: str) -> int:
        ask = ask_for(url, {"model": model, "max_tokens": 5, **more})
        foreseen = forecast(ask, json.dumps({"model": model, "max_tokens": 5, **more}).encode())
        seen = observe(ask, lines({"usage": counts} if told else {}))
        usage = with_request_tier(consumed(ask, seen, 200, lambda: foreseen), ask)
        assert usage.estimated is not told
        return PRICES.bill(usage, Facts(provider=ask.endpoint.provider, model=model)).cost

    if (tier, model) == ("priority", "gpt-5"):
        assert cost(service_tier=tier) == 2 * cost() > 0
    else:
        assert cost(service_tier=tier) >= cost() > 0


def test_the_tier_that_an_answer_names_is_believed() -> None:
    ask = ask_for(CHAT, {"model": "gpt-5", "service_tier": "priority"})
    seen = observe(ask, lines({"service_tier": "flex", "usage": {"prompt_tokens": 1000, "completion_tokens": 0}}))
    usage = with_request_tier(consumed(ask, seen, 200, _foreseen), ask)
    assert (usage.service_tier, usage.asked_tier) == ("flex", "")


@pytest.mark.parametrize(("more", "hundredths"), [({}, 100), ({"inference_geo": "us"}, 110), ({"speed": "fast"}, 200)])
@pytest.mark.parametrize("status", [None, 200])
def test_an_estimate_costs_what_the_request_asks_to_be_dearer(
    more: dict[str, str], hundredths: int, status: int | None
) -> None:
    """The client left early, or the answer was cut before its usage: place and speed cost as if it had told."""
    body = {"model": "claude-opus-4-8", "max_tokens": 400, "messages": [{"role": "user", "content": "Hi"}]}
    facts = Facts(provider="anthropic", model="claude-opus-4-8")

    def cost(**more: str) -> int:
        ask = ask_for(CLAUDE, {**body, **more})
        foreseen = forecast(ask, json.dumps({**body, **more}).encode())
        seen = observe(ask, b"") if status else None
        usage = with_request_tier(consumed(ask, seen, status, lambda: foreseen), ask)
        return PRICES.bill(usage, facts).cost

    assert 100 * cost(**more) == hundredths * cost() > 0


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
