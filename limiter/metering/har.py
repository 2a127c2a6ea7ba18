"""Recorded exchanges as HAR 1.2, the archive that browsers and mitmproxy save.

http://www.softwareishard.com/blog/har-12-spec/ ; `_webSocketMessages` is Chrome's.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from limiter.metering.recording import Damaged, Frame, Recording, without_encoding

_HAR = re.compile(rb'\s*\{\s*"log"\s*:\s*\{')
_TEXT_FRAME = 1


def looks_like_har(head: bytes) -> bool:
    return _HAR.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read_har(file: BinaryIO, name: str) -> Iterator[Recording | Damaged]:
    """Every entry. The file is one JSON text, so damage anywhere loses all of it."""
    try:
        entries = msgspec.json.decode(file.read().removeprefix(b"\xef\xbb\xbf"))["log"]["entries"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        yield Damaged(name, f"no HAR with log.entries: {error}")
        return
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        place = f"{name}#{index}"
        try:
            yield _exchange(entry, place)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            yield Damaged(place, f"no entry of a HAR: {type(error).__name__}: {error}")


def _exchange(entry: Mapping[str, Any], id: str) -> Recording:
    request, response = entry["request"], entry["response"]
    problems: list[str] = []
    messages = entry.get("_webSocketMessages")
    status = int(response["status"])
    content = response.get("content") or {}
    if messages is None and content.get("text") is None and content.get("size"):
        problems.append("the response's body was not recorded")
    posted = request.get("postData") or {}
    return Recording(
        id=id,
        method=request["method"],
        url=request["url"],
        request_headers=without_encoding(_headers(request)),
        request_body=_plain(posted.get("text"), posted.get("encoding"), "the request's body", problems),
        # Browsers write 0 for exchanges that were cut off.
        status=status if status > 0 else None,
        response_headers=without_encoding(_headers(response)),
        response_body=_plain(content.get("text"), content.get("encoding"), "the response's body", problems),
        frames=None if messages is None else tuple(map(_frame, messages)),
        started=_time(entry.get("startedDateTime")),
        problem="; ".join(problems),
    )


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    return {
        item["name"]: str(item["value"]) for item in message.get("headers") or () if not item["name"].startswith(":")
    }


def _plain(text: Any, encoding: Any, what: str, problems: list[str]) -> bytes:
    if not isinstance(text, str):
        return b""
    if encoding != "base64":
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        problems.append(f"{what} is no base64")
        return b""


def _frame(message: Mapping[str, Any]) -> Frame:
    data = str(message["data"])
    try:
        plain = data.encode() if message.get("opcode") == _TEXT_FRAME else base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        plain = data.encode("utf-8", "replace")
    return Frame(message["type"] == "send", plain)


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
