"""An answer of our own in place of a response whose headers have come, without waiting for the rest of it.

mitmproxy has no call for that: a response ends when the upstream ends it. So the layer that carries the exchange is
told that the response is over, and the upstream that nobody listens any more: over HTTP/2 its stream is reset, over
HTTP/1 its connection is closed. This stands on mitmproxy's insides; where they are not as known, the response ends when
the upstream ends it, and is empty all the same.
"""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

from mitmproxy import connection, ctx, http
from mitmproxy.net.http import status_codes
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestProtocolError, ResponseEndOfMessage
from mitmproxy.proxy.server import ConnectionHandler

from addons.attachments import Attachment
from limiter.voices import Answer

logger = logging.getLogger(__name__)

REPLACED: Attachment[Answer] = Attachment()
"""Of flows whose response is not the upstream's any more."""
DESCRIBING = ("content-length", "transfer-encoding", "content-encoding", "trailer", "content-range", "content-md5")
"""Fields of the upstream's response that are about its body."""
_tasks: set[asyncio.Task[None]] = set()


def replace(flow: http.HTTPFlow, answer: Answer) -> None:
    """On the response's headers: the client gets `answer` at once, with the other fields of the upstream's response."""
    response = flow.response
    if response is None:
        return
    response.status_code = answer.status
    response.reason = status_codes.RESPONSES.get(answer.status, "")
    for name in DESCRIBING:
        response.headers.pop(name, None)
    for name, value in answer.headers:
        response.headers.add(name, value)
    response.headers["content-length"] = str(len(answer.body))
    # The client gets the headers with the end, so that they are gRPC's last word.
    response.stream = False
    REPLACED.put(flow, answer)
    task = asyncio.create_task(_end(flow))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def finish(flow: http.HTTPFlow) -> None:
    """On the whole response: what of the upstream's body has come is dropped."""
    answer = REPLACED.get(flow)
    if answer is not None and flow.response:
        flow.response.raw_content = answer.body
        flow.response.trailers = None


class _Ended(events.MessageInjected[None]):
    """Reaches the stream of an exchange through whatever lies around it."""


async def _end(flow: http.HTTPFlow) -> None:
    try:
        proxyserver = ctx.master.addons.get("proxyserver")
        handler = proxyserver.connections.get(flow.client_conn.id)
        path = _path(handler.layer, flow) if handler else None
        if not path:
            return  # The response is over, or the client is gone.
        _, stream = path[-1]
        stream._handle_event = _ending(handler, stream, stream._handle_event)
        # HTTP layers look up by connection whom a message is for.
        token: Any = object()
        for around, carrying in path:
            around.connections[token] = carrying
        addressed: Any = SimpleNamespace(server_conn=token, client_conn=token)
        try:
            await handler.server_event(_Ended(addressed, None))
        finally:
            for around, _ in path:
                around.connections.pop(token, None)
    except Exception:
        logger.exception("ai-limit: a refused response could not be ended before the upstream ends it")


def _ending(handler: ConnectionHandler, stream: HttpStream, usual: Any) -> Any:
    """The stream's own handling of events, that knows one more."""

    def handle(event: events.Event) -> layer.CommandGenerator[None]:
        if not isinstance(event, _Ended):
            yield from usual(event)
        elif stream.server_state == stream.state_consume_response_body:
            left = RequestProtocolError(stream.stream_id, "nobody listens", ErrorCode.CANCEL)
            yield SendHttp(left, stream.context.server)
            asyncio.get_running_loop().call_soon(_close, handler, stream.context.server)
            yield from stream.server_state(ResponseEndOfMessage(stream.stream_id))

    return handle


def _close(handler: ConnectionHandler, server: connection.Connection) -> None:
    """What was to be closed. The task that reads from the connection does not close it if more had come just then."""
    transport = handler.transports.get(server)
    if server.state is connection.ConnectionState.CLOSED and transport and transport.writer:
        transport.writer.close()


def _path(outer: layer.Layer, flow: http.HTTPFlow) -> list[tuple[HttpLayer, HttpStream]]:
    """From the outermost HTTP layer below `outer` to the stream of the flow; empty when there is none any more."""
    # Not all layers know the ones that they contain, but a context knows all of them, from the outside in.
    layers = outer.context.layers
    for inner in layers[layers.index(outer) + 1 :]:
        if not isinstance(inner, HttpLayer):
            continue
        for stream in inner.streams.values():
            if getattr(stream, "flow", None) is flow:
                return [(inner, stream)]
            if found := _path(stream, flow):
                return [(inner, stream), *found]
    return []
