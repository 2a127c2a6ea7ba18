"""The upstream of the benchmark: a process that answers chat completions as fast as asyncio can.

Started as `python -m tests.bench.server`; prints its port and ends when its standard input does. Headers of a request:
`x-bench-chunks` (pieces of a stream) and `x-bench-gap-us` (pause between them; 0: as fast as they go). Each piece
carries `stamp`, the monotonic clock in nanoseconds at which it was sent, which every process of the machine shares.
"""

import asyncio
import json
import re
import sys
import time

MARK = b"x-bench-upstream"
"""A header of every answer: tells this server from whatever else may listen on a port."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKS = re.compile(rb"\r\nx-bench-chunks: *(\d+)", re.IGNORECASE)
_GAP = re.compile(rb"\r\nx-bench-gap-us: *(\d+)", re.IGNORECASE)
_FRAME = {"id": "chatcmpl-1", "created": 1_760_000_000, "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_1"}
_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def _json_answer() -> bytes:
    message: dict[str, object] = {"role": "assistant", "content": "word " * 90, "refusal": None, "annotations": []}
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    body = json.dumps({**_FRAME, "object": "chat.completion", "choices": choices, "usage": _USAGE}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%s: 1\r\ncontent-length: %d\r\n\r\n"
    return head % (MARK, len(body)) + body


def _event(choices: list[dict[str, object]], usage: object = None, **more: object) -> bytes:
    data = {**_FRAME, "object": "chat.completion.chunk", "choices": choices, "usage": usage, **more}
    return b"data: %s\n\n" % json.dumps(data, separators=(",", ":")).encode()


_JSON = _json_answer()
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%s: 1\r\ntransfer-encoding: chunked\r\n\r\n" % MARK
)
_STAMP = "0" * 19
"""Stands where the time will be; as long as any time, so that the chunk's length does not change. Text, as a number
with leading zeros would be no JSON."""
_PIECE = _event([{"index": 0, "delta": {"content": "word "}, "logprobs": None, "finish_reason": None}], stamp=_STAMP)
_END = (
    _event([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]),
    _event([], _USAGE),
    b"data: [DONE]\n\n",
)


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


_WIRE_BEFORE, _, _WIRE_AFTER = chunk(_PIECE).partition(_STAMP.encode())
_WIRE_END = b"".join(map(chunk, _END)) + b"0\r\n\r\n"


class Server(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._streams: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            size = end + 4 + _number(_LENGTH, head)
            if len(self._received) < size:
                return
            self._received = self._received[size:]
            if chunks := _number(_CHUNKS, head):
                stream = asyncio.ensure_future(self._stream(chunks, _number(_GAP, head) / 1e6))
                self._streams.add(stream)
                stream.add_done_callback(self._streams.discard)
            else:
                self._transport.write(_JSON)

    def connection_lost(self, exc: Exception | None) -> None:
        for stream in self._streams:
            stream.cancel()

    async def _stream(self, chunks: int, gap: float) -> None:
        self._transport.write(_STREAM_HEAD)
        for _ in range(chunks):
            # Also without a pause each piece is written by itself, as servers do.
            await asyncio.sleep(gap)
            self._transport.write(_WIRE_BEFORE + b"%019d" % time.monotonic_ns() + _WIRE_AFTER)
        self._transport.write(_WIRE_END)


def _number(pattern: re.Pattern[bytes], head: bytes) -> int:
    found = pattern.search(head)
    return int(found[1]) if found else 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
