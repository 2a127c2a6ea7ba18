"""Paths of requests: how Kong normalises them before it routes, and what becomes of them on the way to a service."""

import re

_ENCODED = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DOTS = re.compile(r"\.{1,2}(?:/|$)")
"""At the beginning of the rest of a path: `/a../b` on the route `/a` must not leave the service's own path."""
_SLASHES = re.compile(r"/{2,}")


def normal(path: str) -> str:
    """A path with one slash where there were several, without dot segments and without needless encoding.

    https://www.rfc-editor.org/rfc/rfc3986#section-6
    """
    path = path if path.startswith("/") else f"/{path}"
    if "%" in path:
        path = _ENCODED.sub(_decoded, path)
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if "/." in path:
        path = _without_dots(path)
    return path


def _decoded(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return letter if letter in _UNRESERVED else match.group().upper()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def joined(base: str, path: str, rest: str, *, strip: bool, handling: str) -> str:
    """The path that a service is asked for.

    Args:
        base: the service's own path.
        path: of the request, normal.
        rest: what follows the part that the route matched.
        strip: whether the matched part is left out.
        handling: `v0` or `v1`: how the two are joined.

    https://developer.konghq.com/gateway/entities/route/#path-handling-algorithms
    """
    base = base or "/"
    rest = rest[found.end() :] if (found := _DOTS.match(rest)) else rest
    if not strip:
        if handling == "v1" or base.endswith("/"):
            return base + path[1:]
        return base if path == "/" else base + path
    if base.endswith("/") and rest.startswith("/"):
        return base[:-1] + rest
    if handling == "v1":
        return base + rest
    return _stripped(base, path, rest)


def _stripped(base: str, path: str, rest: str) -> str:
    if rest:
        return base + rest if base.endswith("/") or rest.startswith("/") else f"{base}/{rest}"
    if base == "/":
        return "/"
    if path.endswith("/") and len(path) > 1:
        return base if base.endswith("/") else f"{base}/"
    return base.removesuffix("/")
