"""The load: keep-alive connections that each send the next request as soon as an answer is complete."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'"stamp":"(\d+)"')


@dataclass(slots=True)
class Tally:
    """What one run saw."""

    answers: int = 0
    seconds: float = 0.0
    delays: list[int] = field(default_factory=list)
    """Nanoseconds from the upstream's send to our receive, one per stamped piece."""


def request(host: str, *, chunks: int = 0, gap_us: int = 0, ask_usage: bool = True) -> bytes:
    """A chat completion of about 1 KB; a stream when it has chunks."""
    body: dict[str, object] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "word " * 180}]}
    pace = b""
    if chunks:
        body["stream"] = True
        pace = b"x-bench-chunks: %d\r\nx-bench-gap-us: %d\r\n" % (chunks, gap_us)
        if ask_usage:
            body["stream_options"] = {"include_usage": True}
    raw = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer sk-bench\r\n%s" % (
        host.encode(),
        pace,
    )
    return head + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(raw) + raw


async def run(port: int, sent: bytes, *, seconds: float, connections: int, stamped: bool = False) -> Tally:
    """Loads the port for that long.

    Raises:
        RuntimeError: an answer that is no 200, or a closed connection: the numbers would mean nothing.
    """
    tally, loop = Tally(), asyncio.get_running_loop()
    began = time.monotonic()
    workers = [_Connection(sent, tally, began + seconds, stamped=stamped) for _ in range(connections)]
    for worker in workers:
        await loop.create_connection(lambda worker=worker: worker, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(worker.done for worker in workers))
    tally.seconds = time.monotonic() - began
    return tally


class _Connection(asyncio.Protocol):
    def __init__(self, sent: bytes, tally: Tally, until: float, *, stamped: bool) -> None:
        self._sent = sent
        self._tally = tally
        self._until = until
        self._stamped = stamped
        self._received = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        if self._stamped:
            now = time.monotonic_ns()
            self._tally.delays.extend(now - int(stamp) for stamp in _STAMP.findall(data))
        self._received += data
        if not self._complete():
            return
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._end(RuntimeError(f"not a 200: {bytes(self._received[:500])!r}"))
            return
        self._received.clear()
        self._tally.answers += 1
        if time.monotonic() < self._until:
            self._transport.write(self._sent)
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(RuntimeError(f"connection closed: {bytes(self._received[:500])!r}"))

    def _complete(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = _LENGTH.search(self._received, 0, end)
        if length:
            return len(self._received) >= end + 4 + int(length[1])
        return self._received.endswith(b"\r\n0\r\n\r\n")

    def _end(self, problem: RuntimeError | None) -> None:
        if self.done.done():
            return
        if problem:
            self.done.set_exception(problem)
        else:
            self.done.set_result(None)
        self._transport.close()
