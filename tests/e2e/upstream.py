"""A local server that answers as the providers do, over HTTP and HTTPS, and remembers what it was asked.

It runs in a thread of the test process. Its HTTP port is a forward proxy too: CONNECT leads to the same answers, so
that it can be the parent of a proxy under test.
"""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from tests.e2e import http1
from tests.e2e.behaviour import Behaviour
from tests.e2e.certificates import Certificates
from tests.e2e.delivery import Delivery, Reader
from tests.e2e.exchange import PATIENCE, Exchange


class Upstream:
    """A context manager; `reset()` between tests."""

    def __init__(self, certificates: Certificates) -> None:
        self.ca_file = certificates.ca
        """What a client of the HTTPS port must trust."""
        self.behaviour = Behaviour()
        """For requests that do not say otherwise in `x-test-*` headers."""
        self.exchanges: list[Exchange] = []
        self.connects: list[str] = []
        """Targets of CONNECT requests, `host:port`."""
        self.http_port = 0
        self.https_port = 0
        self._tls = certificates.server_context()
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="upstream", daemon=True)

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def https_url(self) -> str:
        return f"https://127.0.0.1:{self.https_port}"

    @property
    def only(self) -> Exchange:
        """The one request that came since the last reset."""
        assert len(self.exchanges) == 1, self.exchanges
        return self.exchanges[0]

    def wait_exchange(self, number: int = 1, timeout: float = PATIENCE) -> Exchange:
        """The request of that number since the last reset, counted from 1; waits for it to come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.exchanges) >= number, timeout):
                raise TimeoutError(f"request {number} did not come within {timeout} s: {self.exchanges}")
            return self.exchanges[number - 1]

    def reset(self) -> None:
        """Forgets what came, lets held answers go on, and returns to the plain behaviour."""
        for exchange in self.exchanges:
            exchange.release()
        self.behaviour = Behaviour()
        self.exchanges.clear()
        self.connects.clear()

    def start(self) -> None:
        self._thread.start()
        if not self._started.wait(PATIENCE):
            raise TimeoutError("the upstream did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        plain = await self._loop.create_server(self._protocol, "127.0.0.1", 0, backlog=1024)
        secure = await self._loop.create_server(self._protocol, "127.0.0.1", 0, backlog=1024, ssl=self._tls)
        self.http_port, self.https_port = (server.sockets[0].getsockname()[1] for server in (plain, secure))
        self._started.set()
        await self._stopping.wait()
        for server in (plain, secure):
            server.close()
            server.abort_clients()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(Reader(), self._connection)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Reader)
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while (request := await http1.read(reader)) and await self._serve_one(request, reader, writer):
                pass
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _serve_one(self, request: http1.Request, reader: Reader, writer: asyncio.StreamWriter) -> bool:
        """True when the connection can carry another request."""
        if request.method == "CONNECT":
            self.connects.append(request.target)
            writer.write(http1.head(200, []))
            await writer.start_tls(self._tls)
            return True
        released = asyncio.Event()
        exchange = Exchange(
            len(self.exchanges) + 1,
            request,
            secure=writer.get_extra_info("sslcontext") is not None,
            changed=self._changed,
            release=lambda: self._loop.call_soon_threadsafe(released.set),
        )
        with self._changed:
            self.exchanges.append(exchange)
            self._changed.notify_all()
        return await Delivery(exchange, released, reader, writer).run(self.behaviour)
