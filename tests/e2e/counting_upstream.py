"""A local server that counts in a response header, over HTTP/1.1, HTTP/2 and gRPC, and remembers what it was asked.

What a request's `x-say` fields hold becomes its response's `x-kong-limit` fields. With `x-endless` the body does not
end before the client leaves. gRPC is told by the content type.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

from tests.e2e import http1
from tests.e2e.certificates import Certificates

PATIENCE = 10.0
"""Seconds."""
PIECE = b"still going on\n"
MESSAGE = b"\0\0\0\0\0"
"""gRPC's frame of an empty message."""

Fields = list[tuple[str, str]]


@dataclass(eq=False)
class Call:
    """A request."""

    version: str
    headers: dict[str, str]
    """Lower-case names; the last of repeated ones."""
    fields: Fields
    left: threading.Event = field(default_factory=threading.Event)
    """The client did not want the rest of the answer."""

    @property
    def endless(self) -> bool:
        return "x-endless" in self.headers

    @property
    def grpc(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/grpc")

    def answer(self) -> Fields:
        said = [("x-kong-limit", value) for name, value in self.fields if name == "x-say"]
        kind = "application/grpc" if self.grpc else "text/plain"
        return [("content-type", kind), ("x-other", "kept"), *said]


class CountingUpstream:
    """A context manager."""

    def __init__(self, certificates: Certificates) -> None:
        self.ca_file = certificates.ca
        self.port = 0
        self.http_port = self.https_port = 0
        """Nothing is redirected here."""
        self.calls: list[Call] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificates.chain)
        self._tls.set_alpn_protocols(["h2", "http/1.1"])
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="counting", daemon=True)

    @property
    def last(self) -> Call:
        return self.calls[-1]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        server.close()
        server.abort_clients()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        two = writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await (self._http2 if two else self._http1)(reader, writer)
        writer.close()

    def _called(self, version: str, fields: Iterable[tuple[str, str]]) -> Call:
        lowered = [(name.lower(), value) for name, value in fields]
        call = Call(version, dict(lowered), lowered)
        self.calls.append(call)
        return call

    async def _http1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await http1.read(reader):
            call = self._called("HTTP/1.1", request.headers)
            length = ("transfer-encoding", "chunked") if call.endless else ("content-length", str(len(PIECE)))
            writer.write(http1.head(200, [*call.answer(), length]))
            if not call.endless:
                writer.write(PIECE)
                continue
            gone = asyncio.ensure_future(reader.read(1))
            while not gone.done():
                writer.write(http1.chunk(PIECE))
                await asyncio.wait([gone], timeout=0.01)
            call.left.set()
            return

    async def _http2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        calls: dict[int, Call] = {}
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                match event:
                    case RequestReceived(stream_id=int(stream), headers=list(headers)):
                        calls[stream] = self._called("HTTP/2", [(str(name), str(value)) for name, value in headers])
                    case DataReceived(flow_controlled_length=int(length), stream_id=int(stream)):
                        connection.acknowledge_received_data(length, stream)
                    case StreamEnded(stream_id=int(stream)):
                        self._answer(connection, stream, calls[stream])
                    case StreamReset(stream_id=int(stream)):
                        calls[stream].left.set()
            writer.write(connection.data_to_send())
            await writer.drain()

    def _answer(self, connection: H2Connection, stream: int, call: Call) -> None:
        connection.send_headers(stream, [(":status", "200"), *call.answer()])
        connection.send_data(stream, MESSAGE if call.grpc else PIECE, end_stream=not (call.endless or call.grpc))
        if call.grpc and not call.endless:
            connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
