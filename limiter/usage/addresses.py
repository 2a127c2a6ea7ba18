"""Hosts and paths, each in one spelling: what limits match must be what servers serve.

Servers undo escapes, resolve `..`, merge slashes and drop parameters, some more and some less. All of that is undone
here, so a path that any of them would take for a model call looks like one. The price is that a path may look like
something that no server makes of it; so what costs nothing is only believed of a path that `is_plain`.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

MOST_PATH = 4096
"""Characters of a path that is looked into; longer ones, which no endpoint has, are left as they are."""
MOST_ROUNDS = 8
"""Times that escapes are undone, one inside the other. What needs more is left as it is."""

_KEPT = r"[01]|7F|23|3F"
"""Controls, `#` and `?` stay escaped: bare, they would end the path."""
_ESCAPES = re.compile(rf"(?:%(?!{_KEPT})[0-9A-F]{{2}})+", re.IGNORECASE)
_ESCAPE = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_QUERY = re.compile(r"[?#]")
_PARAMETERS = re.compile(r";[^/]*")
_SLASHES = re.compile(r"/{2,}")

_ODD = re.compile(
    r"[\\;#\x00-\x20\x7f]"  # ends or splits a path, for some
    r"|(?:^|/|%2F)\.{1,2}(?:/|%2F|$)"  # a dot segment
    r"|%(?![0-9A-F]{2})"
    r"|%(?:[01]|7F|23|25|3B|3F|5C"  # escapes of the above, and of escapes
    r"|2[DE]|5F|3\d|[46][1-9A-F]|[57][0-9A])",  # escapes of what needs none
    re.IGNORECASE,
)


def canonical_host(host: str) -> str:
    """Lower case, in ASCII, without the root's dot."""
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return host.lower().rstrip(".")
    return host.lower().rstrip(".")


def canonical_path(path: str) -> str:
    """Without query, escapes, dot segments, parameters, needless slashes; the same for what is canonical already.

    Args:
        path: as sent, with or without the query.
    """
    return _cached(path) if len(path) <= _SHORT else _canonical(path)


def is_plain(path: str) -> bool:
    """Whether all servers read the path alike: nothing is escaped that needs no escape, nothing leads upwards."""
    bare = without_query(path)
    return len(bare) <= MOST_PATH and "#" not in path.partition("?")[0] and _ODD.search(bare) is None


def tidy(path: str) -> str:
    """As it was sent, without the query and needless slashes."""
    return _SLASHES.sub("/", without_query(path)).rstrip("/") or "/"


def without_query(path: str) -> str:
    return _QUERY.split(path, maxsplit=1)[0]


def _canonical(path: str) -> str:
    bare = without_query(path)
    if len(bare) > MOST_PATH:
        return bare
    plain = bare
    for _ in range(MOST_ROUNDS):
        if "%" not in plain or (undone := _ESCAPES.sub(_text, plain)) == plain:
            break
        plain = undone
    else:
        return bare
    plain = _ESCAPE.sub(lambda found: found[0].upper(), plain)
    plain = _PARAMETERS.sub("", plain.replace("\\", "/"))
    segments: list[str] = []
    for segment in plain.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


_SHORT = 256
_cached = lru_cache(maxsize=1024)(_canonical)


def _text(escapes: re.Match[str]) -> str:
    return unquote(escapes[0], errors="replace")
