"""Work that a provider goes on with after it has answered: charged once, whoever asks for its result how often.

A request that starts such work (`background: true`, an assistant's run) counts as a request at once. Its tokens are
known when a later answer shows the usage: a poll, a stream that is read again, a file of results. Until then its hold
stands and is renewed, as of any exchange that runs: the work is being paid for, and nobody knows yet how dear it is.

Usage of one piece of work counts once, within a day, on all proxies of one store, restarts included (`Engine.claim`).
Not covered:

- Results that are read for the first time after a day count again if they were counted before.
- A proxy that was killed between the request and the poll keeps the hold's estimate of the input beside the usage.
- Work that no answer ever shows is charged by an estimate after `PATIENCE`; it is charged nothing when the proxy is
  stopped before that.
"""

import time
from typing import NamedTuple, Protocol

from limiter.engine import Engine
from limiter.usage.tap import Observation

PATIENCE = 60 * 60.0
"""Seconds without a poll after which an estimate is charged."""
MOST_WAITING = 10_000
MOST_KNOWN = 100_000
"""Names of work that are known to be counted. Others are looked up in the store."""


class Started(Protocol):
    """An exchange whose answer said that the work goes on."""

    engine: Engine

    async def book(self, observation: Observation | None) -> None:
        """Books what was observed; None: an estimate."""

    async def finish_without_tokens(self) -> None:
        """Only the request itself counts; its tokens do elsewhere."""


class _Waiting(NamedTuple):
    exchange: Started
    since: float
    """Of the last sign of life."""


class Background:
    """Exchanges whose usage is still to come, by the name of their work; and names whose usage was counted."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        """In the order of `since`."""
        self._counted: dict[str, None] = {}

    async def keep(self, name: str, exchange: Started) -> None:
        """The exchange waits. Further requests for the same work bring no tokens of their own."""
        if name in self._waiting or name in self._counted:
            await exchange.finish_without_tokens()
            return
        self._waiting[name] = _Waiting(exchange, time.monotonic())
        if len(self._waiting) > MOST_WAITING:
            await self._give_up(next(iter(self._waiting)))

    def touch(self, name: str) -> None:
        """A poll shows that the work goes on."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            self._waiting[name] = _Waiting(waiting.exchange, time.monotonic())

    def take(self, name: str) -> Started | None:
        """The exchange that started the work, if it came through this process; it waits no more."""
        waiting = self._waiting.pop(name, None)
        return waiting.exchange if waiting else None

    async def first(self, engine: Engine, name: str) -> bool:
        """Whether the usage of this work was not counted before; it is taken to be counted now.

        Raises:
            StoreError: nobody knows, and nothing is taken to be counted.
        """
        if name in self._counted:
            return False
        first = await engine.claim(name)
        self._counted[name] = None
        if len(self._counted) > MOST_KNOWN:
            del self._counted[next(iter(self._counted))]
        return first

    async def expire(self) -> None:
        """Gives up on work that nobody has asked about for long.

        Raises:
            StoreError: of an exchange that could not be settled; it waits no more.
        """
        while self._waiting:
            name = next(iter(self._waiting))
            if time.monotonic() - self._waiting[name].since < PATIENCE:
                return
            await self._give_up(name)

    async def close(self) -> None:
        """Leaves all tokens to the poll that will show them, perhaps to the next process.

        Raises:
            StoreError: as `expire`.
        """
        while self._waiting:
            _, waiting = self._waiting.popitem()
            await waiting.exchange.finish_without_tokens()

    async def _give_up(self, name: str) -> None:
        exchange = self._waiting.pop(name).exchange
        if await self.first(exchange.engine, name):
            await exchange.book(None)
        else:
            await exchange.finish_without_tokens()
