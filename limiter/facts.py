"""What is known of one request: the values that rules match on and counters are kept by.

Everything here is plain text, parsed once at the edge; secrets arrive only as digests (see `identity`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One request, as far as limits care. Absent text is the empty string."""

    provider: str = ""
    """Name in the provider table: `openai`, `azure`, `anthropic`, `gemini` …"""
    endpoint: str = ""
    """Name of the called endpoint in the provider table: `chat`, `responses`, `messages` …"""
    api: str = ""
    """Wire format of requests and errors: `openai`, `azure`, `anthropic`, `gemini` …"""
    model: str = ""
    """As the request names it; for Azure the deployment."""
    host: str = ""
    """Lower case; with `:port` where the port is not the scheme's own."""
    method: str = ""
    path: str = ""
    """Without the query."""
    ip: str = ""
    """The client's address, canonical text."""
    credential: str = ""
    """Digest of the API key or token that the request carries."""
    consumer: str = ""
    groups: tuple[str, ...] = ()
    client: str = ""
    """The calling application: `claude-code`, `codex`, `openai-python` … (see `identity.CLIENTS`)."""
    session: str = ""
    machine: str = ""
    """Name of the machine that the proxy runs on: tells laptops apart on a shared store."""
    headers: Mapping[str, str] = field(default=_EMPTY, repr=False)
    """Lower-case names. Left out of `repr`, as they hold secrets."""
    query: Mapping[str, str] = field(default=_EMPTY, repr=False)
    cookies: Mapping[str, str] = field(default=_EMPTY, repr=False)


Read = Callable[[Facts], str]

PLAIN = (
    "provider",
    "endpoint",
    "model",
    "host",
    "method",
    "path",
    "ip",
    "credential",
    "consumer",
    "client",
    "session",
    "machine",
)
"""Dimensions that are one field of `Facts`."""
NAMED = ("header", "query", "cookie")
"""Dimensions that take a name: `header:x-team`."""


_SECRET = re.compile(r"auth|key|token|secret|passw|session|sig|cookie|credential", re.IGNORECASE)


def is_secret(dimension: str) -> bool:
    """Whether values of the dimension may let somebody in, so that they are kept as digests only."""
    kind, colon, name = dimension.partition(":")
    return bool(colon) and (kind == "cookie" or _SECRET.search(name) is not None)


def reader(dimension: str) -> Read:
    """The function that reads `dimension` off facts: one of `PLAIN`, or `header:NAME`, `query:NAME`, `cookie:NAME`.

    Raises:
        ValueError: no such dimension.
    """
    if dimension in PLAIN:
        return attrgetter(dimension)
    kind, colon, name = dimension.partition(":")
    if colon and name:
        match kind:
            case "header":
                lowered = name.lower()
                return lambda facts: facts.headers.get(lowered, "")
            case "query":
                return lambda facts: facts.query.get(name, "")
            case "cookie":
                return lambda facts: facts.cookies.get(name, "")
    expected = ", ".join((*PLAIN, *(f"{kind}:NAME" for kind in NAMED)))
    raise ValueError(f"unknown dimension {dimension!r}, expected one of {expected}")
