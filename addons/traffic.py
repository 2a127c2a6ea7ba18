"""Facts of a flow: who asks whom for what, as mitmproxy sees it."""

import platform
from urllib.parse import parse_qsl

from mitmproxy import http
from mitmproxy.net.http.url import parse_authority

from addons.routing import ROUTED
from limiter import identity
from limiter.facts import Facts
from limiter.settings import Network
from limiter.usage.providers import Directory, Endpoint, path_of
from limiter.usage.requests import Ask

MACHINE = platform.node()
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def fields(headers: http.Headers) -> dict[str, str]:
    """Header fields by lower-case name; repeated ones are joined as HTTP says."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers.fields:
        name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
        lowered = name.lower()
        joined[lowered] = f"{joined[lowered]}, {value}" if lowered in joined else value
    return joined


def fields_of(headers: http.Headers, authority: str = "") -> tuple[tuple[str, str], ...]:
    """Header fields one by one, in their order, with lower-case names.

    Args:
        authority: what HTTP/2 has in place of the field `host`.
    """
    found = [
        (name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape")) for name, value in headers.fields
    ]
    return (("host", authority), *found) if authority and "host" not in headers else tuple(found)


def endpoint_of(request: http.Request, headers: dict[str, str], directory: Directory) -> Endpoint | None:
    """The endpoint that a request goes to; None when its host is not known.

    Where the connection goes decides. A host that is dialled by address is known by the name that it is asked for.
    """
    endpoint = directory.recognise(request.host, request.port, request.method, request.path, headers)
    if endpoint is None and request.pretty_host != request.host:
        _, port = parse_authority(request.host_header or "", check=False)
        host = request.pretty_host
        endpoint = directory.recognise(host, port or request.port, request.method, request.path, headers)
    return endpoint


def facts_of(flow: http.HTTPFlow, headers: dict[str, str], ask: Ask, trusted_peers: tuple[Network, ...]) -> Facts:
    """What the limits may look at; who asks is left open (see `identification`)."""
    request = flow.request
    query = request.path.partition("?")[2]
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    address = flow.client_conn.peername[0]
    peer = identity.client_address(address, {}, ())
    routed = ROUTED.get(flow)
    return Facts(
        provider=ask.endpoint.provider,
        endpoint=ask.endpoint.name,
        api=ask.endpoint.api,
        model=ask.model,
        host=_host(request, ask.endpoint),
        method=request.method,
        asked_host=routed.ask.host if routed else "",
        asked_scheme=routed.ask.scheme if routed else request.scheme,
        path=path_of(ask.endpoint, request.path),
        target=routed.target if routed else request.path,
        ip=identity.client_address(address, headers, trusted_peers) if trusted_peers else peer,
        peer=peer,
        trusted=identity.is_trusted(peer, trusted_peers),
        credential=identity.credential(headers, parameters, ask.endpoint.api),
        service=routed.passing.service if routed else "",
        route=routed.passing.route if routed else "",
        client=identity.client(headers),
        session=identity.session(headers),
        machine=MACHINE,
        headers=headers,
        fields=fields_of(request.headers, request.authority),
        query=parameters,
        cookies=dict(request.cookies.items()) if "cookie" in headers else {},
    )


def _host(request: http.Request, endpoint: Endpoint) -> str:
    """The name by which the endpoint was found, so that dialling an address is no way round a limit on a host.

    The port is the one that is dialled: what else the client asks for, servers ignore.
    """
    return endpoint.host if DEFAULT_PORTS.get(request.scheme) == request.port else f"{endpoint.host}:{request.port}"
