"""Setting `stream_options.include_usage` in a JSON body by inserting bytes, and leaving all others as they are.

The body is not decoded and encoded again: that would change number formats, escapes and the order of keys, which breaks
signed requests and cached prompts.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,{}\[\]\"]+")
_BRACKET = re.compile(rb'["{}\[\]]')

_OPTIONS = b"stream_options"
_ASKED = b'{"include_usage":true}'
_MEMBER = b'"include_usage":true'


class Member(NamedTuple):
    key: bytes
    """As written, quotes and escapes included."""
    start: int
    """Of the value."""
    stop: int


class NotFoundError(ValueError):
    """The text is not the JSON that it should be."""


def members(body: bytes, at: int) -> Iterator[Member]:
    """The members of the object whose `{` is at `at`. The text is taken to be valid JSON.

    Raises:
        NotFoundError: it is not.
    """
    at = _skip(body, at + 1)
    while body[at : at + 1] != b"}":
        key = _match(_STRING, body, at)
        at = _skip(body, key.end())
        if body[at : at + 1] != b":":
            raise NotFoundError(f"no colon at {at}")
        start = _skip(body, at + 1)
        stop = _end(body, start)
        yield Member(key.group(), start, stop)
        at = _skip(body, stop)
        if body[at : at + 1] == b",":
            at = _skip(body, at + 1)
        elif body[at : at + 1] != b"}":
            raise NotFoundError(f"no end of member at {at}")


def _skip(body: bytes, at: int) -> int:
    return _match(_SPACE, body, at).end()


def _match(pattern: re.Pattern[bytes], body: bytes, at: int) -> re.Match[bytes]:
    found = pattern.match(body, at)
    if found is None:
        raise NotFoundError(f"unexpected byte at {at}")
    return found


def _end(body: bytes, at: int) -> int:
    """Where the value that begins at `at` ends."""
    first = body[at : at + 1]
    if first == b'"':
        return _match(_STRING, body, at).end()
    if first not in (b"{", b"["):
        return _match(_SCALAR, body, at).end()
    depth = 0
    while True:
        found = _BRACKET.search(body, at)
        if found is None:
            raise NotFoundError("no closing bracket")
        match found.group():
            case b'"':
                at = _match(_STRING, body, found.start()).end()
                continue
            case b"{" | b"[":
                depth += 1
            case _:
                depth -= 1
        at = found.end()
        if depth == 0:
            return at


def _named(key: bytes, name: bytes) -> bool:
    if b"\\" not in key:
        return key[1:-1] == name
    return re.sub(rb"\\u00([0-7][0-9a-fA-F])", lambda found: bytes([int(found[1], 16)]), key[1:-1]) == name


def ask_for_usage(body: bytes) -> bytes:
    """The body, a JSON object, with `stream_options.include_usage` true.

    Raises:
        NotFoundError: the body is no such thing, or its `stream_options` is neither an object nor null.
    """
    at = body.find(b"{")
    if at < 0 or body[:at].strip(b"\xef\xbb\xbf \t\r\n"):
        raise NotFoundError("not an object")
    # Looking through a long body takes longer than seeing that there is nothing to be found. Of a repeated key most
    # parsers take the last.
    may_have = _OPTIONS in body or b"\\u00" in body
    options = [member for member in members(body, at) if _named(member.key, _OPTIONS)] if may_have else []
    if not options:
        empty = body[_skip(body, at + 1) :][:1] == b"}"
        return body[: at + 1] + b'"stream_options":' + _ASKED + (b"" if empty else b",") + body[at + 1 :]
    _, start, stop = options[-1]
    if body[start:stop] == b"null":
        return body[:start] + _ASKED + body[stop:]
    if body[start : start + 1] != b"{":
        raise NotFoundError("stream_options is not an object")
    inner = list(members(body, start))
    wanted = [member for member in inner if _named(member.key, b"include_usage")]
    if wanted:
        return body[: wanted[-1].start] + b"true" + body[wanted[-1].stop :]
    return body[: start + 1] + _MEMBER + (b"," if inner else b"") + body[start + 1 :]
