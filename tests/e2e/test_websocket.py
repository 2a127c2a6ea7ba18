"""Sessions over WebSocket: each turn is admitted and counted like a request, through the providers' own SDKs."""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors as gemini_errors
from google.genai import types
from google.genai.live import AsyncSession
from openai import OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from tests.e2e.certificates import Certificates
from tests.e2e.clients import KEY, Route
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.socket_upstream import SocketUpstream

CONFIG = """
settings:
  time_zone: UTC
limits:
  - {name: calls, amount: 1000 requests per day}
  - {name: input, amount: 1M prompt tokens per day}
  - {name: output, amount: 1M completion tokens per day}
  - {name: held, amount: 90M tokens per day, reserve: maximum}
  - {name: money, amount: $100 per day, reserve: estimate}
  - {name: twice, amount: 2 requests per day, match: {"header:x-team": "twice-*"}, per: ["header:x-team"]}
  - {name: none, amount: 0 requests per day, match: {"header:x-team": none}}
  - {name: minute, amount: 0 requests per 30 seconds, window: anchored, match: {"header:x-team": minute}}
  - {name: small, amount: 150 tokens per day, match: {"header:x-team": small}}
  - {name: named, amount: 1M tokens per day, match: {model: gpt-realtime}}
"""
REALTIME = "wss://api.openai.com/v1/realtime?model=gpt-realtime"
RESPONSES = "wss://api.openai.com/v1/responses"
LIVE = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
MODEL = "gpt-5-mini"
# The SDK's way of connecting.
pytestmark = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager:DeprecationWarning")


@pytest.fixture(scope="module")
def sockets(certificates: Certificates) -> Iterator[SocketUpstream]:
    with SocketUpstream(certificates) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(sockets: SocketUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with Proxy(tmp_path_factory.mktemp("proxy"), sockets, config=CONFIG) as proxy:  # type: ignore[arg-type]
        yield proxy


@pytest.fixture
def upstream(sockets: SocketUpstream) -> Iterator[SocketUpstream]:
    sockets.reset()
    yield sockets
    sockets.resume.set()


@pytest.fixture
def counters(proxy: Proxy) -> Counters:
    return Counters(proxy)


def options(proxy: Proxy) -> dict[str, Any]:
    return {"proxy": proxy.url, "ssl": ssl.create_default_context(cafile=proxy.ca_file), "max_size": None}


@contextmanager
def socket(proxy: Proxy, url: str, team: str = "", **more: Any) -> Iterator[ClientConnection]:
    headers = {"authorization": f"Bearer {KEY}", **({"x-team": team} if team else {}), **more.pop("headers", {})}
    with connect(url, additional_headers=headers, **{**options(proxy), **more}) as connection:
        yield connection


def say(connection: ClientConnection, **message: Any) -> None:
    connection.send(json.dumps(message))


def read(connection: ClientConnection) -> dict[str, Any]:
    found = json.loads(connection.recv(timeout=20))
    assert isinstance(found, dict)
    return found


def read_to(connection: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next event of one of these types; what comes before is passed over."""
    while (event := read(connection))["type"] not in kinds:
        pass
    return event


def read_to_close(connection: ClientConnection) -> Close:
    """How the other side closes."""
    with suppress(ConnectionClosed):
        for _ in connection:
            pass
    close = connection.protocol.close_rcvd
    assert close
    return close


def turn(connection: ClientConnection, **more: Any) -> dict[str, Any]:
    say(connection, type="response.create", **more)
    return read_to(connection, "response.done", "response.completed", "error")


@pytest.fixture
def openai(proxy: Proxy) -> Iterator[OpenAI]:
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        yield OpenAI(api_key=KEY, http_client=http, max_retries=0)


def test_turns_of_a_realtime_session_are_counted_exactly(
    openai: OpenAI, proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    with openai.realtime.connect(model="gpt-realtime", websocket_connection_options=options(proxy)) as connection:
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        for number in range(3):
            upstream.usage = (100 + number, 20)
            said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
            connection.conversation.item.create(item=said)  # type: ignore[arg-type]
            connection.response.create()
            kinds = []
            for event in connection:
                kinds.append(event.type)
                if event.type == "response.done":
                    break
            assert kinds.count("response.output_text.delta") == 3
            counters.expect(calls=number + 1, held=sum(120 + each for each in range(number + 1)))

    counters.expect(calls=3, input=303, output=60, held=363, named=363)
    assert counters.grown("money") > 0
    assert [upstream.paths, len(upstream.asked)] == [["/v1/realtime?model=gpt-realtime"], 3]


@pytest.mark.parametrize(
    "url",
    [
        "wss://myres.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime",
        "wss://myres.openai.azure.com/openai/v1/realtime?model=gpt-realtime",
        "wss://api.x.ai/v1/realtime?model=grok-voice-think-fast-1.0",
    ],
)
def test_azure_and_xai_speak_the_same_protocol(
    url: str, proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    team = f"twice-{url.partition('?')[0]}"
    with socket(proxy, url, team) as connection:
        assert [turn(connection)["type"] for _ in range(3)] == ["response.done", "response.done", "error"]

    counters.expect(calls=2, input=200, output=40, held=240)
    assert counters.grown("money") > 0
    assert len(upstream.asked) == 2


def test_a_connection_without_a_turn_costs_nothing(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    with socket(proxy, REALTIME, "none") as connection:
        read_to(connection, "session.created")
        say(connection, type="session.update", session={"instructions": "be brief"})
        read_to(connection, "session.updated")

    upstream.ended.wait(10)
    counters.expect(calls=0, held=0, money=0)


def test_a_refused_turn_is_an_error_event_and_the_session_goes_on(
    openai: OpenAI, proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    with openai.realtime.connect(
        model="gpt-realtime", extra_headers={"x-team": "twice-sdk"}, websocket_connection_options=options(proxy)
    ) as connection:
        kinds = []
        for number in range(4):
            connection.response.create(event_id=f"mine_{number}")
            for event in connection:
                if event.type == "error":
                    kinds.append((event.type, event.error.code, event.error.event_id))
                    assert "twice" in event.error.message
                if event.type == "response.done":
                    kinds.append((event.type, event.response.status, ""))
                if event.type in ("error", "response.done"):
                    break
        # The session is still of use for what costs nothing.
        connection.session.update(session={"type": "realtime"})
        assert next(event.type for event in connection if event.type == "session.updated")

    done = ("response.done", "completed", "")
    assert kinds[:2] == [done, done]
    assert [(kind, mine) for kind, _, mine in kinds[2:]] == [("error", "mine_2"), ("error", "mine_3")]
    assert len(upstream.asked) == 2
    counters.expect(calls=2, input=200, output=40)


def test_a_turn_that_the_voice_detection_starts_is_counted_with_its_transcription(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    with socket(proxy, REALTIME) as connection:
        for _ in range(3):
            say(connection, type="input_audio_buffer.append", audio="AAAA")
        read_to(connection, "response.done")
        read_to(connection, "conversation.item.input_audio_transcription.completed")
        # The transcription is another model's work, and no request.
        counters.expect(calls=1, input=107, output=22, held=129)


def test_a_refused_turn_of_the_voice_detection_closes_the_session(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    with socket(proxy, REALTIME, "none") as connection:
        for _ in range(3):
            say(connection, type="input_audio_buffer.append", audio="AAAA")
        assert "none" in read_to(connection, "error")["error"]["message"]
        close = read_to_close(connection)

    assert close.code == 1008
    assert upstream.ended.wait(10), "the provider's side was left open"
    counters.expect(calls=0, input=0)


def test_a_client_that_leaves_in_the_middle_of_a_turn_is_charged(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    upstream.stops_after = 2
    with socket(proxy, REALTIME) as connection:
        say(connection, type="response.create", response={"instructions": "tell me a story"})
        read_to(connection, "response.output_text.delta")
        read_to(connection, "response.output_text.delta")
        connection.socket.close()

    counters.expect(calls=1)
    assert_settled(counters)
    assert 0 < counters.grown("output") < 100
    assert counters.grown("input") > 0


def assert_settled(counters: Counters) -> None:
    """The hold of the whole answer is gone, and its estimate is there."""
    deadline = time.monotonic() + 10
    while not 0 < counters.grown("held") == counters.grown("input") + counters.grown("output"):
        assert time.monotonic() < deadline, counters.read()
        time.sleep(0.02)


def test_an_error_in_place_of_an_answer_costs_the_request_only(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    upstream.error = {"type": "invalid_request_error", "code": "bad", "message": "no", "param": None}
    with socket(proxy, REALTIME) as connection:
        assert turn(connection, event_id="mine")["error"]["code"] == "bad"
        counters.expect(calls=1, input=0, output=0, held=0)
        # Without a name of its own, the message is only known to be refused when nothing comes of it.
        assert turn(connection)["error"]["code"] == "bad"
    counters.expect(calls=2, input=0, output=0, held=0)


def test_the_responses_api_is_counted_turn_by_turn(
    openai: OpenAI, proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    with openai.responses.connect(websocket_connection_options=options(proxy)) as connection:
        previous = None
        for number in range(3):
            connection.response.create(model=MODEL, input="hello", previous_response_id=previous)
            for event in connection:
                if event.type == "response.completed":
                    previous = event.response.id
                    break
            assert previous == f"resp_{number + 1}"

    counters.expect(calls=3, input=300, output=60, held=360)
    assert upstream.paths == ["/v1/responses"]


def test_codex_is_told_of_a_spent_budget_in_its_own_words(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    codex = {"originator": "codex_cli_rs", "user-agent": "codex_cli_rs/0.169.0"}
    with socket(proxy, RESPONSES, "twice-codex", headers=codex) as connection:
        for _ in range(2):
            assert turn(connection, model=MODEL, input="hello")["type"] == "response.completed"
        refused = turn(connection, model=MODEL, input="hello")

    assert (refused["type"], refused["status"]) == ("error", 429)
    assert refused["error"]["type"] == "usage_limit_reached"
    assert refused["error"]["resets_at"] > 1_700_000_000
    assert refused["headers"]["x-codex-primary-used-percent"] == "100"
    assert len(upstream.asked) == 2


def test_lanes_of_one_connection_are_told_apart(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    with socket(proxy, RESPONSES, "twice-lanes") as connection:
        for lane in ("a", "b", "a"):
            say(connection, type="response.create", model=MODEL, input="hello", stream_id=lane)
        ends = [read_to(connection, "response.completed", "error") for _ in range(3)]

    assert sorted((end["type"], end["stream_id"]) for end in ends) == [
        ("error", "a"), ("response.completed", "a"), ("response.completed", "b"),
    ]  # fmt: skip
    counters.expect(calls=2, held=240)


async def test_gemini_live_is_counted_and_refused(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    client = gemini(proxy, "twice-gemini")
    config = types.LiveConnectConfig(response_modalities=[types.Modality.TEXT])
    async with client.aio.live.connect(model="gemini-2.5-flash", config=config) as session:
        for _ in range(2):
            assert await live_turn(session) == "word0 word1 word2 "
        with pytest.raises(gemini_errors.APIError, match="twice") as caught:
            await live_turn(session)

    assert caught.value.code == 1011
    counters.expect(calls=2, input=200, output=40, held=240)
    assert len(upstream.asked) == 2


async def live_turn(session: AsyncSession) -> str:
    said = types.Content(role="user", parts=[types.Part(text="hello")])
    await session.send_client_content(turns=said, turn_complete=True)
    return "".join([message.text or "" async for message in session.receive()])


def gemini(proxy: Proxy, team: str) -> genai.Client:
    arguments = options(proxy)
    del arguments["max_size"]
    http = types.HttpOptions(headers={"x-team": team}, async_client_args=arguments)
    return genai.Client(api_key=KEY, http_options=http, vertexai=False)


def test_sound_in_binary_frames_passes_untouched(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    sound = bytes(range(256)) * 40
    with socket(proxy, LIVE) as connection:
        say(connection, setup={"model": "models/gemini-2.5-flash"})
        assert read(connection) == {"setupComplete": {}}
        connection.send(sound)
        connection.send(b"{" + sound)
        upstream.wait_received(2)
        assert upstream.received[1] == sound
    counters.expect(calls=0)


def test_sound_that_nobody_answered_is_given_back(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    upstream.silent = True
    with socket(proxy, LIVE) as connection:
        say(connection, setup={"model": "models/gemini-2.5-flash"})
        for _ in range(3):
            say(connection, realtimeInput={"audio": {"mimeType": "audio/pcm", "data": "AAAA"}})
        counters.expect(calls=1)
    counters.expect(calls=0, input=0, output=0, held=0)


def test_what_cannot_be_read_does_not_pass(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    with socket(proxy, REALTIME) as connection:
        read_to(connection, "session.created")
        connection.send("response.create")
        assert "JSON" in read_to(connection, "error")["error"]["message"]
        assert turn(connection)["type"] == "response.done"

    assert len(upstream.received) == 1
    counters.expect(calls=1)


def test_json_in_a_binary_frame_is_a_message_too(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    with socket(proxy, REALTIME, "none") as connection:
        connection.send(json.dumps({"type": "response.create"}).encode())
        assert read_to(connection, "error", "response.done")["type"] == "error"
    assert not upstream.asked


@pytest.mark.parametrize("path", ["/v1/realtime/other", "/v1/chat/completions", "/new"])
def test_unknown_websockets_of_known_hosts_are_refused(path: str, proxy: Proxy, upstream: SocketUpstream) -> None:
    with pytest.raises(InvalidStatus) as caught, socket(proxy, f"wss://api.openai.com{path}"):
        pass

    assert caught.value.response.status_code == 501
    assert b"cannot be metered" in (caught.value.response.body or b"")
    assert not upstream.paths


def test_a_refusal_does_not_tear_a_message_that_is_half_there(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    """mitmproxy glues injected messages to what it holds of another."""
    whole = json.dumps({"type": "big", "text": "x" * 50_000})
    upstream.fragments = (whole[:30_000], whole[30_000:])
    with socket(proxy, REALTIME, "none") as connection:
        read_to(connection, "session.created")
        say(connection, type="session.update", session={})
        read_to(connection, "session.updated")
        assert upstream.half_sent.wait(10)
        say(connection, type="response.create")
        assert "none" in read(connection)["error"]["message"]
        upstream.resume.set()
        assert json.dumps(read(connection)) == whole


def test_a_spent_budget_of_tokens_refuses_the_next_turn(
    proxy: Proxy, upstream: SocketUpstream, counters: Counters
) -> None:
    with socket(proxy, REALTIME, "small") as connection:
        kinds = []
        for number in range(3):
            kinds.append(turn(connection)["type"])
            if number < 2:
                counters.expect(small=120 * (number + 1))
    assert kinds == ["response.done", "response.done", "error"]
    counters.expect(small=240)


def test_many_sessions_at_once_share_one_limit(proxy: Proxy, upstream: SocketUpstream, counters: Counters) -> None:
    ends: list[str] = []

    def talk() -> None:
        with socket(proxy, RESPONSES, "twice-many") as connection:
            ends.append(turn(connection, model=MODEL, input="hello")["type"])

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["error"] * 6 + ["response.completed"] * 2
    counters.expect(calls=2, twice=2)


BUGS = """
def load(loader):
    from limiter.usage.session import Session

    def broken(*args, **more):
        raise RuntimeError("a bug for the test")

    setattr(Session, "{method}", broken)
"""
LONGEST = """
import logging

class Longest:
    seen = 0

    def websocket_message(self, flow):
        self.seen += 1
        if len(flow.websocket.messages) > 1 or self.seen % 1000 == 0:
            logging.getLogger("test").warning("history of %d at %d", len(flow.websocket.messages), self.seen)

addons = [Longest()]
"""


@contextmanager
def scripted(folder: Path, upstream: SocketUpstream, script: str) -> Iterator[Proxy]:
    file = folder / "script.py"
    file.write_text(script)
    with Proxy(folder, upstream, config=CONFIG, args=["-s", str(file), "--set", "flow_detail=0"]) as proxy:  # type: ignore[arg-type]
        yield proxy


def test_a_bug_drops_the_message_and_closes_the_session(upstream: SocketUpstream, tmp_path: Path) -> None:
    with scripted(tmp_path, upstream, BUGS.format(method="asked")) as proxy, socket(proxy, REALTIME) as connection:
        assert turn(connection)["error"]["code"] == "internal_error"
        assert read_to_close(connection).code == 1011
    assert not upstream.received


def test_a_bug_on_the_side_of_the_provider_does_not_break_the_stream(upstream: SocketUpstream, tmp_path: Path) -> None:
    with scripted(tmp_path, upstream, BUGS.format(method="told")) as proxy:
        counters = Counters(proxy)
        with socket(proxy, REALTIME) as connection:
            assert turn(connection)["type"] == "response.done"
            assert turn(connection)["type"] == "response.done"
        counters.expect(calls=2)
        assert_settled(counters)


def test_a_long_session_keeps_no_history_and_no_memory(upstream: SocketUpstream, tmp_path: Path) -> None:
    with scripted(tmp_path, upstream, LONGEST) as proxy, socket(proxy, REALTIME) as connection:
        sound = "A" * 20_000

        def talk(rounds: int) -> int:
            for _ in range(rounds):
                upstream.received.clear()
                for _ in range(3):
                    say(connection, type="input_audio_buffer.append", audio=sound)
                read_to(connection, "conversation.item.input_audio_transcription.completed")
            return memory(proxy)

        before = talk(150)
        after = talk(300)
        assert after - before < 12 * 1024, f"from {before} kB to {after} kB"
        proxy.wait_log("history of 1 at 4000")
        assert "history of 2" not in proxy.log


def memory(proxy: Proxy) -> int:
    """Kilobytes that the process takes."""
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(proxy.pid)], capture_output=True, check=True).stdout)


def test_a_stopped_proxy_charges_what_was_under_way(upstream: SocketUpstream, tmp_path: Path) -> None:
    upstream.stops_after = 2
    with scripted(tmp_path, upstream, LONGEST) as proxy:
        counters = Counters(proxy)
        with socket(proxy, REALTIME) as connection:
            say(connection, type="response.create")
            read_to(connection, "response.output_text.delta")
            read_to(connection, "response.output_text.delta")
            proxy.stop()
        counters.expect(calls=1)
        assert_settled(counters)


def test_a_plain_request_that_asks_for_another_protocol_is_answered_in_http(
    proxy: Proxy, upstream: SocketUpstream
) -> None:
    """Else the server could switch to what nobody here reads."""
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        answer = http.get("https://api.openai.com/v1/realtime", headers={"upgrade": "websocket, h2c"})
    assert answer.status_code == 426, "the WebSocket server saw no upgrade"


def test_sessions_can_be_written_to_a_file(upstream: SocketUpstream, tmp_path: Path) -> None:
    file = tmp_path / "flows.mitm"
    with Proxy(tmp_path, upstream, config=CONFIG, args=["-w", str(file)]) as proxy:  # type: ignore[arg-type]
        counters = Counters(proxy)
        with socket(proxy, REALTIME) as connection:
            assert turn(connection)["type"] == "response.done"
        counters.expect(calls=1, held=120)
    assert b"/v1/realtime" in file.read_bytes()
    assert "Addon error" not in proxy.log
