"""The request hook: who asks for what, may it pass, and what must be asked of the upstream so that usage is seen."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from mitmproxy import http

from addons.answers import field_name, give
from addons.attachments import Attachment
from addons.background import Background
from addons.exchange import EXCHANGES, Exchange, Followed
from addons.functions import Functions
from addons.identification import ASKED, Identification
from addons.polls import Poll
from addons.routing import route
from addons.sessions import open_session
from addons.traffic import endpoint_of, facts_of, fields, fields_of
from limiter.app import App
from limiter.bookings import UnservedError
from limiter.decisions import Refusal, Standing, Unpriced
from limiter.engine import count_nothing
from limiter.facts import Facts
from limiter.meters import Usage
from limiter.refusals import failure
from limiter.stores.contract import StoreError
from limiter.usage.providers import Endpoint, upgrades
from limiter.usage.requests import Ask, read_request, takes_long, with_usage_asked
from limiter.voices import Answer

logger = logging.getLogger(__name__)

ENDPOINTS: Attachment[Endpoint] = Attachment()
"""Of flows to known hosts that are metered."""
LARGE = 1024 * 1024
"""Bytes of an unmetered body from which on it is not kept in memory."""
STRANGER = "ai-limit: this proxy serves its consumers only; show it the credentials of one, or an API key that it knows"
SAID_EVERY = 60.0
"""Seconds between two log lines about the same limit."""


class Enforcement:
    """Admits requests or answers them."""

    def __init__(self, app: App, identification: Identification, background: Background, functions: Functions) -> None:
        self._app = app
        self._identification = identification
        self._background = background
        self._functions = functions
        self._said: dict[str, float] = {}

    async def recognise(self, flow: http.HTTPFlow) -> None:
        """On the request's headers: where it goes, and who may send it. What need not be read passes as it comes."""
        found = self._arrived(flow)
        if isinstance(found, Endpoint) and not (found.metered or found.protocol):
            found = await self._free(flow, found)
        if isinstance(found, Answer):
            flow.request.stream = False  # A streamed request cannot be answered.
            give(flow, found)
        elif found is not None:
            ENDPOINTS.put(flow, found)
            flow.request.stream = False  # `stream_large_bodies` would forward the body before anything is decided.
        elif _is_large(flow.request.headers):
            flow.request.stream = True

    def _arrived(self, flow: http.HTTPFlow) -> Endpoint | Answer | None:
        """What the request calls, once it is on its way; None: nothing that is known."""
        running = self._app.running
        settings = running.configuration.settings
        endpoint = endpoint_of(flow.request, fields(flow.request.headers), running.directory)
        shown = fields_of(flow.request.headers) if running.passage else ()
        if endpoint is not None or running.passage or running.roll:
            self._identification.arrive(flow, running)
        if running.passage:
            objection = route(flow, running.passage, shown, endpoint, self._identification.proven(flow))
            if objection is not None:
                return objection
            endpoint = endpoint_of(flow.request, fields(flow.request.headers), running.directory)
        if endpoint is None:
            asked = settings.require_consumer and self._identification.is_stranger(flow, settings)
            return ASKED if asked else None
        if "upgrade" in flow.request.headers and not upgrades(flow.request.method, fields(flow.request.headers)):
            # Whatever protocol that leads to, nobody here could read it. Servers answer in plain HTTP without it.
            del flow.request.headers["upgrade"]
        return endpoint

    async def _free(self, flow: http.HTTPFlow, endpoint: Endpoint) -> Answer | None:
        """Decides on a call that costs nothing: by who sends it, and by quotas that its answer may have a word on."""
        running = self._app.running
        settings = running.configuration.settings
        if not (settings.require_consumer or running.engine.listens):
            return None
        headers = fields(flow.request.headers)
        unread = replace(endpoint, opaque=True, defers=True, estimated=False)
        ask = read_request(unread, flow.request.path, headers, b"")
        facts = facts_of(flow, headers, ask, settings.trusted_peers)
        facts = self._identification.identified(flow, facts, running.roll)
        if settings.require_consumer and not facts.consumer:
            return failure(facts, 403, STRANGER)
        if not running.engine.listens:
            return None
        exchange = Exchange(running.engine, ask, b"", self._background)
        return await self._admitted(flow, facts, exchange)

    async def admit(self, flow: http.HTTPFlow) -> None:
        """On the whole request: forwards it with its admission attached, or answers it."""
        endpoint = ENDPOINTS.get(flow)
        if endpoint is None:
            return
        headers = fields(flow.request.headers)
        body = flow.request.raw_content or b""
        ask = await _off_the_loop(headers, body, read_request, endpoint, flow.request.path, headers, body)
        running = self._app.running
        settings = running.configuration.settings
        facts = facts_of(flow, headers, ask, settings.trusted_peers)
        facts = self._identification.identified(flow, facts, running.roll)
        upgraded = upgrades(flow.request.method, headers) and not endpoint.opaque
        if settings.require_consumer and not facts.consumer:
            give(flow, failure(facts, 403, STRANGER))
        elif ask.problem:
            # What model it is for cannot be told, so neither can which limits apply.
            give(flow, failure(facts, 400, f"ai-limit: {ask.problem}"))
        elif upgraded and not endpoint.protocol:
            give(flow, failure(facts, 501, "ai-limit: this WebSocket cannot be metered; use HTTP"))
        elif upgraded:
            open_session(flow, ask, facts)
        elif endpoint.repeats:
            EXCHANGES.put(flow, Poll(running.engine, ask, facts, self._background))
        else:
            await self._forward(flow, facts, ask, body)

    async def _forward(self, flow: http.HTTPFlow, facts: Facts, ask: Ask, body: bytes) -> None:
        """Lets a request go with its admission, and with what must be asked of the upstream, or answers it."""
        running = self._app.running
        exchange = Exchange(running.engine, ask, body, self._background)
        exchange.calls = self._functions.calls(running.configuration.settings.functions, body, flow)
        objection = await self._admitted(flow, facts, exchange)
        if objection is not None:
            give(flow, objection)
            return
        asked = await _off_the_loop(facts.headers, body, with_usage_asked, ask, body)
        if asked is not None:
            _ask_for_usage(flow, exchange, asked)

    async def _admitted(self, flow: http.HTTPFlow, facts: Facts, exchange: Exchange) -> Answer | None:
        """Hangs the exchange with its admission on the flow, or says what to answer."""
        objection = await self.decide(exchange, facts)
        if objection is not None:
            return objection
        exchange.sent = flow.client_conn.connected
        EXCHANGES.put(flow, exchange)
        if exchange.admission:
            replies = self._app.running.replies
            for name, value in replies.asks(exchange.admission.standings, exchange.admission.now):
                flow.request.headers[field_name(flow, name)] = value
        return None

    async def decide(self, exchange: Exchange, facts: Facts) -> Answer | None:
        """Admits the exchange; None: it has its admission. Else the answer to give in its place."""
        local = exchange.ask.endpoint.local
        try:
            count = exchange.calls.before(facts) if exchange.calls else count_nothing
            free = not exchange.ask.endpoint.metered and not exchange.ask.endpoint.protocol
            outcome = await exchange.engine.admit(facts, exchange.measure, count, local=local, free=free)
        except StoreError as problem:
            self._say(f"store: {problem}", "ai-limit: a request is refused as the store does not answer: %s", problem)
            rule = problem.rule if isinstance(problem, UnservedError) else None
            return self._app.running.replies.unserved(rule, facts)
        match outcome:
            case Refusal():
                return self._refusal(outcome, exchange.ask)
            case Unpriced():
                return failure(facts, 403, _unpriced(outcome))
            case _:
                exchange.admission = outcome
                self._warn(outcome.standings, facts)
                return None

    def exchange(self, ask: Ask, body: bytes, context: int, followed: Followed) -> Exchange:
        """An exchange that is no HTTP request, under the configuration in force."""
        running = self._app.running
        calls = self._functions.calls(running.configuration.settings.functions, body, None)
        return Exchange(running.engine, ask, body, self._background, context, tap=followed, calls=calls)

    async def book(self, facts: Facts, usage: Usage, *, local: bool) -> None:
        """Books usage that comes without a request.

        Raises:
            StoreError: nothing was booked, or it is unknown whether it was.
        """
        await self._app.running.engine.book(facts, usage, local=local)

    def _refusal(self, refusal: Refusal, ask: Ask) -> Answer:
        name = refusal.limit.name
        self._say(
            name, "ai-limit: limit %r refuses requests (%s %r)", name, refusal.facts.provider, refusal.facts.model
        )
        return self._app.running.replies.refuse(refusal, streaming=ask.streaming)

    def _warn(self, standings: tuple[Standing, ...], facts: Facts) -> None:
        for standing in standings:
            if standing.over:
                limit = standing.limit
                text = "ai-limit: limit %r is over and only in mode %s (%s %r)"
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


def _is_large(headers: Mapping[str, str]) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) > LARGE


async def _off_the_loop[**Arguments, Result](
    headers: Mapping[str, str],
    body: bytes,
    read: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Reads a body in a thread if that may take long, so that no other connection waits for it."""
    if takes_long(headers, body):
        return await asyncio.to_thread(read, *args, **kwargs)
    return read(*args, **kwargs)


def _ask_for_usage(flow: http.HTTPFlow, exchange: Exchange, asked: bytes) -> None:
    flow.request.content = asked
    # The extra event must be found and taken out, which a compressed stream would make dear.
    flow.request.headers["accept-encoding"] = "identity"
    exchange.hides_usage = not exchange.ask.includes_usage
