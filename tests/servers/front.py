"""Fronts of servers: they pass bytes on, speak TLS if asked to, and lose replies when told."""

import asyncio
import random
import ssl
from contextlib import suppress

from limiter.redis_settings import Address
from tests.servers.listener import Listener

TLS_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)
"""With which a client of PostgreSQL asks for TLS."""


class Front(Listener):
    """Stands before a server."""

    def __init__(self, backend: Address, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._backend = backend
        self._tls = tls
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

    async def _greet(self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        """What is read from the client before the server is connected to."""
        return b""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
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
        self._listens_with = None
        self.encrypted = 0
        """Connections that went over to TLS."""

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        first = await reader.readexactly(8)
        if first != TLS_REQUEST:
            return first
        writer.write(b"S" if self._tls else b"N")
        if self._tls:
            await writer.start_tls(self._tls)
            self.encrypted += 1
        return b""
