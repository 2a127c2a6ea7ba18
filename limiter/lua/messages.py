"""What the proxy and its workers tell each other: frames of four bytes of length and that much msgpack."""

import json
from typing import Any, Literal

import msgspec

from limiter.lua.request import Fields, LuaRequest, LuaResponse

LENGTH = 4
"""Bytes of a frame's length, big-endian."""
LONGEST_REPLY = 65_536
"""Bytes; a worker that says more is out of hand."""
LONGEST_LINE = 1000
"""Bytes of a line that a function logs; the rest is cut off."""
LONGEST_DETAIL = 500
"""Bytes of an error's text, as well."""

type Kind = Literal["ready", "number", "nil", "text", "type", "raised", "time", "memory", "body", "broken"]


class Snapshot(msgspec.Struct, array_like=True, frozen=True):
    """A request, ready for Lua: the fields that `current.lua` reads, by their names there."""

    method: bytes
    scheme: bytes
    host: bytes
    port: int
    target: bytes
    version: float | None
    ip: bytes
    client_port: int
    forwarded_ip: bytes
    forwarded_port: int
    trusted: bool
    peers: bytes
    started: int
    status: int | None
    context: bytes
    body: bytes | None
    body_away: bool
    headers: list[bytes]
    response_headers: list[bytes]


class Call(msgspec.Struct, array_like=True, frozen=True):
    """One call of a function."""

    digest: bytes
    source: bytes | None
    """None: the worker has it."""
    forget: bool
    """The worker shall drop all functions that it has first."""
    request: Snapshot


class Reply(msgspec.Struct, array_like=True, frozen=True):
    """What came of it.

    Kinds beside those of numbers and mistakes: `ready` (the worker has started), `body` (the function wants the
    request's body, which it was not given) and `broken` (the worker cannot start).
    """

    kind: Kind
    number: float = 0.0
    detail: bytes = b""
    lines: tuple[tuple[str, bytes], ...] = ()
    """Level and text of what the function logged."""


_encoder = msgspec.msgpack.Encoder()
_calls = msgspec.msgpack.Decoder(Call)
_replies = msgspec.msgpack.Decoder(Reply)


def framed(message: Call | Reply) -> bytes:
    payload = _encoder.encode(message)
    return len(payload).to_bytes(LENGTH, "big") + payload


def read_call(payload: bytes) -> Call:
    return _calls.decode(payload)


def read_reply(payload: bytes) -> Reply:
    """A worker's reply.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _replies.decode(payload)


def snapshot_of(request: LuaRequest, *, with_body: bool) -> Snapshot:
    return Snapshot(
        method=encoded(request.method),
        scheme=encoded(request.scheme),
        host=encoded(request.host),
        port=request.port,
        target=encoded(request.target),
        version=request.http_version,
        ip=encoded(request.ip),
        client_port=request.client_port,
        forwarded_ip=encoded(request.forwarded_ip),
        forwarded_port=request.forwarded_port,
        trusted=request.trusted,
        peers=encoded(",".join(request.trusted_peers)),
        started=request.started,
        status=request.response.status if request.response else None,
        context=_context(request),
        body=request.body if with_body else None,
        body_away=not with_body and request.body != b"",
        headers=_flat(request.headers),
        response_headers=_flat(request.response.headers if request.response else ()),
    )


def encoded(text: str) -> bytes:
    """A text as functions see it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # Half a surrogate pair, out of somebody's JSON.
        return text.encode("utf-8", "replace")


def _flat(fields: Fields) -> list[bytes]:
    return [encoded(part) for field in fields for part in field]


def _context(request: LuaRequest) -> bytes:
    """JSON of what is asked for rarely; it is only parsed when it is."""
    known: dict[str, Any] = {
        "consumer": request.consumer,
        "credential": request.credential,
        "groups": request.groups or None,
        "route": request.route,
        "service": request.service,
        "prefix": request.prefix,
        "captures": request.captures,
        "plugin_id": request.plugin_id,
        "node_id": request.node_id,
        "hostname": request.hostname,
    }
    if request.response:
        known |= {"ai": _usage(request.response), "latencies": request.response.latencies}
    told = {name: value for name, value in known.items() if value}
    # Not ASCII alone: an escaped surrogate would not be the byte that it stands for.
    return encoded(json.dumps(told, ensure_ascii=False, default=dict)) if told else b"{}"


def _usage(response: LuaResponse) -> dict[str, Any]:
    """As `ai` in the log entries of Kong's AI plugins."""
    return {
        "proxy": {
            "usage": {
                "prompt_tokens": response.prompt_tokens,
                "completion_tokens": response.completion_tokens,
                "total_tokens": response.total_tokens,
                "cost": response.cost,
            },
            "meta": {
                "provider_name": response.provider,
                "request_model": response.request_model,
                "response_model": response.response_model,
            },
        }
    }
