"""Errors as Kong's own responder writes them: in the format that the client accepts, or as gRPC has them.

kong/tools/http.lua (`get_response_type`, error templates), kong/pdk/response.lua (gRPC).
"""

import json
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from html import escape

from limiter.facts import Facts
from limiter.kong.numbers import BLANKS
from limiter.voices import Answer, Fields

GRPC = "application/grpc"
_STATUSES: Mapping[int, tuple[str, str]] = {429: ("8", "ResourceExhausted"), 500: ("13", "Internal")}
"""HTTP status → what gRPC calls it."""


def _json(message: str, request: str) -> str:
    return f'{{\n  "message":{json.dumps(message, ensure_ascii=False)},\n  "request_id":"{request}"\n}}'


def _plain(message: str, request: str) -> str:
    return f"{message}\nrequest_id: {request}\n"


def _html(message: str, request: str) -> str:
    return (
        '<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n'
        f"  <body>\n    <h1>Error</h1>\n    <p>{escape(message, quote=False)}.</p>\n"
        f"    <p>request_id: {request}</p>\n  </body>\n</html>\n"
    )


def _xml(message: str, request: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<error>\n'
        f"  <message>{escape(message, quote=False)}</message>\n  <requestid>{request}</requestid>\n</error>\n"
    )


JSON = "application/json"
_FORMATS: Mapping[str, Callable[[str, str], str]] = {
    JSON: _json,
    "text/html": _html,
    "application/xml": _xml,
    "text/plain": _plain,
}
_ACCEPTED: Mapping[str, str] = {**{media: media for media in _FORMATS}, "application/*": JSON, "text/*": "text/plain"}
"""Media range → media type. Of any other range JSON is the answer."""
_RANGE = re.compile(
    r"(?P<range>(?:[a-z0-9][\w.!#$&^+-]+|\*)/(?:[a-z0-9][\w.!#$&^+-]+|\*))"
    r"(?:\s*;\s*q=(?P<quality>1(?:\.0{0,3})?|0(?:\.\d{0,3})?)(?![\d.])|\s*;\s*[a-z0-9][\w.!#$&^+-]+(?:=[^;]*)?)*",
    re.ASCII | re.IGNORECASE,
)


def accepted(accept: str) -> str:
    """The media type of errors for an `Accept` header: of the ranges with the highest quality the first."""
    best, chosen = 0.0, JSON
    for part in accept.split(","):
        found = _RANGE.match(part.strip(BLANKS))
        quality = float(found["quality"] or 1) if found else 0
        if found and quality > best:
            best, chosen = quality, _ACCEPTED.get(found["range"], JSON)
    return chosen


def error(status: int, message: str, facts: Facts, moment: int = 0) -> Answer:
    """An error response.

    Args:
        moment: milliseconds; tells requests apart that are alike.
    """
    if facts.headers.get("content-type", "").startswith(GRPC):
        return Answer(status, (("content-type", GRPC), *grpc(status)), b"")
    media = accepted(facts.headers.get("accept", ""))
    alike = f"{facts.ip}\0{facts.host}\0{facts.target}\0{moment}"
    request = sha256(alike.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    body = _FORMATS[media](message, request).encode("utf-8", "replace")
    return Answer(status, (("content-type", f"{media}; charset=utf-8"),), body)


def grpc(status: int) -> Fields:
    """What tells gRPC's clients of an HTTP status."""
    code, message = _STATUSES[status]
    return (("grpc-status", code), ("grpc-message", message))
