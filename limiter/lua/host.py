"""What Lua asks Python for: digests, regular expressions, the time. Nothing here raises, or hands an object to Lua."""

import base64
import binascii
import hashlib
import hmac
import re
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_WITHOUT_EFFECT = "ajodDuUJ"
"""Options of ngx.re that are about how it works, or (`a`) heeded where it is used."""
_NAMED = re.compile(rb"\(\?<(?=[A-Za-z_])")
"""PCRE's way to begin a named group."""

type Answer = tuple[bytes | int | float | None, ...] | bytes | int | float | bool | None


@lru_cache(maxsize=256)
def _compiled(pattern: bytes, options: bytes) -> re.Pattern[bytes]:
    flags = 0
    for option in options.decode("latin-1"):
        if option not in _FLAGS and option not in _WITHOUT_EFFECT:
            raise ValueError(f'unknown flag "{option}" (flags "{options.decode("latin-1")}")')
        flags |= _FLAGS.get(option, 0)
    return re.compile(_NAMED.sub(rb"(?P<", pattern), flags)


def search(pattern: bytes, options: bytes, subject: bytes, start: float) -> Answer:
    """`match`, the named groups as `name=number,…`, and where each group begins and ends (-1: took no part)."""
    try:
        compiled = _compiled(pattern, options)
        at = min(max(int(start), 0), len(subject))
        found = compiled.match(subject, at) if b"a" in options else compiled.search(subject, at)
    except (re.error, ValueError, OverflowError, RecursionError, TypeError) as problem:
        return b"error", f"pcre_compile() failed: {problem}".encode()
    if found is None:
        return (b"none",)
    names = ",".join(f"{name}={number}" for name, number in compiled.groupindex.items())
    spans = (place for number in range(compiled.groups + 1) for place in found.span(number))
    return b"match", names.encode(), *spans


def encode_base64(data: bytes, no_padding: object = None) -> bytes:
    encoded = base64.b64encode(data)
    return encoded.rstrip(b"=") if no_padding else encoded


def decode_base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def is_trusted(address: bytes, networks: bytes) -> bool:
    """Whether an address is in one of the networks, which are joined by commas."""
    try:
        asked = ip_address(address.decode("ascii"))
        return any(asked in ip_network(network) for network in networks.decode("ascii").split(",") if network)
    except ValueError:
        return False


def _digest(name: str) -> Callable[[bytes], bytes]:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).digest()


FUNCTIONS: dict[str, Callable[..., Answer]] = {
    "crc32_short": zlib.crc32,
    "decode_base64": decode_base64,
    "encode_base64": encode_base64,
    "hmac_sha1": lambda key, data=b"": hmac.digest(key, data, "sha1"),
    "is_trusted": is_trusted,
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest().encode(),
    "md5_bin": _digest("md5"),
    "now": lambda: round(time.time(), 3),
    "search": search,
    "sha1_bin": _digest("sha1"),
}


def guarded(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """The function, answering nil to arguments that it cannot take.

    An exception would carry Python into Lua, and a table with fields of its own could pass for a Python object.
    """

    def call(*arguments: object) -> Answer:
        if not all(isinstance(argument, bytes | int | float | None) for argument in arguments):
            return None
        try:
            return function(*arguments)
        except Exception:  # noqa: BLE001 whatever it is, it must not get out
            return None

    return call
