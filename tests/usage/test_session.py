"""What the messages of WebSocket sessions mean, protocol by protocol; frames written by hand."""

import json
from typing import Any

import pytest

from limiter.usage.providers import recognise
from limiter.usage.requests import read_request
from limiter.usage.session import MOST_OPEN, NOTHING, Beside, Objection, Session, Told
from limiter.usage.sessions import PROTOCOLS, session
from limiter.usage.turns import Turn

UPGRADE = {"upgrade": "websocket"}
REALTIME = "api.openai.com/v1/realtime?model=gpt-realtime"
RESPONSES = "api.openai.com/v1/responses"
LIVE = "generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def opened(url: str) -> Session:
    host, _, path = url.partition("/")
    endpoint = recognise(host, 443, "GET", f"/{path}", UPGRADE)
    assert endpoint is not None
    assert endpoint.protocol in PROTOCOLS
    return session(read_request(endpoint, f"/{path}", UPGRADE, b""), f"/{path}")


def ask(live: Session, **message: Any) -> Turn | Objection | None:
    """Sends and, where it starts a turn, begins it."""
    found = live.asked(json.dumps(message).encode(), is_text=True)
    if isinstance(found, Turn):
        live.begin(found)
    return found


def tell(live: Session, **message: Any) -> Told:
    told = live.told(json.dumps(message).encode())
    if told.begun is not None and told.begun not in told.ended:
        live.begin(told.begun)
    return told


def created(live: Session, name: str, **more: Any) -> Told:
    return tell(live, type="response.created", response={"id": name, "usage": None}, **more)


def done(live: Session, name: str, kind: str = "response.done", **more: Any) -> Told:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return tell(live, type=kind, response={"id": name, "status": "completed", "usage": usage}, **more)


def used(turn: Turn) -> tuple[int, int] | None:
    usage = turn.finish().usage
    return (usage.prompt_tokens, usage.completion_tokens) if usage else None


class TestRealtime:
    def test_a_turn_begins_with_its_message_and_ends_with_its_usage(self) -> None:
        live = opened(REALTIME)
        turn = ask(live, type="response.create", event_id="mine")
        assert isinstance(turn, Turn)
        assert (turn.ask.model, turn.event_id, turn.status) == ("gpt-realtime", "mine", None)
        assert created(live, "r1") == NOTHING
        assert turn.status == 200
        assert done(live, "r1").ended == (turn,)
        assert used(turn) == (10, 5)
        assert turn.finish().complete
        assert live.end() == ()

    def test_other_messages_start_nothing(self) -> None:
        live = opened(REALTIME)
        for kind in ("session.update", "conversation.item.create", "input_audio_buffer.append", "response.cancel", ""):
            assert ask(live, type=kind) is None
        assert ask(live, type=None) is None
        for kind in ("session.created", "rate_limits.updated", "ping", "conversation.item.added", ""):
            assert tell(live, type=kind) == NOTHING

    def test_a_response_that_nobody_asked_for_was_started_by_the_provider(self) -> None:
        live = opened(REALTIME)
        told = created(live, "r1")
        assert told.begun
        assert told.begun.by_server
        assert done(live, "r1").ended == (told.begun,)

    @pytest.mark.parametrize("kind", ["response.output_item.added", "response.done"])
    def test_it_shows_with_the_first_event_that_names_it(self, kind: str) -> None:
        live = opened(REALTIME)
        told = tell(live, type=kind, response_id="r1")
        assert told.begun
        assert told.ended == ((told.begun,) if kind == "response.done" else ())

    def test_what_comes_after_the_end_starts_nothing(self) -> None:
        live = opened(REALTIME)
        ask(live, type="response.create")
        created(live, "r1")
        done(live, "r1")
        assert tell(live, type="response.output_text.delta", response_id="r1", delta="late") == NOTHING
        assert done(live, "r1") == NOTHING

    def test_nor_does_what_comes_of_a_refused_one(self) -> None:
        live = opened(REALTIME)
        told = live.told(json.dumps({"type": "response.created", "response": {"id": "r1"}}).encode())
        assert told.begun
        live.refuse(told.begun)
        assert done(live, "r1") == NOTHING

    def test_parallel_responses_are_told_apart(self) -> None:
        live = opened(REALTIME)
        one, two = ask(live, type="response.create"), ask(live, type="response.create")
        created(live, "r1")
        created(live, "r2")
        tell(live, type="response.output_text.delta", response_id="r2", delta="some words of the second")
        assert done(live, "r2").ended == (two,)
        assert isinstance(one, Turn)
        assert one.finish().visible_tokens == 0
        assert done(live, "r1").ended == (one,)

    def test_xai_puts_the_usage_beside_the_response(self) -> None:
        live = opened("api.x.ai/v1/realtime?model=grok-voice")
        turn = ask(live, type="response.create")
        created(live, "r1")
        usage = {"input_tokens": 156, "output_tokens": 185, "total_tokens": 341}
        tell(live, type="response.done", response={"id": "r1", "usage": {}}, usage=usage)
        assert isinstance(turn, Turn)
        assert used(turn) == (156, 185)

    def test_an_error_that_names_the_message_ends_its_turn_at_no_cost(self) -> None:
        live = opened(REALTIME)
        turn = ask(live, type="response.create", event_id="mine")
        assert tell(live, type="error", error={"event_id": "other"}) == NOTHING
        assert tell(live, type="error", error={"event_id": "mine"}).ended == (turn,)
        assert isinstance(turn, Turn)
        assert turn.status == 400

    def test_one_that_names_nothing_is_believed_when_no_answer_comes(self) -> None:
        live = opened(REALTIME)
        turn = ask(live, type="response.create")
        tell(live, type="error", error={"event_id": None})
        assert isinstance(turn, Turn)
        assert turn.status == 400
        other = live.asked(b'{"type": "response.create"}', is_text=True)
        assert isinstance(other, Turn)
        assert live.begin(other) == (turn,)

    def test_and_not_when_one_does(self) -> None:
        live = opened(REALTIME)
        turn = ask(live, type="response.create")
        tell(live, type="error", error={})
        created(live, "r1")
        assert done(live, "r1").ended == (turn,)
        assert isinstance(turn, Turn)
        assert turn.status == 200

    @pytest.mark.parametrize(
        ("usage", "status"),
        [(None, 400), ({"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}, 200)],
    )
    def test_a_failed_response_costs_what_it_reports(self, usage: Any, status: int) -> None:
        live = opened(REALTIME)
        turn = ask(live, type="response.create")
        tell(live, type="response.done", response={"id": "r1", "status": "failed", "usage": usage})
        assert isinstance(turn, Turn)
        assert turn.status == status

    def test_what_was_heard_of_a_cut_answer_is_counted(self) -> None:
        live = opened(REALTIME)
        ask(live, type="response.create")
        created(live, "r1")
        for _ in range(10):
            tell(live, type="response.output_audio_transcript.delta", response_id="r1", delta="four words of speech ")
            tell(live, type="response.output_audio.delta", response_id="r1", delta="A" * 32_000)
        (turn,) = live.end()
        seen = turn.finish()
        assert (seen.usage, seen.complete) == (None, False)
        assert 100 + 30 < seen.visible_tokens < 100 + 60, "ten tokens of sound and four of text a piece"

    def test_the_transcription_is_the_work_of_another_model(self) -> None:
        live = opened(REALTIME)
        tell(
            live,
            type="session.updated",
            session={"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
        )
        usage = {"type": "tokens", "input_tokens": 26, "output_tokens": 9, "total_tokens": 35}
        told = tell(live, type="conversation.item.input_audio_transcription.completed", usage=usage)
        assert isinstance(told.beside, Beside)
        assert (told.beside.model, told.beside.usage.total_tokens) == ("gpt-4o-transcribe", 35)
        assert tell(live, type="conversation.item.input_audio_transcription.completed", usage=None) == NOTHING

    def test_the_upgrade_names_the_model_else_the_provider_and_last_the_client(self) -> None:
        live = opened(REALTIME)
        tell(live, type="session.created", session={"model": "gpt-realtime-2026-01-01"})
        assert live.ask.model == "gpt-realtime"
        live = opened("api.openai.com/v1/realtime?intent=transcription")
        ask(live, type="session.update", session={"model": "cheap"})
        assert live.ask.model == "cheap"
        tell(live, type="session.updated", session={"model": "dear"})
        ask(live, type="session.update", session={"model": "cheap"})
        assert live.ask.model == "dear"

    def test_azure_names_the_deployment(self) -> None:
        assert opened("r.openai.azure.com/openai/realtime?api-version=1&deployment=mine").ask.model == "mine"

    def test_the_output_is_bounded_by_the_response_or_else_the_session(self) -> None:
        live = opened(REALTIME)
        ask(live, type="session.update", session={"max_output_tokens": 100})
        bounds = [
            found.ask.max_output
            for response in (None, {}, {"max_output_tokens": 7}, {"max_output_tokens": "inf"})
            if isinstance(found := ask(live, type="response.create", response=response), Turn)
        ]
        assert bounds == [100, 100, 7, None]

    def test_the_model_is_told_the_conversation_again(self) -> None:
        live = opened(REALTIME)
        first = ask(live, type="response.create")
        ask(live, type="conversation.item.create", item="x" * 4000)
        created(live, "r1")
        done(live, "r1")
        second = ask(live, type="response.create")
        apart = ask(live, type="response.create", response={"conversation": "none"})
        assert isinstance(first, Turn)
        assert isinstance(second, Turn)
        assert isinstance(apart, Turn)
        assert (first.context, apart.context) == (0, 0)
        assert 1000 < second.context - 15 < 1100

    def test_open_turns_are_bounded(self) -> None:
        live = opened(REALTIME)
        found = [ask(live, type="response.create", event_id=f"e{n}") for n in range(MOST_OPEN + 1)]
        assert isinstance(found[-1], Objection)
        assert found[-1].event_id == f"e{MOST_OPEN}"
        assert len(live.end()) == MOST_OPEN

    def test_days_of_turns_leave_nothing_behind(self) -> None:
        import tracemalloc

        live = opened(REALTIME)

        def talk(turns: int, start: int = 0) -> None:
            for number in range(start, start + turns):
                ask(live, type="input_audio_buffer.append", audio="A" * 1000)
                ask(live, type="response.create")
                created(live, f"r{number}")
                tell(live, type="response.output_text.delta", response_id=f"r{number}", delta="word " * 20)
                done(live, f"r{number}")

        tracemalloc.start()
        talk(100)
        before, _ = tracemalloc.get_traced_memory()
        talk(500, 100)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert after - before < 50_000


class TestResponses:
    def test_a_request_is_read_like_one_over_http(self) -> None:
        live = opened(RESPONSES)
        turn = ask(live, type="response.create", model="gpt-5", max_output_tokens=9, service_tier="flex", input="hi")
        assert isinstance(turn, Turn)
        asked = turn.ask
        assert (asked.endpoint.name, asked.model, asked.max_output, asked.service_tier) == (
            "responses", "gpt-5", 9, "flex",
        )  # fmt: skip

    @pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
    def test_it_ends_with_its_usage(self, kind: str) -> None:
        live = opened(RESPONSES)
        turn = ask(live, type="response.create", model="gpt-5")
        created(live, "r1")
        tell(live, type="response.output_text.delta", delta="word")
        assert done(live, "r1", kind).ended == (turn,)
        assert isinstance(turn, Turn)
        assert used(turn) == (10, 5)

    def test_the_conversation_that_is_continued_counts(self) -> None:
        live = opened(RESPONSES)
        ask(live, type="response.create", model="gpt-5")
        created(live, "r1")
        done(live, "r1", "response.completed")
        turns = [
            ask(live, type="response.create", model="gpt-5", previous_response_id=name) for name in ("r1", "r0", None)
        ]
        assert [turn.context for turn in turns if isinstance(turn, Turn)] == [15, 0, 0]

    def test_lanes_are_told_apart(self) -> None:
        live = opened(RESPONSES)
        one = ask(live, type="response.create", stream_id="a")
        two = ask(live, type="response.create", stream_id="b")
        created(live, "r2", stream_id="b")
        created(live, "r1", stream_id="a")
        tell(live, type="response.output_text.delta", delta="words for the first", stream_id="a")
        assert isinstance(two, Turn)
        assert two.finish().visible_tokens == 0
        assert done(live, "r2", "response.completed", stream_id="b").ended == (two,)
        assert tell(live, type="error", status=500, stream_id="a").ended == (one,)

    def test_an_error_ends_the_request(self) -> None:
        live = opened(RESPONSES)
        turn = ask(live, type="response.create")
        assert tell(live, type="error", status=400, error={"code": "previous_response_not_found"}).ended == (turn,)
        assert isinstance(turn, Turn)
        assert turn.status == 400
        assert tell(live, type="error", status=400) == NOTHING

    def test_and_one_in_the_middle_leaves_what_was_seen(self) -> None:
        live = opened(RESPONSES)
        turn = ask(live, type="response.create", model="gpt-5")
        created(live, "r1")
        tell(live, type="response.output_text.delta", delta="some words")
        tell(live, type="error")
        assert isinstance(turn, Turn)
        assert turn.status == 200
        assert turn.finish().visible_tokens > 0

    def test_steering_starts_a_response_of_its_own(self) -> None:
        live = opened(RESPONSES)
        ask(live, type="response.create", model="gpt-5")
        created(live, "r1")
        assert ask(live, type="response.steer", previous_response_id="r1", input="no") is None
        assert tell(live, type="response.steer.accepted", steer={"id": "s1"}) == NOTHING
        done(live, "r1", "response.incomplete")
        told = created(live, "r2")
        assert told.begun
        assert told.begun.ask.model == "gpt-5"

    def test_a_request_that_only_prepares_writes_nothing(self) -> None:
        live = opened(RESPONSES)
        turn = ask(live, type="response.create", generate=False)
        assert isinstance(turn, Turn)
        assert turn.ask.max_output == 0


class TestLive:
    @pytest.mark.parametrize("name", ["clientContent", "client_content"])
    def test_a_turn_ends_with_its_usage(self, name: str) -> None:
        live = opened(LIVE)
        ask(live, setup={"model": "models/gemini-live", "generationConfig": {"maxOutputTokens": 50}})
        assert ask(live, **{name: {"turns": [{"parts": [{"text": "a"}]}]}}) is None, "the turn is not complete"
        turn = ask(live, **{name: {"turns": [{"parts": [{"text": "a"}]}], "turnComplete": True}})
        assert isinstance(turn, Turn)
        assert (turn.ask.model, turn.ask.max_output) == ("gemini-live", 50)
        assert tell(live, serverContent={"modelTurn": {"parts": [{"text": "b"}]}}) == NOTHING
        usage = {"promptTokenCount": 12, "responseTokenCount": 3, "totalTokenCount": 15}
        assert tell(live, serverContent={"turnComplete": True}, usageMetadata=usage).ended == (turn,)
        assert used(turn) == (12, 3)

    def test_usage_may_come_after_the_end(self) -> None:
        live = opened(LIVE)
        turn = ask(live, clientContent={"turnComplete": True})
        assert tell(live, serverContent={"turnComplete": True}) == NOTHING
        assert tell(live, usageMetadata={"promptTokenCount": 1, "totalTokenCount": 1}).ended == (turn,)

    def test_or_never(self) -> None:
        live = opened(LIVE)
        turn = ask(live, clientContent={"turnComplete": True})
        tell(live, serverContent={"turnComplete": True})
        other = live.asked(b'{"clientContent": {"turnComplete": true}}', is_text=True)
        assert isinstance(other, Turn)
        assert live.begin(other) == (turn,)

    def test_the_first_sound_is_a_turn_until_nobody_answers(self) -> None:
        live = opened(LIVE)
        turn = ask(live, realtimeInput={"audio": {"data": "AAAA"}})
        assert isinstance(turn, Turn)
        assert turn.tentative
        assert ask(live, realtimeInput={"audio": {"data": "AAAA"}}) is None
        assert tell(live, serverContent={"inputTranscription": {"text": "hello"}}) == NOTHING
        assert (turn.tentative, turn.answered) == (True, False)
        tell(live, serverContent={"modelTurn": {}})
        assert turn.answered
        assert ask(live, realtimeInput={"audioStreamEnd": True}) is None

    def test_text_makes_it_certain(self) -> None:
        live = opened(LIVE)
        turn = ask(live, realtimeInput={"audio": {"data": "AAAA"}})
        assert ask(live, realtimeInput={"text": "hello"}) is None
        assert isinstance(turn, Turn)
        assert not turn.tentative
        assert isinstance(ask(opened(LIVE), realtimeInput={"text": "hello"}), Turn)

    def test_a_tool_answers_within_a_turn(self) -> None:
        live = opened(LIVE)
        turn = ask(live, clientContent={"turnComplete": True})
        assert tell(live, toolCall={"functionCalls": [{"name": "f"}]}) == NOTHING
        assert ask(live, toolResponse={"functionResponses": []}) is None
        assert live.end() == (turn,)
        assert isinstance(ask(opened(LIVE), tool_response={}), Turn)

    def test_an_answer_that_nobody_asked_for_is_a_turn(self) -> None:
        live = opened(LIVE)
        told = tell(live, serverContent={"modelTurn": {"parts": []}})
        assert told.begun
        assert tell(live, serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 4}).ended == (
            told.begun,
        )

    def test_other_messages_mean_nothing(self) -> None:
        live = opened(LIVE)
        for message in ({"setupComplete": {}}, {"goAway": {"timeLeft": "1s"}}, {"sessionResumptionUpdate": {}}, {}):
            assert tell(live, **message) == NOTHING


@pytest.mark.parametrize("url", [REALTIME, RESPONSES, LIVE])
class TestJunk:
    def test_text_that_is_no_object_is_objected_to(self, url: str) -> None:
        live = opened(url)
        for content in (b"", b"null", b"[]", b'"response.create"', b"{", b'{"type": "response.create"', b"\xff"):
            assert isinstance(live.asked(content, is_text=True), Objection), content

    def test_binary_that_is_no_json_is_sound(self, url: str) -> None:
        live = opened(url)
        for content in (b"", b"\x00\x01", b"{\x00", bytes(range(256))):
            assert live.asked(content, is_text=False) is None
            assert live.told(content) == NOTHING

    @pytest.mark.parametrize("junk", [None, 1, "x", [], {}, [None], {"id": 1}, {"id": None, "usage": "x"}])
    def test_members_of_any_kind_do_no_harm(self, url: str, junk: Any) -> None:
        live = opened(url)
        names = ("response", "session", "error", "usage", "event_id", "stream_id", "response_id", "setup", "input")
        for kind in ("response.create", "session.update", "conversation.item.create", junk):
            ask(live, **dict.fromkeys(names, junk), type=kind)
        for name in ("clientContent", "realtimeInput", "toolResponse", "setup"):
            ask(live, **{name: junk})
        for kind in ("response.created", "response.done", "response.failed", "error", "session.created", junk):
            tell(live, **dict.fromkeys(names, junk), type=kind)
        for name in ("serverContent", "toolCall", "usageMetadata"):
            tell(live, **{name: junk})
        for turn in live.end():
            turn.finish()


def test_whitespace_and_a_mark_before_the_object_hide_nothing() -> None:
    live = opened(REALTIME)
    for before in (b" ", b"\n\t", b"\xef\xbb\xbf"):
        for is_text in (True, False):
            assert isinstance(live.asked(before + b'{"type": "response.create"}', is_text=is_text), Turn)


@pytest.mark.parametrize(
    ("url", "name", "protocol"),
    [
        (REALTIME, "realtime", "openai-realtime"),
        ("r.openai.azure.com/openai/v1/realtime?model=m", "realtime", "openai-realtime"),
        ("r.services.ai.azure.com/voice-live/realtime?model=m", "realtime", "openai-realtime"),
        ("api.x.ai/v1/realtime", "realtime", "openai-realtime"),
        (RESPONSES, "responses", "openai-responses"),
        ("api.x.ai/v1/responses", "responses", "openai-responses"),
        (LIVE, "realtime", "gemini-live"),
        (f"{LIVE}Constrained?access_token=t", "realtime", "gemini-live"),
        (
            "us-central1-aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
            "realtime",
            "gemini-live",
        ),
    ],
)
def test_known_websockets(url: str, name: str, protocol: str) -> None:
    host, _, path = url.partition("/")
    endpoint = recognise(host, 443, "GET", f"/{path}", UPGRADE)
    assert endpoint
    assert (endpoint.name, endpoint.protocol, endpoint.metered) == (name, protocol, True)
    plain = recognise(host, 443, "GET", f"/{path}", {})
    assert plain
    assert not plain.protocol


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/realtime/translations", "/new", "/v1/models"])
def test_unknown_websockets_are_metered_and_have_no_protocol(path: str) -> None:
    endpoint = recognise("api.openai.com", 443, "GET", path, UPGRADE)
    assert endpoint
    assert (endpoint.name, endpoint.metered, endpoint.protocol) == ("other", True, "")


def test_a_post_is_no_websocket_whatever_it_says() -> None:
    endpoint = recognise("api.openai.com", 443, "POST", "/v1/responses", UPGRADE)
    assert endpoint
    assert (endpoint.name, endpoint.metered, endpoint.protocol) == ("responses", True, "")


def test_websockets_of_shared_hosts_pass_where_no_model_is_behind_them() -> None:
    endpoint = recognise("r.cognitiveservices.azure.com", 443, "GET", "/speech/recognition", UPGRADE)
    assert endpoint
    assert not endpoint.metered
