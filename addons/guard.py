"""Hooks that cannot fail open.

mitmproxy logs an exception in a hook and forwards the request. Ours must not pass unmetered, so a bug refuses it.
"""

import functools
import logging
from collections.abc import Awaitable, Callable

from mitmproxy import http

from addons.answers import give
from limiter.facts import Facts
from limiter.refusals import failure

logger = logging.getLogger(__name__)

REFUSED = "ai-limit: internal error; the request was refused and not forwarded"


def refuses_on_bug[Addon](
    hook: Callable[[Addon, http.HTTPFlow], Awaitable[None]],
) -> Callable[[Addon, http.HTTPFlow], Awaitable[None]]:
    """For hooks before the request is forwarded: an exception becomes a 500, and the request goes nowhere."""

    @functools.wraps(hook)
    async def guarded(addon: Addon, flow: http.HTTPFlow) -> None:
        try:
            await hook(addon, flow)
        except Exception:
            logger.exception("ai-limit: internal error, the request is refused")
            flow.request.stream = False  # A streamed request cannot be answered.
            give(flow, failure(Facts(), 500, REFUSED))

    return guarded


def survives_bug[Addon, Event](hook: Callable[[Addon, Event], None]) -> Callable[[Addon, Event], None]:
    """For hooks after that: an exception is logged, and the client gets its answer."""

    @functools.wraps(hook)
    def guarded(addon: Addon, event: Event) -> None:
        try:
            hook(addon, event)
        except Exception:
            logger.exception("ai-limit: internal error in %s", getattr(hook, "__name__", "a hook"))

    return guarded
