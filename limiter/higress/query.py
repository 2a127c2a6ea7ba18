"""Query parameters as Go reads them: `net/url` `Parse` of a request's target, then `ParseQuery`.

https://pkg.go.dev/net/url: any escape that is none, and any semicolon in the query, makes the whole of it unusable.
Bytes stay what they are, decoded as UTF-8 with surrogates for what is none.
"""

import re
from functools import lru_cache

_UNREADABLE = re.compile(rb"[\x00-\x1f\x7f]|%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY = re.compile(
    rb"""//
    (?: [\w.~:!$&'()*+,;=%-]* @ )?
    (?: \[ [^]/?#@]* \] | [^][/?\#@:<>"\\^`\ {|}]* )
    (?: : [0-9]* )?
    (?= / | $ )
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=256)
def parameters(target: str) -> dict[str, str]:
    """First value of each parameter by name; empty when nothing can be read.

    Args:
        target: path and query as sent, or an absolute URL.
    """
    raw = target.encode("utf-8", "surrogateescape")
    if _UNREADABLE.search(raw):
        return {}
    address, _, _ = raw.partition(b"#")
    path, _, query = address.partition(b"?")
    if not _is_path(path) or b";" in query:
        return {}
    found: dict[str, str] = {}
    for pair in filter(None, query.split(b"&")):
        name, _, value = pair.partition(b"=")
        found.setdefault(_decoded(name), _decoded(value))
    return found


def _is_path(text: bytes) -> bool:
    """Whether Go takes what stands before the query for a path, or for a URL up to its path."""
    if scheme := _SCHEME.match(text):
        text = text[scheme.end() :]
    elif b":" in text.partition(b"/")[0]:
        return False
    return not text.startswith(b"//") or text.startswith(b"///") or _AUTHORITY.match(text) is not None


def _decoded(part: bytes) -> str:
    plain = _ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), part.replace(b"+", b" "))
    return plain.decode("utf-8", "surrogateescape")
