"""Calls to a database, in batches of which each is one round trip and one transaction."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import NamedTuple

import asyncpg

from limiter.counters import Acquired
from limiter.stores import postgres_calls as calls
from limiter.stores.batches import Batches
from limiter.stores.contract import Clock, StoreError
from limiter.stores.postgres_calls import ACQUIRE, Call
from limiter.stores.postgres_dial import connect
from limiter.stores.postgres_errors import FAILURES, Verdict, judge, store_error
from limiter.stores.postgres_schema import spelled
from limiter.stores.postgres_settings import PostgresSettings

LARGEST = 128
"""Calls, or ids to renew, with which a batch is full; bounds the time for which it keeps others from its keys."""
WAITING = 10_000
"""Calls that may wait; more are turned away at once."""
SWEEP_EVERY = 64
"""Rows that are added between two sweeps. A sweep deletes more than that, so that tables cannot grow for ever."""
GRACE = 0.2
"""Seconds by which we wait longer than the server, so that it is the server that gives up and the connection lives."""
CLOSING = 1.0
"""Seconds for a connection to say goodbye."""


class Waiting(NamedTuple):
    """A call, and who waits for it."""

    call: Call
    reply: asyncio.Future[Acquired | None]


class Lane:
    """The connections to one database, for one event loop.

    What is sent again, and only once: what was undone for the sake of another transaction, and what was sent over a
    connection that had been idle and turns out to be dead. Should that have been run after all, the call's id keeps it
    from counting twice. A batch that cannot be written is sent call by call: each gets what is its own.

    Args:
        clock: in place of the server's own; for tests.
    """

    def __init__(self, settings: PostgresSettings, clock: Clock | None) -> None:
        self._settings = settings
        self._clock = clock
        self._query = spelled("SELECT * FROM {schema}.step($1, $2, $3, $4, $5, $6, $7, $8, $9)", settings.schema)
        self._idle: list[asyncpg.Connection] = []
        self._batches = Batches(self._carry, self._take, settings.pool_size)
        self._added = 0
        """Rows since the last sweep."""
        self._closed = False

    def submit(self, call: Call) -> asyncio.Future[Acquired | None]:
        """The answer to come; None for all but acquires. It raises `StoreError`.

        Raises:
            StoreError: closed, or too many calls wait.
        """
        if self._closed:
            raise StoreError(f"{self._settings}: the store is closed")
        if len(self._batches.waiting) >= WAITING:
            raise StoreError(f"{self._settings}: {WAITING} calls wait already")
        reply: asyncio.Future[Acquired | None] = asyncio.get_running_loop().create_future()
        self._batches.add(Waiting(call, reply))
        return reply

    async def close(self) -> None:
        """Answers what waits, within the timeouts, and closes the connections."""
        self._closed = True
        await self._batches.finish()
        while self._idle:
            connection = self._idle.pop()
            with suppress(*FAILURES):
                await connection.close(timeout=CLOSING)

    async def _carry(self, batch: Sequence[Waiting]) -> None:
        """Has every call of the batch answered. Raises nothing."""
        try:
            await self._attempt(batch)
        except StoreError as problem:
            self._fail(batch, problem)
        except FAILURES as problem:
            # A server that hangs or is away would keep those that wait for as long again, in vain.
            hopeless = self._batches.is_full and judge(problem) in (Verdict.LOST, Verdict.REFUSED)
            self._fail([*batch, *(self._take(inf) if hopeless else ())], store_error(self._settings, problem))
        except BaseException as problem:
            bug = StoreError(f"{self._settings}: {type(problem).__name__}")
            bug.__cause__ = problem
            self._fail(batch, bug)
            if not isinstance(problem, Exception):
                raise

    async def _attempt(self, batch: Sequence[Waiting], *, again: bool = True) -> None:
        connection = self._idle.pop() if self._idle else None
        was_idle = connection is not None
        connection = connection or await connect(self._settings)
        try:
            await self._exchange(connection, batch)
        except FAILURES as problem:
            verdict = judge(problem)
            if verdict is Verdict.LOST:
                connection.terminate()
            else:
                self._idle.append(connection)
            if verdict is Verdict.CALLS and len(batch) > 1:
                await self._attempt_each(batch)
            elif verdict is Verdict.CONFLICT and again:
                await self._attempt(batch, again=False)
            elif verdict is Verdict.LOST and was_idle and again and not isinstance(problem, TimeoutError):
                # What else is idle was connected to the same server before it went away.
                self._drop_idle()
                await self._attempt(batch, again=False)
            else:
                raise
        except BaseException:
            connection.terminate()
            raise
        else:
            self._idle.append(connection)

    async def _attempt_each(self, batch: Sequence[Waiting]) -> None:
        for item in batch:
            try:
                await self._attempt([item])
            except FAILURES as problem:
                if judge(problem) is Verdict.LOST:
                    raise
                self._fail([item], store_error(self._settings, problem))

    async def _exchange(self, connection: asyncpg.Connection, batch: Sequence[Waiting]) -> None:
        clock = self._clock() if self._clock else 0
        sweep = 2 * self._added if self._added >= SWEEP_EVERY else 0
        arguments = calls.arguments([item.call for item in batch], clock, sweep)
        # Before the answer, as another batch may be sent meanwhile.
        self._added += calls.rows(arguments) - sweep // 2
        found = await connection.fetch(self._query, *arguments, timeout=self._settings.timeout + GRACE)
        answers = iter(found)
        for item in batch:
            answer = calls.answer(next(answers)[0]) if item.call.verb == ACQUIRE else None
            if not item.reply.done():
                item.reply.set_result(answer)

    def _take(self, most: float = LARGEST) -> list[Waiting]:
        waiting = self._batches.waiting
        taken: list[Waiting] = []
        while waiting and most > 0:
            item = waiting.popleft()
            # Nobody waits any more for what was cancelled. A settlement tells what happened, so it is booked anyway.
            if item.call.verb != ACQUIRE or not item.reply.done():
                taken.append(item)
                most -= len(item.call.ids)
        return taken

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().terminate()

    def _fail(self, batch: Sequence[Waiting], problem: StoreError) -> None:
        for item in batch:
            if not item.reply.done():
                item.reply.set_exception(problem)
