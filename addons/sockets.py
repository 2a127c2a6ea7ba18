"""Messages of our own to the client of a WebSocket, and its clean end.

mitmproxy passes whole messages and offers to inject one, but not to close, and an injected message is glued to what it
holds of one that is only half there. Both are mended here, in the hook that the injected message runs through.
"""

import logging
from collections import deque
from typing import NamedTuple

from mitmproxy import ctx, http
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.websocket import WebsocketLayer
from mitmproxy.websocket import WebSocketMessage
from wsproto.events import CloseConnection

from addons.attachments import Attachment

logger = logging.getLogger(__name__)

CLOSING = "ai_limit.closing"
"""Metadata: the session is over, and nothing passes any more."""
_REASON = 123
"""Bytes; a close frame has room for no more."""


class _Sending(NamedTuple):
    content: bytes
    """Empty: there is only the close."""
    close: CloseConnection | None


_OUTBOXES: Attachment[deque[_Sending]] = Attachment()
"""What was injected and did not come by yet, in its order."""


def tell(flow: http.HTTPFlow, content: bytes) -> None:
    """Sends the client a message, after all that was received before."""
    _inject(flow, _Sending(content, None))


def shut(flow: http.HTTPFlow, content: bytes, code: int, reason: str) -> None:
    """Sends the client a last message, or none where that is empty, and closes both sides. Nothing passes from now."""
    flow.metadata[CLOSING] = True
    text = reason.encode()[:_REASON].decode(errors="ignore")
    _inject(flow, _Sending(content, CloseConnection(code, text)))


def injected(flow: http.HTTPFlow, message: WebSocketMessage) -> None:
    """In the hook of an injected message: if it is ours, mends what mitmproxy made of it."""
    outbox = _OUTBOXES.get(flow)
    if message.from_client or not outbox or not message.content.endswith(outbox[0].content):
        return
    sending = outbox.popleft()
    before = message.content[: len(message.content) - len(sending.content)]
    layer = _layer(flow) if before or sending.close else None
    if layer is not None and before:
        # The beginning of a message of the provider's, of which more is to come.
        layer.server_ws.frame_buf = [before]
    message.content = sending.content
    if not sending.content:
        message.drop()
    if sending.close is not None and layer is not None:
        # As if the provider had closed: mitmproxy takes this event next, and tells both sides.
        layer.server_ws._events.append(sending.close)


def _inject(flow: http.HTTPFlow, sending: _Sending) -> None:
    outbox = _OUTBOXES.get(flow)
    if outbox is None:
        _OUTBOXES.put(flow, outbox := deque())
    outbox.append(sending)
    ctx.master.commands.call("inject.websocket", flow, True, sending.content, True)


def _layer(flow: http.HTTPFlow) -> WebsocketLayer | None:
    """The layer that serves the flow. mitmproxy does not lead from the one to the other, but each HTTP layer knows its
    streams, and each stream the layers above and below it."""
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(flow.client_conn.id) if server else None
    waiting = [handler.layer] if handler else []
    seen: set[Layer] = set()
    while waiting:
        for layer in waiting.pop().context.layers:
            if isinstance(layer, WebsocketLayer) and layer.flow is flow:
                return layer
            if isinstance(layer, HttpLayer) and layer not in seen:
                seen.add(layer)
                waiting += layer.streams.values()
    logger.error("ai-limit: a WebSocket cannot be closed, as its layer is not found; it is silenced")
    return None
