"""A front of a PostgreSQL server: passes bytes on, speaks TLS as such servers do if it can, and loses replies."""

import asyncio
import ssl
from contextlib import suppress
from typing import Self

TLS_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)


class Front:
    """Listens on a free port while it is entered."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._backend = port
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.encrypted = 0
        """Connections that went over to TLS."""
        self.silent = False
        """Nothing is answered, and connections stay open."""
        self.lost = 0
        """Replies to lose: each arrives here, and the client's connection is closed in its place."""

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "0.0.0.0", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == TLS_REQUEST:
                writer.write(b"S" if self._tls else b"N")
                if self._tls:
                    await writer.start_tls(self._tls)
                    self.encrypted += 1
                first = b""
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._backend)
            server_writer.write(first)
            forth = asyncio.create_task(self._forth(reader, server_writer))
            try:
                while data := await server_reader.read(65_536):
                    if self.silent:
                        continue
                    if self.lost:
                        self.lost -= 1
                        break
                    writer.write(data)
                    await writer.drain()
            finally:
                forth.cancel()
                server_writer.close()
        writer.close()

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()
