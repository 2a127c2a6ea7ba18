"""The nodes of a cluster, and which of them serves which key."""

import asyncio
import random
from typing import Any

from redis import exceptions

from limiter.redis_settings import Address, Cluster, RedisSettings
from limiter.stores.contract import StoreError
from limiter.stores.redis_dial import Dialer
from limiter.stores.redis_errors import LostError, RefusedError, lost
from limiter.stores.redis_keys import SLOTS, slot
from limiter.stores.redis_lane import FAILURES, Lane
from limiter.stores.redis_script import Call
from limiter.stores.redis_servers import ask, first_answer

ASKED_AT_ONCE = 5
"""Nodes that are asked for the map."""
PAUSE = 0.02
"""Seconds before a call is sent again whose keys are on the move."""


class ClusterServers:
    """All the nodes. Follows the redirections of keys that move, and a failover once the others have agreed on it."""

    def __init__(self, settings: RedisSettings, cluster: Cluster, dialer: Dialer) -> None:
        self._settings = settings
        self._cluster = cluster
        self._dialer = dialer
        self._lanes: dict[Address, Lane] = {}
        self._owners: list[Address | None] = [None] * SLOTS
        self._known = False
        self._learning: asyncio.Task[None] | None = None
        self._running = 0
        self._idle = asyncio.Event()
        """No call is running."""
        self._closed = False

    async def run(self, call: Call) -> bytes:
        if self._closed:
            raise StoreError(f"{self._settings}: closed")
        self._running += 1
        self._idle.clear()
        try:
            return await self._follow(call)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def close(self) -> None:
        """Answers what is running, within the timeouts."""
        self._closed = True
        if self._running:
            await self._idle.wait()
        if self._learning and not self._learning.done():
            self._learning.cancel()
            await asyncio.wait([self._learning])
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    async def _follow(self, call: Call) -> bytes:
        """To the node that has the key, wherever the others say it is."""
        number = slot(call.key)
        if not self._known:
            await self._learn()
        asking, paused, moved, hops = False, False, False, 0
        owner = self._owners[number]
        while True:
            if owner is None:
                raise StoreError(f"{self._settings}: no node serves the key")
            try:
                return await self._lane(owner).submit(call, asking=asking)
            except RefusedError as refused:
                error = refused.error
                hops += 1
                if hops > self._cluster.max_redirections:
                    raise
                if isinstance(error, exceptions.AskError):
                    # MOVED for good, which is an ASK to the driver, or ASK for this once.
                    owner = Address(error.host or owner.host, error.port)
                    asking = not isinstance(error, exceptions.MovedError)
                    if not asking:
                        self._owners[number] = owner
                        self._known = False
                elif isinstance(error, exceptions.TryAgainError) and not paused:
                    paused = True
                    await asyncio.sleep(PAUSE)
                else:
                    raise
            except LostError:
                if moved:
                    raise
                # Another node may have taken over. The call's id makes it safe to ask there, too.
                moved = True
                before, asking = owner, False
                await self._learn()
                owner = self._owners[number]
                if owner == before:
                    raise

    def _lane(self, address: Address) -> Lane:
        lane = self._lanes.get(address)
        if lane is None:
            lane = Lane(
                f"redis node {address}", lambda: self._dialer.connect(address), self._dialer.holds, self._settings
            )
            self._lanes[address] = lane
        return lane

    async def _learn(self) -> None:
        """Reads the map; all that want it at a time share one reading.

        Raises:
            StoreError: nobody knows it.
        """
        if self._learning is None or self._learning.done():
            self._learning = asyncio.get_running_loop().create_task(self._read())
            # Whoever waits hears of its failure; if nobody does any more, nobody needs to.
            self._learning.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await asyncio.shield(self._learning)
        except FAILURES as problem:
            error = lost(self._settings, problem)
            raise error from error.__cause__

    async def _read(self) -> None:
        known = [*self._lanes]
        nodes = dict.fromkeys([*random.sample(known, min(len(known), ASKED_AT_ONCE)), *self._cluster.nodes])
        async with asyncio.timeout(self._settings.timeouts.connect):
            asked, ranges = await first_answer([*nodes], self._ask)
        owners: list[Address | None] = [None] * SLOTS
        for first, last, (host, port, *_), *_ in ranges:
            # Without a name of its own, a node is where it was asked.
            name = host.decode() if host and host != b"?" else asked.host
            owners[first : last + 1] = [Address(name, port)] * (last + 1 - first)
        self._owners = owners
        self._known = True

    async def _ask(self, node: Address) -> tuple[Address, Any]:
        return node, await ask(await self._dialer.connect(node), "CLUSTER", "SLOTS")
