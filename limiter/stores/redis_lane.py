"""Calls to one server, pipelined: those of one turn of the event loop are sent and read together.

A call of the driver alone costs several times the processor time (`tests/bench/redis_decisions.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from redis import exceptions

from limiter.redis_settings import RedisSettings
from limiter.stores.batches import Batches
from limiter.stores.contract import StoreError
from limiter.stores.redis_dial import Connection
from limiter.stores.redis_errors import forbids_digests, is_unknown_script, lost, refused
from limiter.stores.redis_script import Call

MOST_AT_ONCE = 256
"""Calls in one pipeline, so that a large crowd is answered in parts."""
ASKING = b"*1\r\n$6\r\nASKING\r\n"
FAILURES = (exceptions.RedisError, OSError, TimeoutError)


class Waiting(NamedTuple):
    """A call, and who waits for its reply."""

    call: Call
    asking: bool
    """The key is moving to this server, which has to be told that we know."""
    reply: asyncio.Future[bytes]

    @property
    def is_wanted(self) -> bool:
        """Still to be sent: not answered, nor cancelled while that still keeps it from happening.

        A settlement tells what has happened, and is booked whoever waits for it.
        """
        return not self.reply.done() or (self.reply.cancelled() and not self.call.droppable)


class Lane:
    """The calls to one server.

    What is sent again, and only once: what was not run for sure (the script was unknown, the server is a replica), and
    what was sent over a connection that had been idle and turns out to be dead. Should that have been run after all,
    the call's id keeps it from counting twice.

    Args:
        where: the server, for error texts.
        connect: makes a new connection.
        holds: whether a connection may be used for some more calls.
    """

    def __init__(
        self,
        where: object,
        connect: Callable[[], Awaitable[Connection]],
        holds: Callable[[Connection], bool],
        settings: RedisSettings,
    ) -> None:
        self._where = where
        self._connect = connect
        self._holds = holds
        self._timeouts = settings.timeouts
        self._size = settings.pool_size
        self._backlog = settings.backlog
        self._idle: list[Connection] = []
        self._batches = Batches(self._carry, self._take, settings.pool_size)
        self._generation = 0
        self._by_text = False
        """The server allows EVAL, but not EVALSHA."""
        self._closed = False

    def submit(self, call: Call, *, asking: bool = False) -> asyncio.Future[bytes]:
        """The reply to come. Its exceptions are `StoreError`; `RefusedError` and `LostError` say more.

        Raises:
            StoreError: closed, or too many calls wait.
        """
        if self._closed:
            raise StoreError(f"{self._where}: closed")
        if self._backlog is not None and self._batches.is_full and len(self._batches.waiting) >= self._backlog:
            raise StoreError(f"{self._where}: {self._size} connections are busy and {self._backlog} calls wait")
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._batches.add(Waiting(call, asking, reply))
        return reply

    async def renew(self) -> None:
        """Calls that are sent from now on go over new connections: the server is another one."""
        self._generation += 1
        for connection in self._take_idle():
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Answers what waits, within the timeouts, and closes the connections."""
        self._closed = True
        await self._batches.finish()
        for connection in self._take_idle():
            with suppress(*FAILURES):
                async with asyncio.timeout(1):
                    await connection.disconnect()

    def _take(self) -> list[Waiting]:
        waiting = self._batches.waiting
        chosen = [waiting.popleft() for _ in range(min(len(waiting), MOST_AT_ONCE))]
        return [item for item in chosen if item.is_wanted]

    async def _carry(self, batch: Sequence[Waiting]) -> None:
        """Has every call of the batch answered. Raises nothing."""
        try:
            again = await self._attempt(batch, await self._idle_connection())
            if again:
                # What else is idle was connected to the same server before it went away or lost its role.
                await self.renew()
                await self._attempt(again, None)
        except FAILURES as problem:
            hung = isinstance(problem, TimeoutError | exceptions.TimeoutError) and self._batches.is_full
            self._fail([*batch, *(self._batches.waiting if hung else ())], problem)
        except BaseException as problem:
            self._fail(batch, problem)
            raise

    async def _attempt(self, batch: Sequence[Waiting], idle: Connection | None) -> list[Waiting]:
        """Answers calls over one connection; returns those that may be sent again over a new one."""
        generation = self._generation
        connection = idle or await self._connect()
        again: list[Waiting] = []
        try:
            unknown = await self._exchange(connection, batch, again if idle else None)
            if unknown:
                # The first brings the script, the others find it there, unless digests are not for us.
                await self._exchange(connection, unknown[:1], None, whole=True)
                await self._exchange(connection, unknown[1:], None, whole=self._by_text)
        except FAILURES as problem:
            await connection.disconnect(nowait=True)
            timed_out = isinstance(problem, TimeoutError | exceptions.TimeoutError)
            if timed_out or idle is None:
                raise
            return [item for item in batch if item.is_wanted]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        if again or generation != self._generation:
            await connection.disconnect(nowait=True)
        else:
            self._idle.append(connection)
        return again

    async def _exchange(
        self, connection: Connection, batch: Sequence[Waiting], again: list[Waiting] | None, *, whole: bool = False
    ) -> list[Waiting]:
        """Sends and reads; returns the calls whose script is unknown, and adds to `again` those for another server."""
        unknown: list[Waiting] = []
        if not batch:
            return unknown
        whole = whole or self._by_text
        commands = [
            ASKING + item.call.command(whole=whole) if item.asking else item.call.command(whole=whole) for item in batch
        ]
        async with asyncio.timeout(self._timeouts.send) as limit:
            await connection.send_packed_command(commands, check_health=False)
            # Another timeout would cost more than this does.
            limit.reschedule(asyncio.get_running_loop().time() + self._timeouts.read)
            for item in batch:
                if item.asking:
                    with suppress(exceptions.ResponseError):
                        await connection.read_response(disable_decoding=True)
                try:
                    reply = await connection.read_response(disable_decoding=True)
                except exceptions.ResponseError as problem:
                    self._by_text = self._by_text or forbids_digests(problem)
                    if not whole and (is_unknown_script(problem) or forbids_digests(problem)):
                        unknown.append(item)
                    elif again is not None and isinstance(problem, exceptions.ReadOnlyError):
                        again.append(item)
                    elif not item.reply.done():
                        item.reply.set_exception(refused(self._where, problem))
                else:
                    if not item.reply.done():
                        item.reply.set_result(reply)
        return unknown

    async def _idle_connection(self) -> Connection | None:
        """One that may be used; those that may not are left."""
        while self._idle:
            connection = self._idle.pop()
            if self._holds(connection):
                return connection
            await connection.disconnect(nowait=True)
        return None

    def _take_idle(self) -> list[Connection]:
        taken, self._idle = self._idle, []
        return taken

    def _fail(self, batch: Sequence[Waiting], problem: BaseException) -> None:
        for item in batch:
            if not item.reply.done():
                item.reply.set_exception(lost(self._where, problem))
