"""What recorded exchanges used and cost."""

import io
from decimal import Decimal
from typing import Any

import pytest

from limiter.metering.lines import read_lines
from limiter.metering.meter import Meter, Metered
from limiter.metering.recording import Damaged
from limiter.prices import Prices
from limiter.settings import Price
from limiter.usage.providers import Directory
from tests.metering.recordings import ANSWER, ASKED, CHAT, exchange, jsonl, session

RESPONSES = "https://api.openai.com/v1/responses"


def meter(*exchanges: dict[str, Any], prices: Prices | None = None, estimates: bool = True) -> list[Metered]:
    """All of one file."""
    measure = Meter(prices or Prices(), Directory({"llm.example": "openai"}), estimates=estimates).measure
    return [measure(item) for item in read_lines(io.BytesIO(jsonl(*exchanges)), "f")]


def one(kept: dict[str, Any], **more: Any) -> Metered:
    (found,) = meter(kept, **more)
    return found


def test_usage_is_read_and_priced() -> None:
    """As live traffic is."""
    found = one(exchange())

    assert (found.provider, found.endpoint, found.model) == ("openai", "chat", "gpt-4o-mini-2024-07-18")
    assert found.reported is not None
    assert found.charged == found.reported
    assert found.priced is not None
    assert (found.priced.cost, found.source) == (210_000, "genai-prices")
    assert (found.streaming, found.estimated, found.problem) == (False, False, "")


def test_streams() -> None:
    """Events instead of one text."""
    body = b'data: {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 5, "completion_tokens": 1}}\n\ndata: [DONE]\n\n'
    kept = exchange(body, asked={**ASKED, "stream": True}, headers={"content-type": "text/event-stream"})

    assert one(kept).streaming
    assert one(kept).reported is not None


def test_what_was_not_reported_is_estimated() -> None:
    """And never looks as if it had been."""
    found = one(exchange({"choices": [{"message": {"content": "Hi there"}, "finish_reason": "stop"}]}))

    assert (found.reported, found.estimated) == (None, True)
    assert found.charged is not None
    assert found.charged.prompt_tokens > 0 < found.charged.completion_tokens
    assert found.priced is not None
    assert found.priced.cost > 0


def test_estimates_can_be_left_out() -> None:
    """Then the cost is not known."""
    found = one(exchange({"choices": []}), estimates=False)

    assert (found.charged, found.priced, found.source) == (None, None, "")


@pytest.mark.parametrize(
    "kept",
    [
        exchange({"error": {"message": "no"}}, status=429),
        exchange({"input_tokens": 5}, url="https://api.anthropic.com/v1/messages/count_tokens"),
        exchange({"id": "resp_1", "status": "queued"}, url=RESPONSES),
    ],
)
def test_what_costs_nothing_by_its_nature(kept: dict[str, Any]) -> None:
    """Errors, free endpoints, and work that only began."""
    found = one(kept)

    assert found.charged is None
    assert found.priced is not None
    assert (found.priced.cost, found.source) == (0, "unbilled")


def test_polls_are_billed_once() -> None:
    """Whoever asks again for the same work pays once; one who first asks pays then."""
    done = {"id": "resp_1", "status": "completed", "model": "gpt-4o-mini", "usage": {"input_tokens": 1000}}
    poll = exchange(done, url=f"{RESPONSES}/resp_1")
    poll["request"]["method"] = "GET"

    first, second = meter(poll, poll)
    assert first.source == "genai-prices"
    assert second.source == "unbilled"
    assert second.reported == first.reported
    assert [found.source for found in meter(exchange(done, url=RESPONSES), poll)] == ["genai-prices", "unbilled"]


CLAUDE_USAGE = {"input_tokens": 1000, "output_tokens": 100}


def _get(kept: dict[str, Any]) -> dict[str, Any]:
    kept["request"]["method"] = "GET"
    return kept


@pytest.mark.parametrize(
    ("host", "create", "status", "results", "line", "running"),
    [
        (
            "api.openai.com", "v1/batches", "v1/batches/b", "v1/files/f/content",
            {"response": {"body": ANSWER}}, {"id": "b", "usage": {"input_tokens": 2000, "output_tokens": 200}},
        ),
        (
            "api.anthropic.com", "v1/messages/batches", "v1/messages/batches/b", "v1/messages/batches/b/results",
            {"result": {"message": {"model": "claude-haiku-4-5", "usage": CLAUDE_USAGE}}},
            {"id": "b", "processing_status": "in_progress"},
        ),
    ],
)  # fmt: skip
def test_a_batch_is_billed_where_its_results_are_read(
    host: str, create: str, status: str, results: str, line: Any, running: Any
) -> None:
    """Once, at half the price; its own running total, however often it is asked for, costs nothing."""
    url = f"https://{host}/"
    read = _get(exchange(jsonl(line, line), url=url + results, asked=None))
    found = meter(
        exchange(running, url=url + create, asked={}),
        *[_get(exchange(running, url=url + status, asked=None)) for _ in range(3)],
        read,
        read,
    )
    whole = one(exchange(line.get("response", {}).get("body") or line["result"]["message"], **_single(host)))

    assert [each.priced.cost if each.priced else None for each in found[:4]] == [0, 0, 0, 0]
    assert whole.priced is not None
    assert found[4].priced is not None
    assert found[4].charged is not None
    # Two lines, each half of a single call.
    assert found[4].priced.cost == whole.priced.cost
    assert (found[4].charged.prompt_tokens, found[4].charged.completion_tokens) == (2000, 200)
    assert found[5].source == "unbilled"


def _single(host: str) -> dict[str, Any]:
    if host == "api.openai.com":
        return {"url": CHAT, "asked": ASKED}
    return {"url": f"https://{host}/v1/messages", "asked": {"model": "claude-haiku-4-5"}}


def test_other_hosts() -> None:
    """They are no provider's, unless the configuration says so."""
    assert one(exchange(url="https://example.com/v1/chat/completions")) == Metered(id="one")
    assert one(exchange(url="https://llm.example/v1/chat/completions")).provider == "openai"


def test_hosts_dialled_by_address() -> None:
    """They are known by the name that is asked for."""
    kept = exchange(url="https://192.0.2.1/v1/chat/completions")
    kept["request"]["headers"] = {"Host": "api.openai.com"}

    assert one(kept).provider == "openai"


def test_prices_of_the_configuration() -> None:
    """They go before the list."""
    prices = Prices((Price(model="gpt-4o-mini*", input=Decimal(1), output=Decimal(1)),))
    found = one(exchange(), prices=prices)

    assert found.priced is not None
    assert (found.priced.cost, found.source) == (1_100_000, "override")


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        (exchange(b'{"choices": [{"mess'), "the response is cut"),
        (exchange(asked="no"), "the request's body cannot be read"),
    ],
)
def test_damage_is_told(kept: dict[str, Any], problem: str) -> None:
    """The exchange is charged all the same."""
    found = one(kept)

    assert problem in found.problem
    assert found.priced is not None


@pytest.mark.parametrize("url", ["http://[", "https://api.openai.com:port/v1/x", "", "nothing"])
def test_damaged_addresses(url: str) -> None:
    """One line a case."""
    assert one(exchange(url=url)).id == "one"


def test_what_could_not_be_read() -> None:
    """Keeps its place and problem."""
    measure = Meter(Prices(), Directory()).measure

    assert measure(Damaged("f:7", "no JSON")) == Metered(id="f:7", problem="no JSON")


def done(name: str, tokens: int) -> list[tuple[str, Any]]:
    """A response of a session, from the client's message to its end."""
    usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
    return [
        ("sent", {"type": "response.create"}),
        ("received", {"type": "response.created", "response": {"id": name}}),
        ("received", {"type": "response.done", "response": {"id": name, "status": "completed", "usage": usage}}),
    ]


def test_sessions_are_summed_up() -> None:
    """Each turn is priced by itself."""
    found = one(session(*done("r1", 10), *done("r2", 20)))

    assert (found.endpoint, found.model, found.streaming) == ("realtime", "gpt-realtime", True)
    assert found.reported is not None
    assert (found.reported.prompt_tokens, found.reported.completion_tokens) == (30, 2)
    assert found.priced is not None
    assert (found.priced.cost, found.source) == (30 * 4_000 + 2 * 16_000, "genai-prices")


def test_transcriptions_beside_a_turn_have_their_own_price() -> None:
    """Another model makes them."""
    usage = {"type": "tokens", "input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    setup = {"type": "session.update", "session": {"input_audio_transcription": {"model": "gpt-4o-transcribe"}}}
    heard = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "usage": usage}
    found = one(session(("sent", setup), *done("r1", 10), ("received", heard)))

    assert found.reported is not None
    assert (found.model, found.reported.prompt_tokens) == ("gpt-realtime", 110)


def test_a_turn_that_was_cut_is_estimated() -> None:
    """Nobody said what it used."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell me a long story"}]}
    found = one(session(("sent", {"type": "conversation.item.create", "item": item}), *done("r1", 10)[:2]))

    assert (found.reported, found.estimated) == (None, True)
    assert found.problem == "no usage was reported in the session"


def test_sockets_of_no_known_protocol() -> None:
    """They are told."""
    found = one(session(("sent", {}), url="wss://api.openai.com/v1/something"))

    assert (found.priced, found.problem) == (None, "a WebSocket of no known protocol")


def test_sessions_name_their_model_in_a_message() -> None:
    """Gemini's first."""
    url = "wss://generativelanguage.googleapis.com/ws/google.ai.v1beta.GenerativeService.BidiGenerateContent"
    frames = [
        ("sent", {"setup": {"model": "models/gemini-live-2.5-flash"}}),
        ("sent", {"clientContent": {"turns": [{"parts": [{"text": "Hi"}]}], "turnComplete": True}}),
        ("received", {"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}),
    ]

    assert one(session(*frames, url=url)).model == "gemini-live-2.5-flash"


def test_silent_sessions() -> None:
    """Their cost is not known."""
    found = one(session(("sent", {"type": "session.update"})))

    assert (found.priced, found.problem) == (None, "no usage was reported in the session")


def test_responses_over_a_websocket() -> None:
    """Each is an exchange of its own; none is lost."""
    answers = [
        {"type": "response.completed", "response": {"id": f"r{number}", "model": "gpt-4o-mini", "usage": usage}}
        for number, usage in enumerate(
            [{"input_tokens": 1, "output_tokens": 2}, {"input_tokens": 3, "output_tokens": 4}]
        )
    ]
    frames = [
        (way, event)
        for answer in answers
        for way, event in (("sent", {"type": "response.create"}), ("received", answer))
    ]
    found = one(session(*frames, url="wss://api.openai.com/v1/responses"))

    assert found.reported is not None
    assert (found.reported.prompt_tokens, found.reported.completion_tokens) == (4, 6)


def test_times_set_prices() -> None:
    """The response's own date, where the file has none: prices change."""
    ask = {**ASKED, "model": "deepseek-chat"}
    answer = {**ANSWER, "model": "deepseek-chat"}
    url = "https://api.deepseek.com/chat/completions"
    old = exchange(answer, asked=ask, url=url, headers={"date": "Wed, 05 Mar 2025 12:00:00 GMT"})
    night = exchange(answer, asked=ask, url=url, headers={"date": "Wed, 05 Mar 2025 20:00:00 GMT"})
    costs = [found.priced.cost for found in meter(old, night) if found.priced]

    assert costs[0] > costs[1] > 0
