"""Hooks that cannot fail open.

mitmproxy logs an exception in a hook and forwards the request. Ours must not pass unmetered, so a bug refuses it.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import http

from addons import sockets
from addons.answers import give
from limiter.facts import Facts
from limiter.refusals import failure

logger = logging.getLogger(__name__)

REFUSED = "ai-limit: internal error; the request was refused and not forwarded"
_ERROR_EVENT = (
    b'{"type":"error","event_id":"event_ai_limit",'
    b'"error":{"type":"server_error","code":"internal_error","message":"%b","param":null}}' % REFUSED.encode()
)
"""In the format of OpenAI's sessions. Others' clients show it, or the reason of the close."""

Hook = Callable[[Any, http.HTTPFlow], Awaitable[None]]


def _guard(what: str, on_bug: Callable[[http.HTTPFlow], None]) -> Callable[[Hook], Hook]:
    def guard(hook: Hook) -> Hook:
        @functools.wraps(hook)
        async def guarded(addon: Any, flow: http.HTTPFlow) -> None:
            try:
                await hook(addon, flow)
            except Exception:
                logger.exception("ai-limit: internal error, %s", what)
                on_bug(flow)

        return guarded

    return guard


def _refuse(flow: http.HTTPFlow) -> None:
    flow.request.stream = False  # A streamed request cannot be answered.
    give(flow, failure(Facts(), 500, REFUSED))


def _drop(flow: http.HTTPFlow) -> None:
    if flow.websocket and (message := flow.websocket.messages[-1]).from_client and not message.injected:
        message.drop()
        sockets.shut(flow, _ERROR_EVENT, 1011, REFUSED)


refuses_on_bug = _guard("the request is refused", _refuse)
"""For hooks before the request is forwarded: an exception becomes a 500, and the request goes nowhere."""
drops_on_bug = _guard("the session is closed", _drop)
"""For messages of a WebSocket: an exception drops the client's message, and ends the session with an error."""


def survives_bug[Addon, Event](hook: Callable[[Addon, Event], None]) -> Callable[[Addon, Event], None]:
    """For hooks after that: an exception is logged, and the client gets its answer."""

    @functools.wraps(hook)
    def guarded(addon: Addon, event: Event) -> None:
        try:
            hook(addon, event)
        except Exception:
            logger.exception("ai-limit: internal error in %s", getattr(hook, "__name__", "a hook"))

    return guarded
