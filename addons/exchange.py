"""One metered exchange between its admission and its settlement."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from mitmproxy import http

from addons.attachments import Attachment
from addons.background import Background
from addons.functions import Calls
from limiter.decisions import Admission
from limiter.engine import Engine
from limiter.meters import NANO, Usage
from limiter.stores.contract import StoreError
from limiter.usage.consumption import consumed, unreported, waits_for_poll, with_request_tier, work
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.requests import Ask
from limiter.usage.tap import Observation

logger = logging.getLogger(__name__)

IN_THREAD = 64 * 1024
"""Bytes. Counting the tokens of a larger body would hold up every other connection."""


class Followed(Protocol):
    """What reads usage off an answer: a tap, or a turn of a WebSocket."""

    def finish(self) -> Observation: ...


class Metered(Protocol):
    """What is settled when its flow ends."""

    ask: Ask
    hides_usage: bool
    """We asked for usage in the stream and the client did not: the extra event is taken out again."""
    tap: Followed | None
    status: int | None
    """Of the response; None: none began."""
    sent: bool
    """False when the client left before the request could be forwarded, or the upstream was not reached: nothing counts
    then."""
    units: Mapping[str, int]
    """Custom units that the response's headers tell, by name."""
    withheld: bool
    """The client got an answer of ours in place of the upstream's."""

    @property
    def admission(self) -> Admission | None: ...

    async def settle(self) -> None: ...


EXCHANGES: Attachment[Metered] = Attachment()
"""Of flows that are not settled yet."""


@dataclass(slots=True, eq=False)
class Exchange:
    """What settling needs. It hangs on its flow, so that a flow which vanishes takes its hold along."""

    engine: Engine
    ask: Ask
    body: bytes = field(repr=False)
    background: Background
    context: int = 0
    """Tokens that the model is told beside the body: the conversation so far, where the provider keeps it."""
    hides_usage: bool = False
    admission: Admission | None = None
    tap: Followed | None = None
    status: int | None = None
    sent: bool = True
    units: Mapping[str, int] = field(default_factory=dict)
    withheld: bool = False
    calls: Calls | None = None
    """Of users' functions."""
    _forecast: Forecast | None = None

    async def measure(self) -> Forecast:
        """The request's tokens; large bodies are counted in a thread."""
        if self._forecast is None:
            if len(self.body) > IN_THREAD:
                self._forecast = await asyncio.to_thread(self._count)
            else:
                self._forecast = self._count()
        return self._forecast

    async def settle(self) -> None:
        """Books what was consumed; work that goes on in the background waits for the poll that shows it."""
        if self.admission is None or not self.admission.planned:
            return
        if not self.sent:
            await self.engine.cancel(self.admission)
            return
        # Of an answer that was withheld nothing was read; the upstream is likely to have made it all the same.
        observation = self.tap.finish() if self.tap and not self.withheld else None
        if observation is not None and waits_for_poll(self.ask, observation):
            await self.background.keep(work(self.ask, observation, ""), self)
        elif observation is not None and observation.background and observation.usage is not None:
            # A stream of background work may be read again later, from the start or from anywhere.
            if await self.background.first(self.engine, work(self.ask, observation, "")):
                await self.book(observation)
            else:
                await self.finish_without_tokens()
        else:
            await self.book(observation)

    async def book(self, observation: Observation | None) -> None:
        """Books what was observed, and an estimate of what was not."""
        if self.admission is None:
            return
        if observation is None or observation.usage is None:
            await self.measure()
        usage = with_request_tier(consumed(self.ask, observation, self.status, self._measured), self.ask)
        if unreported(self.ask, observation, self.status):
            logger.warning(
                "ai-limit: %s %s answered without usage, an estimate of %d tokens is charged",
                self.ask.endpoint.provider,
                self.ask.endpoint.name,
                usage.total_tokens,
            )
        model = observation.model if observation else ""
        units = {**self.units, **await self._counted(usage, model)}
        if units:
            usage = replace(usage, units={**usage.units, **units})
        booked = await self.engine.settle(
            self.admission, usage, model, local=self.ask.endpoint.local, served=not self.withheld
        )
        logger.info(
            "ai-limit: %s %s %r: %d + %d tokens, $%.6f (%s)%s",
            self.ask.endpoint.provider,
            self.ask.endpoint.name,
            self.ask.model,
            booked.prompt_tokens,
            booked.completion_tokens,
            (booked.cost or 0) / NANO,
            booked.price_source or "no price",
            " (estimated)" if booked.estimated else "",
        )

    async def finish_without_tokens(self) -> None:
        """Only the request itself counts; its tokens do elsewhere."""
        if self.admission is not None:
            await self.engine.settle(self.admission, Usage(units=self.units), local=self.ask.endpoint.local)

    async def _counted(self, usage: Usage, model: str) -> Mapping[str, int]:
        """What users' functions say that the exchange has used; nothing where it failed."""
        if self.calls is None or self.admission is None or self.status is None or self.status >= 400:
            return {}
        priced = self.engine.priced(usage, self.admission.facts, model, local=self.ask.endpoint.local)
        return await self.calls.after(self.admission, priced, model)

    def _measured(self) -> Forecast:
        return self._forecast or self._count()

    def _count(self) -> Forecast:
        known = self.engine.model(self.ask.endpoint.provider, self.ask.model)
        ask = self.ask if known == self.ask.model else replace(self.ask, model=known)
        return forecast(ask, self.body).told(self.context)


class Settlements:
    """The settlements under way: off the client's path, each begun exactly once, all awaited at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, flow: http.HTTPFlow) -> None:
        """Settles what hangs on the flow unless that was begun before."""
        exchange = EXCHANGES.take(flow)
        if exchange is not None:
            if exchange.status is None and flow.server_conn.timestamp_tcp_setup is None:
                exchange.sent = False
            self.start(exchange.settle())

    def start(self, booking: Coroutine[None, None, object]) -> None:
        """Books in the background. What fails is logged: whoever waited for it could do nothing about it."""
        task = asyncio.create_task(_logged(booking))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finished(self) -> None:
        """Waits for all of them."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _logged(booking: Coroutine[None, None, object]) -> None:
    try:
        await booking
    except StoreError as problem:
        logger.warning("ai-limit: usage could not be booked: %s", problem)
    except Exception:
        logger.exception("ai-limit: internal error, usage could not be booked")
