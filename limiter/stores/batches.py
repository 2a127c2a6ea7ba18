"""Calls in batches: those of one turn of the event loop ride together.

What comes while all connections are busy is the next batch. So the busier it gets, the more calls share a round trip.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence


class Batches[Item]:
    """Calls that wait, and those under way, for one event loop.

    Args:
        carry: has every call of a batch answered, and raises nothing.
        take: takes those of the next batch off what waits; none: what waited is not wanted any more.
        connections: batches that are under way at once at most.
    """

    def __init__(
        self,
        carry: Callable[[Sequence[Item]], Coroutine[None, None, None]],
        take: Callable[[], list[Item]],
        connections: int,
    ) -> None:
        self._carry = carry
        self._take = take
        self._connections = connections
        self._under_way: set[asyncio.Task[None]] = set()
        self._flushing = False
        self.waiting: deque[Item] = deque()
        """Those that have waited longest first."""

    @property
    def is_full(self) -> bool:
        """All connections are busy."""
        return len(self._under_way) >= self._connections

    def add(self, item: Item) -> None:
        """It leaves at the end of this turn of the loop, if a connection is free."""
        self.waiting.append(item)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def finish(self) -> None:
        """Has all of them carried."""
        while self.waiting or self._under_way:
            self._flush()
            if self._under_way:
                await asyncio.wait(self._under_way)

    def _flush(self) -> None:
        self._flushing = False
        while self.waiting and not self.is_full:
            if batch := self._take():
                # It runs up to its first wait at once: a turn of the loop costs as much as sending does.
                task = asyncio.Task(self._carry(batch), loop=asyncio.get_running_loop(), eager_start=True)
                self._under_way.add(task)
                task.add_done_callback(self._carried)

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self.waiting:
            self._flush()
