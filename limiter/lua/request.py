"""What a function may read: a request, and for the cost of an exchange its response and usage too."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from limiter.facts import Facts

MOST_BODY = 1024 * 1024
"""Bytes of a body that functions can read; a larger one is, to them, one that Kong did not keep in memory."""

type Json = str | int | float | bool | Mapping[str, Json] | list[Json] | None
type Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LuaResponse:
    """How an exchange ended."""

    status: int
    headers: Fields = field(default=(), repr=False)
    """Lower-case names."""
    provider: str = ""
    request_model: str = ""
    response_model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0.0
    """Dollars, or whatever the prices of the configuration are in."""
    latencies: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds: `request`, `proxy`, `kong`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LuaRequest:
    """One request as Kong's PDK shows it. Texts are UTF-8 with surrogateescape, as in `Facts`."""

    method: str = "GET"
    scheme: str = "https"
    host: str = ""
    """Lower case, without the port."""
    port: int = 443
    target: str = "/"
    """Path and query as sent."""
    http_version: float | None = 1.1
    headers: Fields = field(default=(), repr=False)
    """Lower-case names; repeated ones apart."""
    body: bytes | None = field(default=b"", repr=False)
    """None: too large to be kept."""
    started: int = 0
    """Milliseconds since the epoch."""
    ip: str = ""
    """Of the peer that is connected."""
    client_port: int = 0
    forwarded_ip: str = ""
    """Of the client, where a trusted peer forwards its address; else that of the peer."""
    forwarded_port: int = 0
    trusted: bool = False
    """Forwarding headers of this peer count."""
    trusted_peers: tuple[str, ...] = ()
    """Networks, for `kong.ip.is_trusted`."""
    prefix: str | None = None
    """Of the path, which the matched route strips."""
    captures: Mapping[str, Json] | None = None
    """Of the matched route's path: `named` and `unnamed`."""
    consumer: Mapping[str, Json] | None = None
    """`id`, `username`, `custom_id` …; None: anonymous."""
    credential: Mapping[str, Json] | None = None
    """`id` and what it belongs to; never the key itself."""
    groups: tuple[Mapping[str, Json], ...] = ()
    """Consumer groups: `id`, `name`."""
    route: Mapping[str, Json] | None = None
    service: Mapping[str, Json] | None = None
    plugin_id: str = ""
    node_id: str = ""
    hostname: str = ""
    response: LuaResponse | None = None
    """None: the function runs before the request is sent (Kong's access phase), else after (log)."""


def snapshot(  # noqa: PLR0913 one for each thing that facts do not hold
    facts: Facts,
    *,
    scheme: str,
    http_version: float | None,
    body: bytes | None,
    started: int,
    client_port: int = 0,
    peer: str = "",
    trusted_peers: tuple[str, ...] = (),
    trusted: bool = False,
    response: LuaResponse | None = None,
) -> LuaRequest:
    """A request's facts as functions see them.

    Args:
        body: decoded; None where it is not at hand. One longer than `MOST_BODY` counts as such.
        started: milliseconds since the epoch.
        peer: the connected address where it is not the client's own (`facts.ip`).
        trusted: the peer's forwarding headers count.
    """
    host, _, port = facts.host.rpartition(":") if not facts.host.endswith("]") else ("", "", "")
    named = port.isdigit()
    return LuaRequest(
        method=facts.method,
        scheme=scheme,
        host=host if named else facts.host,
        port=int(port) if named else 443 if scheme == "https" else 80,
        target=facts.target or facts.path,
        http_version=http_version,
        headers=facts.fields,
        body=body if body is not None and len(body) <= MOST_BODY else None,
        started=started,
        ip=peer or facts.ip,
        client_port=client_port,
        forwarded_ip=facts.ip,
        forwarded_port=client_port,
        trusted=trusted,
        trusted_peers=trusted_peers,
        consumer=_consumer(facts),
        credential={"id": facts.credential_id} if facts.credential_id else None,
        groups=tuple({"name": name} for name in facts.groups),
        route={"id": facts.route} if facts.route else None,
        service={"id": facts.service} if facts.service else None,
        hostname=facts.machine,
        response=response,
    )


def _consumer(facts: Facts) -> Mapping[str, Json] | None:
    if not (facts.consumer or facts.consumer_id):
        return None
    shown = {"id": facts.consumer_id, "username": facts.consumer, "custom_id": facts.custom_id}
    return {name: value for name, value in shown.items() if value}
