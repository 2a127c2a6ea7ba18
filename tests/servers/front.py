"""Fronts of servers: they pass bytes on, speak TLS if asked to, and lose replies when told."""

import asyncio
import random
import ssl
from contextlib import suppress
from typing import Self

from limiter.redis_settings import Address

TLS_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)
"""With which a client of PostgreSQL asks for TLS."""


class Front:
    """Listens on a free port while it is entered."""

    host = "127.0.0.1"

    def __init__(self, backend: Address, tls: ssl.SSLContext | None = None) -> None:
        self._backend = backend
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.names: list[str | None] = []
        """What clients asked for in SNI."""
        self.connections = 0
        self.lost = 0
        """Replies to lose: each arrives here, and the client's connection is closed in its place."""
        self.odds = 0.0
        """With which any other reply is lost in the same way."""
        self.silent = False
        """Replies are lost, and connections stay open."""
        if tls:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await self._listen()
        return self

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, 0, ssl=self._tls)

    async def _greet(self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        """What is read from the client before the server is connected to."""
        return b""

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
        self.connections += 1
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            first = await self._greet(reader, writer)
            server_reader, server_writer = await asyncio.open_connection(*self._backend)
            server_writer.write(first)
            forth = asyncio.create_task(self._pass(reader, server_writer))
            try:
                while data := await server_reader.read(65_536):
                    if self.silent:
                        continue
                    if self.lost or random.random() < self.odds:
                        self.lost = max(0, self.lost - 1)
                        break
                    writer.write(data)
                    await writer.drain()
            finally:
                forth.cancel()
                server_writer.close()
                writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


class PostgresFront(Front):
    """Of a PostgreSQL server, where TLS begins within a connection."""

    host = "0.0.0.0"

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(Address("127.0.0.1", port), tls)
        self.encrypted = 0
        """Connections that went over to TLS."""

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, 0)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        first = await reader.readexactly(8)
        if first != TLS_REQUEST:
            return first
        writer.write(b"S" if self._tls else b"N")
        if self._tls:
            await writer.start_tls(self._tls)
            self.encrypted += 1
        return b""
