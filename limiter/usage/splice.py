"""Setting `stream_options.include_usage` in a JSON body by inserting bytes, and leaving all others as they are.

The body is not decoded and encoded again: that would change number formats, escapes and the order of keys, which breaks
signed requests and cached prompts. Nor is it walked through, which takes seconds where somebody wants it to: a place
in the text is the right one if, with other options put there, the body is read as having those.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from limiter.usage.jsonpeek import LONGEST_LEAF, Wanted, without_surrogates

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,{}\[\]\"]+")
_BRACKET = re.compile(rb'["{}\[\]]')
_COLON = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")

_NAME = "stream_options"
_OPTIONS = Wanted([(_NAME,)])
_ASKED = b'{"include_usage":true}'
_MEMBER = b'"include_usage":true'
_QUOTED = b'"stream_options"'
MOST_PLACES = 1000
"""Places with the options' name that are looked at, the last one first. There is one, but for odd tools' schemas."""
MOST_TRIES = 3
"""Those of them, with the options behind it, that are tried."""


class Member(NamedTuple):
    key: bytes
    """As written, quotes and escapes included."""
    start: int
    """Of the value."""
    stop: int


class NotFoundError(ValueError):
    """The text is not the JSON that it should be, or it takes too long to find that out."""


def ask_for_usage(body: bytes) -> bytes:
    """The body, a JSON object, with `stream_options.include_usage` true.

    Raises:
        NotFoundError: the body is no such thing, or its `stream_options` is neither an object nor null.
    """
    at = body.find(b"{")
    if at < 0 or body[:at].strip(b"\xef\xbb\xbf \t\r\n"):
        raise NotFoundError("not an object")
    text = body
    try:
        options = _options(text, at)
    except NotFoundError:
        text = without_surrogates(body)
        options = _options(text, at)
    if not options:
        empty = body[_skip(body, at + 1) :][:1] == b"}"
        return body[: at + 1] + b'"stream_options":' + _ASKED + (b"" if empty else b",") + body[at + 1 :]
    wanted = _with_usage(options)
    if wanted == options:
        return body
    start, stop = _place(text, at, options, wanted)
    return body[:start] + _with_usage(body[start:stop]) + body[stop:]


def _options(body: bytes, at: int) -> bytes:
    """The options as they are written; empty where there are none."""
    # Decoding a long body takes longer than seeing that there is nothing to be found.
    if _NAME.encode() not in body and b"\\u00" not in body:
        return b""
    try:
        return bytes(_OPTIONS.raw(memoryview(body)[at:], _NAME))
    except (ValueError, RecursionError) as error:
        raise NotFoundError(str(error)) from error


def _place(body: bytes, at: int, options: bytes, wanted: bytes) -> tuple[int, int]:
    """Where the options begin and end."""
    place, tries = len(body), 0
    for _ in range(MOST_PLACES):
        place = body.rfind(_QUOTED, at, place)
        if place < 0 or tries == MOST_TRIES:
            break
        colon = _COLON.match(body, place + len(_QUOTED))
        if colon is not None and body.startswith(options, start := colon.end()):
            tries += 1
            stop = start + len(options)
            if _options(body[:start] + wanted + body[stop:], at) == wanted:
                return start, stop
    raise NotFoundError("the options are under an odd spelling, or hidden")


def _with_usage(options: bytes) -> bytes:
    if options == b"null":
        return _ASKED
    if options[:1] != b"{" or len(options) > LONGEST_LEAF:
        raise NotFoundError("stream_options is not an object, or a huge one")
    inner = list(members(options, 0))
    wanted = [member for member in inner if _named(member.key, b"include_usage")]
    if wanted:
        return options[: wanted[-1].start] + b"true" + options[wanted[-1].stop :]
    return b"{" + _MEMBER + (b"," if inner else b"") + options[1:]


def members(body: bytes, at: int) -> Iterator[Member]:
    """The members of the object whose `{` is at `at`. The text is taken to be valid JSON, and short.

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
