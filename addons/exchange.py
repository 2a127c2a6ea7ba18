"""One metered exchange between its admission and its settlement."""

import asyncio
import logging
from dataclasses import dataclass, field

from mitmproxy import http

from limiter.decisions import Admission
from limiter.engine import Engine
from limiter.stores.contract import StoreError
from limiter.usage.consumption import consumed, unreported, with_request_tier
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.requests import Ask
from limiter.usage.tap import Tap

logger = logging.getLogger(__name__)

EXCHANGE = "ai_limit.exchange"
"""Metadata: the `Exchange` of a flow whose admission is not settled yet."""

IN_THREAD = 64 * 1024
"""Bytes. Counting the tokens of a larger body would hold up every other connection."""


@dataclass(slots=True, eq=False)
class Exchange:
    """What settling needs. It hangs on its flow, so that a flow which vanishes takes its hold along."""

    engine: Engine
    ask: Ask
    body: bytes = field(repr=False)
    hides_usage: bool = False
    """We asked for usage in the stream and the client did not: the extra event is taken out again."""
    admission: Admission | None = None
    tap: Tap | None = None
    status: int | None = None
    sent: bool = True
    """False when the client left before the request could be forwarded, or the upstream was not reached."""
    _forecast: Forecast | None = None

    async def measure(self) -> Forecast:
        """The request's tokens; large bodies are counted in a thread."""
        if self._forecast is None:
            if len(self.body) > IN_THREAD:
                self._forecast = await asyncio.to_thread(forecast, self.ask, self.body)
            else:
                self._forecast = forecast(self.ask, self.body)
        return self._forecast

    async def settle(self) -> None:
        """Books what was consumed. Never raises: whoever waits for it could do nothing about it."""
        try:
            await self._settle()
        except StoreError as problem:
            logger.warning("ai-limit: usage could not be booked: %s", problem)
        except Exception:
            logger.exception("ai-limit: internal error, usage could not be booked")

    async def _settle(self) -> None:
        if self.admission is None or not self.admission.planned:
            return
        if not self.sent:
            await self.engine.cancel(self.admission)
            return
        observation = self.tap.finish() if self.tap else None
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
        await self.engine.settle(self.admission, usage, model, local=self.ask.endpoint.local)

    def _measured(self) -> Forecast:
        return self._forecast or forecast(self.ask, self.body)


class Settlements:
    """The settlements under way: off the client's path, each begun exactly once, all awaited at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, flow: http.HTTPFlow) -> None:
        """Settles the flow's exchange unless that was begun before."""
        exchange: Exchange | None = flow.metadata.pop(EXCHANGE, None)
        if exchange is not None:
            if exchange.status is None and flow.server_conn.timestamp_tcp_setup is None:
                exchange.sent = False
            task = asyncio.create_task(exchange.settle())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finished(self) -> None:
        """Waits for all of them."""
        while self._tasks:
            await asyncio.wait(self._tasks)
