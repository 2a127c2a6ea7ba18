"""WebSocket sessions: each turn is admitted before the message that starts it passes, and settled when it ended.

The connection itself is no request. What is not a turn passes as it comes, sound above all. While a turn waits for its
decision, mitmproxy holds the session's later messages in both directions, so nothing overtakes it.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Protocol
from weakref import WeakSet

from mitmproxy import http
from mitmproxy.websocket import WebSocketMessage

from addons import sockets
from addons.attachments import Attachment
from addons.exchange import Exchange, Followed, Settlements
from limiter.facts import Facts
from limiter.meters import Usage
from limiter.refusals import failure
from limiter.session_errors import ending
from limiter.usage.requests import Ask
from limiter.usage.session import Beside, Objection, Session
from limiter.usage.sessions import session
from limiter.usage.turns import Turn
from limiter.voices import Answer

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Live:
    """A session and its open exchanges."""

    session: Session
    facts: Facts
    """Of the upgrade."""
    exchanges: dict[Turn, Exchange] = field(default_factory=dict)
    broken: bool = False
    """The provider's messages cannot be read; they pass all the same, and turns end with the session."""


SESSIONS: Attachment[Live] = Attachment()
"""Of flows that asked for a WebSocket."""


class Enforcing(Protocol):
    """Decides on turns."""

    def exchange(self, ask: Ask, body: bytes, context: int, followed: Followed) -> Exchange: ...
    async def decide(self, exchange: Exchange, facts: Facts) -> Answer | None: ...
    async def book(self, facts: Facts, usage: Usage, *, local: bool) -> None: ...


def open_session(flow: http.HTTPFlow, ask: Ask, facts: Facts) -> None:
    """On the upgrade."""
    SESSIONS.put(flow, Live(session(ask, flow.request.path), facts))


class Sessions:
    """The hooks of WebSockets."""

    def __init__(self, settlements: Settlements) -> None:
        self._settlements = settlements
        self._open: WeakSet[http.HTTPFlow] = WeakSet()

    async def message(self, flow: http.HTTPFlow, enforcing: Enforcing) -> None:
        """On each message, before it passes."""
        if flow.websocket is None:
            return
        message = flow.websocket.messages[-1]
        # mitmproxy keeps every message; a session may last for days.
        del flow.websocket.messages[:-1]
        live = SESSIONS.get(flow)
        if message.injected:
            sockets.injected(flow, message)
        elif flow.metadata.get(sockets.CLOSING):
            message.drop()
        elif live is None:
            return  # Of a host that serves more than models.
        elif message.from_client:
            self._open.add(flow)
            await self._asked(flow, live, message, enforcing)
        elif not live.broken:
            try:
                await self._told(flow, live, message, enforcing)
            except Exception:
                live.broken = True
                logger.exception("ai-limit: internal error in a session; its messages pass unread")

    def end(self, flow: http.HTTPFlow) -> None:
        """When the session is over, however it ended: settles what is open. Repeated calls do nothing."""
        self._open.discard(flow)
        live = SESSIONS.take(flow)
        if live is not None:
            self._settle(live, live.session.end())

    def close(self) -> None:
        """Ends all sessions, as the proxy stops."""
        for flow in tuple(self._open):
            self.end(flow)

    async def _asked(self, flow: http.HTTPFlow, live: Live, message: WebSocketMessage, enforcing: Enforcing) -> None:
        turn = live.session.asked(message.content, is_text=message.is_text)
        if turn is None:
            return
        if isinstance(turn, Objection):
            objection: Answer | None = failure(live.facts, 400, f"ai-limit: {turn.reason}")
        else:
            objection = await self._admit(live, turn, enforcing)
        if objection is not None:
            message.drop()
            _refuse(flow, live, objection, turn)

    async def _told(self, flow: http.HTTPFlow, live: Live, message: WebSocketMessage, enforcing: Enforcing) -> None:
        told = live.session.told(message.content)
        if told.begun is not None:
            objection = await self._admit(live, told.begun, enforcing)
            if objection is not None:
                live.session.refuse(told.begun)
                message.drop()
                _refuse(flow, live, objection, told.begun)
                return
        self._settle(live, told.ended)
        if told.beside is not None:
            self._settlements.start(_book(enforcing, live, told.beside))

    async def _admit(self, live: Live, turn: Turn, enforcing: Enforcing) -> Answer | None:
        exchange = enforcing.exchange(turn.ask, turn.body, turn.context, turn)
        objection = await enforcing.decide(exchange, replace(live.facts, model=turn.ask.model))
        if objection is None:
            live.exchanges[turn] = exchange
            self._settle(live, () if turn.ended else live.session.begin(turn))
        return objection

    def _settle(self, live: Live, turns: tuple[Turn, ...]) -> None:
        for turn in turns:
            exchange = live.exchanges.pop(turn, None)
            if exchange is not None:
                exchange.sent = turn.answered or not turn.tentative
                exchange.status = turn.status
                self._settlements.start(exchange.settle())


def _refuse(flow: http.HTTPFlow, live: Live, answer: Answer, refused: Turn | Objection) -> None:
    end = ending(live.session.ask.endpoint.protocol, answer, refused.event_id, refused.lane)
    if end.closes or (isinstance(refused, Turn) and refused.by_server):
        # The provider works already, or knows no other way to refuse. Only the end of the session stops it.
        sockets.shut(flow, end.event, end.code, end.reason)
    else:
        sockets.tell(flow, end.event)


async def _book(enforcing: Enforcing, live: Live, beside: Beside) -> None:
    facts = replace(live.facts, model=beside.model)
    await enforcing.book(facts, beside.usage, local=live.session.ask.endpoint.local)
