"""Which server answers a call: the only one, the master that the Sentinels name, or a node of a cluster."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from redis import exceptions

from limiter.redis_settings import Address, RedisSettings, Sentinel
from limiter.stores.redis_dial import Connection, Dialer
from limiter.stores.redis_lane import FAILURES, Lane
from limiter.stores.redis_script import Call


class Servers(Protocol):
    """Who runs scripts."""

    def run(self, call: Call) -> Awaitable[bytes]:
        """The reply.

        Raises:
            StoreError: no answer.
        """
        ...

    async def close(self) -> None: ...


class OneServer:
    """A server at a known place, or whatever a proxy makes look like one."""

    def __init__(self, settings: RedisSettings, dialer: Dialer) -> None:
        self._lane = Lane(settings, lambda: dialer.connect(settings.address), dialer.holds, settings)

    def run(self, call: Call) -> Awaitable[bytes]:
        return self._lane.submit(call)

    async def close(self) -> None:
        await self._lane.close()


CHECKED_EVERY = 1.0
"""Seconds between two questions who the master is, while there are calls."""


class SentinelServers:
    """The present master.

    It is asked for with each new connection, and now and then besides: after a failover on demand the old one goes on
    taking bookings for about ten seconds before the Sentinels demote it, and then loses them.
    """

    def __init__(self, settings: RedisSettings, sentinel: Sentinel, dialer: Dialer) -> None:
        self._sentinel = sentinel
        self._dialer = dialer
        self._patience = settings.timeouts.connect
        self._lane = Lane(settings, self._connect, dialer.holds, settings)
        self._master: Address | None = None
        self._next_check = 0.0
        """Seconds of the loop's clock."""
        self._check: asyncio.Task[None] | None = None

    def run(self, call: Call) -> Awaitable[bytes]:
        loop = asyncio.get_running_loop()
        if self._master and loop.time() > self._next_check and (self._check is None or self._check.done()):
            self._check = loop.create_task(self._follow())
        return self._lane.submit(call)

    async def close(self) -> None:
        await self._lane.close()
        if self._check:
            self._check.cancel()
            await asyncio.wait([self._check])

    async def _connect(self) -> Connection:
        address = await self._find()
        connection = await self._dialer.connect(address)
        self._master = address
        return connection

    async def _follow(self) -> None:
        """Leaves a server that is not the master any more. Sentinels that do not answer change nothing."""
        with suppress(*FAILURES):
            address = await self._find()
            if address != self._master:
                self._master = address
                await self._lane.renew()

    async def _find(self) -> Address:
        self._next_check = asyncio.get_running_loop().time() + CHECKED_EVERY
        async with asyncio.timeout(self._patience):
            return await first_answer(self._sentinel.nodes, self._ask)

    async def _ask(self, node: Address) -> Address:
        connection = await self._dialer.connect_sentinel(node)
        found = await ask(connection, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._sentinel.master)
        if not found:
            raise exceptions.ResponseError("NOMASTER")
        host, port = found
        return Address(host.decode(), int(port))


async def ask(connection: Connection, *words: str) -> Any:
    """The reply to one command; the connection is closed then."""
    try:
        await connection.send_command(*words, check_health=False)
        return await connection.read_response(disable_decoding=True)
    finally:
        await connection.disconnect(nowait=True)


async def first_answer[Answer](nodes: Sequence[Address], question: Callable[[Address], Awaitable[Answer]]) -> Answer:
    """Asks all at once, so that one that hangs costs nothing, and takes what comes first.

    Raises:
        RedisError, OSError: that of the last, when none answers.
    """
    tasks = [asyncio.ensure_future(question(node)) for node in nodes]
    try:
        for number, answered in enumerate(asyncio.as_completed(tasks), 1):
            try:
                return await answered
            except FAILURES:
                if number == len(tasks):
                    raise
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, *FAILURES):
                await task
    raise exceptions.ConnectionError("there is nobody to ask")
