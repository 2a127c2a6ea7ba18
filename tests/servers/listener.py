"""Something that listens on a free port, and of which nothing is left when it is left."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from ssl import SSLContext
from typing import Self

from limiter.redis_settings import Address


class Listener(ABC):
    """Serves connections while it is entered."""

    host = "127.0.0.1"

    def __init__(self, tls: SSLContext | None = None) -> None:
        self._listens_with = tls
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0, ssl=self._listens_with)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; ends quietly when either side is gone."""
