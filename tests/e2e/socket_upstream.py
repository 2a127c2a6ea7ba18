"""A local server that speaks the providers' WebSocket protocols over TLS, and remembers what it was told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.e2e.certificates import Certificates
from tests.e2e.exchange import PATIENCE

type Message = dict[str, Any]


class SocketUpstream:
    """A context manager; `reset()` between tests. It stands in for an `Upstream` where a proxy is made."""

    def __init__(self, certificates: Certificates) -> None:
        self.ca_file = certificates.ca
        self.http_port = 0
        self.https_port = 0
        self._tls = certificates.server_context()
        self._server: Server | None = None
        self._changed = threading.Condition()
        self.reset()

    def reset(self) -> None:
        """Forgets what came, and answers plainly."""
        self.paths: list[str] = []
        """Of the upgrades."""
        self.received: list[Message | bytes] = []
        """Every message of every session, sound as bytes."""
        self.usage = (100, 20)
        """Tokens of input and output that each answer reports."""
        self.words = 3
        self.silent = False
        """Nothing is answered at all."""
        self.stops_after: int | None = None
        """Words after which an answer goes no further."""
        self.error: Message | None = None
        """Sent in place of an answer."""
        self.heard_after = 3
        """Pieces of sound after which the voice detection answers."""
        self.fragments: tuple[str, str] | None = None
        """Two halves of a message that is sent before the next answer, with `resume` awaited between them."""
        self.resume = threading.Event()
        self.half_sent = threading.Event()
        self.ended = threading.Event()
        """A session is over."""

    @property
    def asked(self) -> list[Message]:
        """Messages that ask for an answer, as they came."""
        kinds = ("response.create", "clientContent", "client_content")
        return [
            one
            for one in self.received
            if isinstance(one, dict) and (one.get("type") in kinds or not one.keys().isdisjoint(kinds))
        ]

    def wait_received(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= number, PATIENCE), self.received

    def __enter__(self) -> Self:
        self._server = serve(self._serve, "127.0.0.1", 0, ssl=self._tls, max_size=None)
        self.https_port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, name="sockets", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.shutdown()

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request
        path = connection.request.path
        self.paths.append(path)
        speaks: Callable[[_Talk], None]
        if "/realtime" in path:
            speaks = _realtime
        elif "/responses" in path:
            speaks = _responses
        else:
            speaks = _live
        try:
            speaks(_Talk(self, connection))
        except ConnectionClosed:
            pass
        finally:
            self.ended.set()

    def note(self, message: Message | bytes) -> None:
        with self._changed:
            self.received.append(message)
            self._changed.notify_all()


class _Talk:
    """One session."""

    def __init__(self, upstream: SocketUpstream, connection: ServerConnection) -> None:
        self.upstream = upstream
        self._connection = connection
        self.count = 0

    def messages(self) -> Iterator[Message]:
        """What the client says; sound is noted and passed over."""
        for raw in self._connection:
            if isinstance(raw, bytes) and not raw.startswith(b"{"):
                self.upstream.note(raw)
                continue
            message = json.loads(raw)
            self.upstream.note(message)
            yield message

    def say(self, *, binary: bool = False, **message: Any) -> None:
        text = json.dumps(message)
        self._connection.send(text.encode() if binary else text)

    def event(self, kind: str, **more: Any) -> None:
        self.say(type=kind, event_id=f"event_{time.monotonic_ns()}", **more)

    def words(self) -> Iterator[str]:
        """The words of an answer. One that stops waits for the client to leave."""
        for number in range(self.upstream.words):
            if number == self.upstream.stops_after:
                next(self.messages(), None)
                raise ConnectionClosed(None, None)
            yield f"word{number} "

    def next_id(self) -> str:
        self.count += 1
        return f"resp_{self.count}"

    def halves(self) -> None:
        """Sends one message in two parts, if that is asked for."""
        if self.upstream.fragments:
            halves, self.upstream.fragments = self.upstream.fragments, None
            self._connection.send(self._parts(*halves))

    def _parts(self, first: str, second: str) -> Iterator[str]:
        yield first
        self.upstream.half_sent.set()
        self.upstream.resume.wait(PATIENCE)
        yield second


def _usage(upstream: SocketUpstream) -> Message:
    prompt, completion = upstream.usage
    return {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}


def _realtime(talk: _Talk) -> None:
    talk.event("session.created", session={"type": "realtime", "model": "gpt-realtime"})
    heard = 0
    for message in talk.messages():
        match message["type"]:
            case "session.update":
                talk.event("session.updated", session=message["session"])
                talk.halves()
            case "response.create":
                _realtime_answer(talk, message)
            case "input_audio_buffer.append":
                heard += 1
                if heard == talk.upstream.heard_after:
                    heard = 0
                    talk.event("input_audio_buffer.committed", item_id="item_1")
                    _realtime_answer(talk, message)
                    words = {"type": "tokens", "input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
                    talk.event(
                        "conversation.item.input_audio_transcription.completed",
                        item_id="item_1", content_index=0, transcript="hello", usage=words,
                    )  # fmt: skip


def _realtime_answer(talk: _Talk, message: Message) -> None:
    upstream = talk.upstream
    if upstream.silent:
        return
    if upstream.error:
        talk.event("error", error={**upstream.error, "event_id": message.get("event_id")})
        return
    name = talk.next_id()
    answer: Message = {"object": "realtime.response", "id": name, "status": "in_progress", "output": [], "usage": None}
    talk.event("response.created", response=answer)
    place = {"response_id": name, "item_id": "item_2", "output_index": 0, "content_index": 0}
    for word in talk.words():
        talk.event("response.output_text.delta", **place, delta=word)
    talk.event("response.done", response={**answer, "status": "completed", "usage": _usage(upstream)})


def _responses(talk: _Talk) -> None:
    for message in talk.messages():
        upstream = talk.upstream
        if upstream.silent:
            continue
        if upstream.error:
            talk.say(type="error", status=400, error=upstream.error)
            continue
        lane = {"stream_id": message["stream_id"]} if "stream_id" in message else {}
        answer: Message = {
            "id": talk.next_id(), "object": "response", "created_at": 1_760_000_000, "model": message["model"],
            "status": "in_progress", "output": [], "usage": None, "background": False, "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
            "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        }  # fmt: skip
        talk.say(type="response.created", response=answer, sequence_number=0, **lane)
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        for number, word in enumerate(talk.words()):
            talk.say(type="response.output_text.delta", **place, delta=word, sequence_number=number + 1, **lane)
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        done = {**answer, "status": "completed", "usage": {**_usage(upstream), **details}}
        talk.say(type="response.completed", response=done, sequence_number=99, **lane)


def _live(talk: _Talk) -> None:
    """Google's frames are binary."""
    for message in talk.messages():
        if "setup" in message:
            talk.say(binary=True, setupComplete={})
        elif not message.keys().isdisjoint({"client_content", "clientContent"}) and not talk.upstream.silent:
            for word in talk.words():
                talk.say(binary=True, serverContent={"modelTurn": {"parts": [{"text": word}]}})
            talk.say(binary=True, serverContent={"generationComplete": True})
            prompt, completion = talk.upstream.usage
            counts = {"promptTokenCount": prompt, "responseTokenCount": completion}
            total = {**counts, "totalTokenCount": prompt + completion}
            talk.say(binary=True, serverContent={"turnComplete": True}, usageMetadata=total)
