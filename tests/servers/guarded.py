"""A front of a server that lets nobody in without a token, and keeps nobody for ever, as clouds do."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from limiter.redis_settings import Address
from tests.servers.listener import Listener

Gatekeeper = Callable[[str, str], int | None]
"""For a user, who may be nameless, and a token: until when the connection is kept, in milliseconds. None: refused."""
NOWHERE: Mapping[int, int] = MappingProxyType({})


class Guarded(Listener):
    """The server behind it asks for nothing.

    Args:
        clock: by which connections end; looked at with each command.
        moved: ports that the server names, and those that it is to name in their place.
    """

    def __init__(
        self, backend: Address, admit: Gatekeeper, clock: Callable[[], int], moved: Mapping[int, int] = NOWHERE
    ) -> None:
        super().__init__()
        self._backend = backend
        self._admit = admit
        self._clock = clock
        self._moved = moved
        self.shown: list[str] = []
        """Tokens that were taken."""
        self.refused = 0
        self.dropped = 0
        """Commands that came after their connection's end."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._backend)
        back = asyncio.create_task(self._answer(server_reader, writer))
        try:
            await self._follow(reader, writer, server_writer)
        finally:
            back.cancel()
            server_writer.close()
            writer.close()

    async def _follow(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        until: int | None = None
        while True:
            raw, words = await _command(reader)
            name = words[0].upper()
            if until is not None and self._clock() >= until:
                self.dropped += 1
                return
            if name == b"AUTH":
                *user, token = (word.decode() for word in words[1:])
                until = self._admit("".join(user), token)
                if until is None:
                    self.refused += 1
                    writer.write(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
                else:
                    self.shown.append(token)
                    writer.write(b"+OK\r\n")
            elif until is None:
                writer.write(b"-NOAUTH Authentication required.\r\n")
            else:
                server.write(raw)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1_000_000):
                for here, there in self._moved.items():
                    data = data.replace(b":%d\r\n" % here, b":%d\r\n" % there)
                writer.write(data)
        writer.close()


async def _command(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """One command as it came, and its words."""
    raw = [await reader.readuntil(b"\r\n")]
    words = []
    for _ in range(int(raw[0][1:])):
        head = await reader.readuntil(b"\r\n")
        body = await reader.readexactly(int(head[1:]) + 2)
        raw += [head, body]
        words.append(body[:-2])
    return b"".join(raw), words
