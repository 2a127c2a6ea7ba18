"""Kong's services and routes at work: which of them a request takes, who sent it, and where it goes.

In reverse mode the route's service becomes the upstream. In the other modes a request goes where the client sends it,
and the service is known by that.
"""

from typing import NamedTuple
from urllib.parse import unquote_plus

from mitmproxy import http
from mitmproxy.net.http.url import parse_authority
from mitmproxy.proxy.mode_specs import ReverseMode

from addons.attachments import Attachment
from limiter.consumers import Who
from limiter.kong.authentication import TOLD
from limiter.kong.passage import Passage, Passing
from limiter.kong.router import DEFAULT_PORTS, Ask, Upstream
from limiter.usage.addresses import canonical_path
from limiter.usage.providers import Endpoint
from limiter.voices import Answer, Fields


class Routed(NamedTuple):
    """How a request goes through the gateway, and what it asked for before."""

    passing: Passing
    target: str
    """Path and query as the client sent them."""
    ask: Ask


ROUTED: Attachment[Routed] = Attachment()
"""Of flows that went through a gateway."""


def route(
    flow: http.HTTPFlow, passage: Passage, fields: Fields, endpoint: Endpoint | None, proven: Who | None
) -> Answer | None:
    """Sends a request on its way, or says what to answer in place of that.

    Args:
        fields: of its header, credentials for this proxy included.
        endpoint: that it goes to if nothing is changed; None: none that is known.
        proven: who the client is, as far as it has shown that to the proxy.
    """
    if isinstance(flow.client_conn.proxy_mode, ReverseMode):
        ask = _asked_here(flow, fields)
        passing = passage.take(ask, inbound=True)
    else:
        provider = endpoint.provider if endpoint else ""
        ask = _asked_elsewhere(flow.request, fields, endpoint)
        passing = passage.take(ask, provider, proven, inbound=False)
    if isinstance(passing, Answer):
        return passing
    ROUTED.put(flow, Routed(passing, flow.request.path, ask))
    if passing.upstream is not None:
        _send_to(flow.request, passing.upstream)
    if passing.hidden:
        _hide(flow.request, frozenset(passing.hidden))
    if passing.told is not None:
        for name in TOLD:
            flow.request.headers.pop(name, None)
        for name, value in passing.told:
            flow.request.headers[name] = value
    return None


def _asked_elsewhere(request: http.Request, fields: Fields, endpoint: Endpoint | None) -> Ask:
    """Host and path in the spelling by which they are metered: another one is no way round the limits of a service."""
    if endpoint is None:
        return Ask(request.method, request.scheme, request.host.lower(), request.port, request.path, fields)
    _, mark, query = request.path.partition("?")
    target = canonical_path(request.path) + mark + query
    return Ask(request.method, request.scheme, endpoint.host, request.port, target, fields)


def _asked_here(flow: http.HTTPFlow, fields: Fields) -> Ask:
    request = flow.request
    scheme = "https" if flow.client_conn.tls else "http"
    host, port = parse_authority(request.host_header or "", check=False)
    return Ask(request.method, scheme, host.lower(), port or DEFAULT_PORTS[scheme], request.path, fields)


def _send_to(request: http.Request, upstream: Upstream) -> None:
    request.scheme = upstream.scheme
    request.host = upstream.host
    request.port = upstream.port
    request.path = upstream.target
    request.host_header = upstream.authority


def _dashed(names: frozenset[str]) -> frozenset[str]:
    """Kong takes underscores in the names of header fields for dashes."""
    return frozenset(name.replace("_", "-") for name in names)


def _hide(request: http.Request, names: frozenset[str]) -> None:
    for name in {field for field in request.headers if field.lower().replace("_", "-") in _dashed(names)}:
        request.headers.pop(name, None)
    path, mark, query = request.path.partition("?")
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]).lower() not in names]
    request.path = path + mark * bool(kept and query) + "&".join(kept)
