"""The response hooks: bytes pass as they come, and a tap reads usage off them."""

import logging
from collections.abc import Callable

from mitmproxy import http

from addons.answers import OURS, field_name
from addons.exchange import EXCHANGES, Metered
from addons.replacing import replace
from addons.traffic import fields, fields_of
from limiter.replies import Replies
from limiter.usage.tap import Tap
from limiter.voices import Heard

logger = logging.getLogger(__name__)

Feed = Callable[[bytes], bytes | list[bytes]]


def attach_tap(flow: http.HTTPFlow, replies: Replies) -> None:
    """On the response's headers: streams the body through a tap. Unmetered bodies are streamed without one."""
    response = flow.response
    if response is None or flow.metadata.get(OURS):
        return
    exchange = EXCHANGES.get(flow)
    if response.status_code == 101:
        if exchange is not None and _hear(flow, exchange, response, replies).answer and flow.killable:
            flow.kill()  # What has begun to be a WebSocket has no other answer.
        return
    if exchange is None:
        response.stream = True
        return
    exchange.status = response.status_code
    exchange.tap = tap = Tap(
        exchange.ask, response.status_code, fields(response.headers), hide_usage=exchange.hides_usage
    )
    if tap.rewrites:
        response.headers.pop("content-encoding", None)
        if response.headers.pop("content-length", None) is not None and flow.request.http_version.startswith("HTTP/1"):
            response.headers["transfer-encoding"] = "chunked"
    response.stream = _rewriting(tap) if tap.rewrites else _following(tap)
    heard = _hear(flow, exchange, response, replies)
    if heard.answer:
        exchange.withheld = True
        replace(flow, heard.answer)
        endpoint = exchange.ask.endpoint
        text = "ai-limit: %s %s: an answer is replaced, as what it counts was used up"
        logger.info(text, endpoint.provider, endpoint.name)


def _hear(flow: http.HTTPFlow, exchange: Metered, response: http.Response, replies: Replies) -> Heard:
    """What the response's headers say of the limits, and says to the client in their place what it may know."""
    admission = exchange.admission
    if admission is None or not admission.standings:
        return Heard()
    heard = replies.hear(admission.standings, fields_of(response.headers), admission.facts, admission.now)
    exchange.units = heard.units
    for name in heard.removed:
        response.headers.pop(name, None)
    for name, value in heard.fields:
        response.headers.add(field_name(flow, name), value)
    return heard


def _following(tap: Tap) -> Feed:
    """Bytes pass unchanged, whatever the tap does: an exception here would hang the client."""

    def feed(data: bytes) -> bytes:
        if data:
            try:
                tap.feed(data)
            except Exception:
                logger.exception("ai-limit: internal error in a tap; the stream goes on")
        return data

    return feed


def _rewriting(tap: Tap) -> Feed:
    """What the tap gives back is passed on. If it fails, the rest of the stream passes as it comes."""
    broken = False

    def feed(data: bytes) -> bytes | list[bytes]:
        nonlocal broken
        if broken:
            return data
        try:
            return tap.feed(data) if data else tap.flush()
        except Exception:
            logger.exception("ai-limit: internal error in a tap; the stream goes on")
            broken = True
            return data

    return feed
