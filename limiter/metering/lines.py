"""Recorded exchanges as JSON, one a line.

    {"id": …, "request": {"method", "url", "headers", "body_encoding": "text" | "json" | "base64", "body"},
     "response": {"status", "headers", "framing", "body_base64"}}

Bodies are kept without their content-encoding. Where `framing` is a WebSocket's, the response's body is one JSON
`{"direction": "sent" | "received", "data": …}` a line. Other members are ignored.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from limiter.metering.recording import Damaged, Frame, Recording, without_encoding

MOST_LINE = 256 * 1024 * 1024
"""Bytes of one exchange."""


def looks_like_lines(head: bytes) -> bool:
    """Whether a file may begin like this. A damaged line among others does not count against it."""
    objects = any(line.lstrip().startswith(b"{") for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:1000])
    return not head.strip() or (objects and (b'"request"' in head or b'"response"' in head))


def read_lines(file: BinaryIO, name: str) -> Iterator[Recording | Damaged]:
    """Every line that is not blank."""
    number = 0
    while line := file.readline(MOST_LINE):
        number += 1
        place = f"{name}:{number}"
        if len(line) == MOST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(MOST_LINE)
            yield Damaged(place, f"the line is longer than {MOST_LINE} bytes")
        elif stripped := line.strip().removeprefix(b"\xef\xbb\xbf"):
            yield _exchange(stripped, place)


def _exchange(line: bytes, place: str) -> Recording | Damaged:
    try:
        found = _decoded(line)
    except (ValueError, RecursionError) as error:
        return Damaged(place, f"no JSON: {error}")
    if not isinstance(found, dict):
        return Damaged(place, "found no object, expected one with request and response")
    given = found.get("id")
    name = given if isinstance(given, str) and given else place
    request, response = found.get("request"), found.get("response")
    if not isinstance(request, dict) or not isinstance(request.get("url"), str):
        return Damaged(name, "found no request with a url")
    problems: list[str] = []
    sent = _sent(request, problems)
    if not isinstance(response, dict):
        problems.append("found no response")
        response = {}
    body = _received(response, problems)
    method, status, framing = request.get("method"), response.get("status"), response.get("framing")
    if response and type(status) is not int:
        problems.append("found no status of the response")
    return Recording(
        id=name,
        method=method if isinstance(method, str) else "POST",
        url=request["url"],
        request_headers=without_encoding(_headers(request)),
        request_body=sent,
        status=status if type(status) is int else (200 if response else None),
        response_headers=without_encoding(_headers(response)),
        response_body=body,
        frames=_frames(body, problems) if isinstance(framing, str) and framing.startswith("websocket") else None,
        problem="; ".join(problems),
    )


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except ValueError:
        return json.loads(line)  # Takes what people do send: lone surrogates and NaN.


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    headers = message.get("headers")
    return {name: str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}


def _sent(request: Mapping[str, Any], problems: list[str]) -> bytes:
    body = request.get("body")
    if body is None:
        return b""
    if request.get("body_encoding") == "base64" and isinstance(body, str):
        return _from_base64(body, "the request's body", problems)
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else json.dumps(body).encode()


def _received(response: Mapping[str, Any], problems: list[str]) -> bytes:
    body = response.get("body_base64")
    if isinstance(body, str):
        return _from_base64(body, "the response's body", problems)
    if response:
        problems.append("found no body of the response")
    return b""


def _from_base64(text: str, what: str, problems: list[str]) -> bytes:
    """As much as can be decoded."""
    whole = text[: len(text) // 4 * 4]
    try:
        if whole == text:
            return base64.b64decode(text, validate=True)
        problems.append(f"{what} is cut within its base64")
        return base64.b64decode(whole, validate=True)
    except (binascii.Error, ValueError):
        problems.append(f"{what} is no base64")
        return b""


def _frames(body: bytes, problems: list[str]) -> tuple[Frame, ...]:
    frames = []
    for number, line in enumerate(body.splitlines(), 1):
        try:
            found = _decoded(line)
            from_client = {"sent": True, "received": False}[found["direction"]]
            data = found["data"]
        except (ValueError, TypeError, KeyError, RecursionError):
            problems.append(f"message {number} is no JSON with direction and data")
            continue
        text = data if isinstance(data, str) else json.dumps(data)
        frames.append(Frame(from_client, text.encode("utf-8", "surrogatepass")))
    return tuple(frames)
