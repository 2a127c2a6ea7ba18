"""The secrets of a request, kept out of what functions say of it.

A text from a worker is cut, and a function shows values as it likes: decoded, quoted, in part. So a secret is looked
for in the spellings that functions' libraries give it, and every piece of `PIECE` bytes counts, not the whole alone.

Out of reach: what a function computes of a secret (a digest, Base64), pieces that it cuts shorter than `PIECE`, secrets
in bodies and in paths, and those under names that say nothing of it.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import quote_from_bytes, unquote_plus, unquote_to_bytes

from limiter.lua.messages import encoded
from limiter.lua.request import LuaRequest

PIECE = 8
"""Bytes of a secret that give it away wherever they stand."""
SHORTEST = 4
"""Bytes of the shortest value that is a secret; one shorter than `PIECE` is looked for as a whole."""
_SECRET_NAME = re.compile(
    r"auth|key|token(?!s(?![a-z]))|secret|cookie|passw|pwd|credential|signature|session|jwt|bearer|(?<![a-z])sig(?![a-z])",
    re.IGNORECASE,
)
"""`…-tokens` are counts."""
_BETWEEN = re.compile(rb"[\s,;]+")
_BASIC = re.compile(rb"basic\s+([^\s,]+)", re.IGNORECASE)
_SCHEMES = frozenset((b"apikey", b"basic", b"bearer", b"digest", b"negotiate", b"token"))
"""Of the header Authorization; words that are no secrets."""
_EDGES = re.compile(rb"^(\s*).*?(\s*)\Z", re.DOTALL)
"""Blanks around a piece, which need not be hidden."""
_MARK = b"[redacted]"


class Secrets:
    """What must not be shown of one request."""

    def __init__(self, request: LuaRequest) -> None:
        values = {spelling.lower() for value in _values(request) for spelling in _spellings(value)}
        self._values = {value for value in values if len(value) >= SHORTEST}
        self._short = {value for value in self._values if len(value) < PIECE}
        self._pieces = {
            value[start : start + PIECE] for value in self._values for start in range(len(value) - PIECE + 1)
        }

    def redacted(self, text: bytes, *, cut: bool) -> str:
        """A text without them, on one line.

        Args:
            cut: the text went on, so its end may be the beginning of a secret.
        """
        if not self._values:
            return _line(text)
        folded = text.lower()  # of ASCII alone: no byte moves
        hidden = bytearray(len(text))
        for start in range(len(folded) - PIECE + 1):
            if folded[start : start + PIECE] in self._pieces:
                hidden[start : start + PIECE] = b"\x01" * PIECE
        for value in self._short:
            for found in re.finditer(re.escape(value), folded):
                hidden[found.start() : found.end()] = b"\x01" * len(value)
        if cut and (size := self._begun(folded)):
            hidden[-size:] = b"\x01" * size
        return _line(b"".join(_shown(text, hidden)))

    def _begun(self, text: bytes) -> int:
        """Bytes at the end that a secret begins with; from `PIECE` on they are found as a piece."""
        ends = range(min(PIECE - 1, len(text)), 0, -1)
        return next((size for size in ends if any(value.startswith(text[-size:]) for value in self._values)), 0)


def _shown(text: bytes, hidden: bytearray) -> Iterator[bytes]:
    for run in re.finditer(rb"\x00+|\x01+", hidden):
        piece = text[run.start() : run.end()]
        yield _EDGES.sub(rb"\1" + _MARK + rb"\2", piece) if run[0][0] else piece


def _line(text: bytes) -> str:
    line = text.decode("utf-8", "replace")
    return line if line.isprintable() else line.encode("unicode_escape").decode("ascii")


def _values(request: LuaRequest) -> Iterator[bytes]:
    """Values under names that say that they are secret, and their parts."""
    for name, argument in _arguments(request.target):
        if _SECRET_NAME.search(name):
            yield argument
    for name, value in (*request.headers, *(request.response.headers if request.response else ())):
        if _SECRET_NAME.search(name):
            yield from _parts(encoded(value))


def _arguments(target: str) -> Iterator[tuple[str, bytes]]:
    for argument in target.partition("?")[2].split("&"):
        name, _, value = argument.partition("=")
        yield unquote_plus(name), encoded(value)


def _parts(value: bytes) -> Iterator[bytes]:
    """Of a header: the whole, its words, the values of cookies and of parameters, user and password."""
    yield value
    for word in _BETWEEN.split(value):
        if word.lower() not in _SCHEMES:
            yield word
            yield word.partition(b"=")[2].strip(b'"')
    for basic in _BASIC.findall(value):
        try:
            pair = base64.b64decode(basic + b"=" * (-len(basic) % 4), b"-_" if b"-" in basic or b"_" in basic else None)
        except binascii.Error:
            continue
        user, _, password = pair.partition(b":")
        yield from (pair, user, password)


def _spellings(value: bytes) -> Iterator[bytes]:
    """As sent, decoded as in queries, and each as `%q`, JSON and `escape_uri` have it."""
    for plain in (value, unquote_to_bytes(value), unquote_to_bytes(value.replace(b"+", b" "))):
        escaped = plain.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        yield from (plain, escaped, escaped.replace(b"/", b"\\/"), quote_from_bytes(plain, safe="").encode())
