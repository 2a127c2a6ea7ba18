"""The request hook: who asks for what, may it pass, and what must be asked of the upstream so that usage is seen."""

import logging
import time
from collections.abc import Mapping

from mitmproxy import http

from addons.answers import give
from addons.exchange import EXCHANGE, Exchange
from addons.traffic import endpoint_of, facts_of, fields
from limiter.app import App
from limiter.decisions import Refusal, Standing, Unpriced
from limiter.facts import Facts
from limiter.ratelimit_headers import fields as ratelimit_fields
from limiter.refusals import answer, failure
from limiter.stores.contract import StoreError
from limiter.usage.providers import Endpoint
from limiter.usage.requests import Ask, read_request, with_usage_asked

logger = logging.getLogger(__name__)

ENDPOINT = "ai_limit.endpoint"
"""Metadata: the `Endpoint` of a flow to a known host."""
LARGE = 1024 * 1024
"""Bytes of an unmetered body from which on it is not kept in memory."""
SAID_EVERY = 60.0
"""Seconds between two log lines about the same limit."""


class Enforcement:
    """Admits requests or answers them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._said: dict[str, float] = {}

    def recognise(self, flow: http.HTTPFlow) -> None:
        """On the request's headers: large bodies that are not metered are passed on as they come."""
        headers = fields(flow.request.headers)
        endpoint = endpoint_of(flow.request, headers, self._app.running.directory)
        if endpoint is not None and (endpoint.metered or upgrades(headers)):
            flow.metadata[ENDPOINT] = endpoint
        elif _is_large(headers):
            flow.request.stream = True

    async def admit(self, flow: http.HTTPFlow) -> None:
        """On the whole request: forwards it with its admission attached, or answers it."""
        endpoint: Endpoint | None = flow.metadata.get(ENDPOINT)
        if endpoint is None:
            return
        headers = fields(flow.request.headers)
        running = self._app.running
        settings = running.configuration.settings
        body = flow.request.raw_content or b""
        ask = read_request(endpoint, flow.request.path, headers, body)
        facts = facts_of(flow, headers, ask, settings)
        if upgrades(headers):
            give(flow, failure(facts, 501, "ai-limit: WebSocket sessions cannot be metered yet; use HTTP"))
            return
        exchange = Exchange(running.engine, ask, body)
        try:
            outcome = await running.engine.admit(facts, exchange.measure, local=endpoint.local)
        except StoreError as problem:
            self._say(f"store: {problem}", "ai-limit: a request is refused as the store does not answer: %s", problem)
            give(flow, failure(facts, 503, "ai-limit: the store of the counters does not answer; try again later"))
            return
        match outcome:
            case Refusal():
                self._refuse(flow, outcome, ask, settings.rate_limit_headers)
            case Unpriced():
                give(flow, failure(facts, 403, _unpriced(outcome)))
            case _:
                exchange.admission = outcome
                exchange.sent = flow.client_conn.connected
                flow.metadata[EXCHANGE] = exchange
                self._warn(outcome.standings, facts)
                _ask_for_usage(flow, exchange)

    def _refuse(self, flow: http.HTTPFlow, refusal: Refusal, ask: Ask, with_fields: bool) -> None:
        name = refusal.limit.name
        self._say(
            name, "ai-limit: limit %r refuses requests (%s %s)", name, refusal.facts.provider, refusal.facts.model
        )
        more = ratelimit_fields(refusal.standings, refusal.now) if with_fields else ()
        give(flow, answer(refusal, streaming=ask.streaming), more)

    def _warn(self, standings: tuple[Standing, ...], facts: Facts) -> None:
        for standing in standings:
            if standing.over:
                limit = standing.limit
                text = "ai-limit: limit %r is over and only in mode %s (%s %s)"
                self._say(limit.name, text, limit.name, limit.mode, facts.provider, facts.model)

    def _say(self, topic: str, text: str, *values: object) -> None:
        """Logs about one topic once a minute: a client that goes on asking must not fill the disk."""
        now = time.monotonic()
        if now - self._said.get(topic, -SAID_EVERY) >= SAID_EVERY:
            self._said[topic] = now
            logger.warning(text, *values)


def _unpriced(outcome: Unpriced) -> str:
    model = outcome.facts.model
    return f'ai-limit: limit "{outcome.limit.name}" counts cost, and the price of model "{model}" is not known'


def upgrades(headers: Mapping[str, str]) -> bool:
    """Whether the request asks for a WebSocket."""
    return headers.get("upgrade", "").lower() == "websocket"


def _is_large(headers: Mapping[str, str]) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) > LARGE


def _ask_for_usage(flow: http.HTTPFlow, exchange: Exchange) -> None:
    asked = with_usage_asked(exchange.ask, exchange.body)
    if asked is None:
        return
    flow.request.content = asked
    # The extra event must be found and taken out, which a compressed stream would make dear.
    flow.request.headers["accept-encoding"] = "identity"
    exchange.hides_usage = not exchange.ask.includes_usage
