"""What a test wants the upstream to do with one request: numbers, pace, damage.

Defaults are an attribute of the server; headers `x-test-*` of a request override them for that request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Usage in the canonical form: parts contained in their whole. Each answer turns it into its own form."""

    prompt: int = 10
    completion: int = 5
    cached: int = 0
    cache_creation: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    usage: Tokens | None = field(default_factory=Tokens)
    """None: the answer reports no usage at all. `x-test-usage: prompt=100,completion=50` or `x-test-usage: none`."""
    chunks: int = 3
    """Pieces of text in a streamed answer; events around them come on top. `x-test-chunks`."""
    delay_ms: int = 0
    """Pause before each piece of the body but the first. `x-test-delay-ms`."""
    encoding: str = ""
    """Content coding of the body: gzip, deflate, br, zstd, or `accept` for the first that the request accepts.
    A streamed body is flushed after each piece. `x-test-encoding`."""
    status: int = 200
    """Anything else answers with an error in the provider's form. `x-test-status`."""
    model: str = ""
    """Model that the answer names; empty: the requested one. `x-test-model`."""
    used: str = ""
    """Value of the response header `x-kong-limit`; empty: there is none. `x-test-used: videos=2`."""
    hang: bool = False
    """No byte of an answer until the test calls `release()` or the client leaves. `x-test-hang: 1`."""
    hold_after: int | None = None
    """Stop after that many pieces until the test calls `release()` or the client leaves. `x-test-hold-after`."""
    cut_after: int | None = None
    """Close the connection after that many pieces, without an end of the body. `x-test-cut-after`."""

    def overridden(self, headers: Mapping[str, str]) -> "Behaviour":
        """This behaviour with what the request's `x-test-*` headers ask for. Unknown ones are a KeyError."""
        asked = {name.removeprefix("x-test-"): value for name, value in headers.items() if name.startswith("x-test-")}
        changes = {name.replace("-", "_"): _READERS[name](value) for name, value in asked.items()}
        return replace(self, **changes)


def _usage(text: str) -> Tokens | None:
    if text == "none":
        return None
    return Tokens(
        **{name.strip(): int(number) for name, _, number in (part.partition("=") for part in text.split(","))}
    )


_READERS: Mapping[str, Callable[[str], Any]] = {
    "usage": _usage,
    "chunks": int,
    "delay-ms": int,
    "encoding": str,
    "status": int,
    "model": str,
    "used": str,
    "hang": lambda text: text == "1",
    "hold-after": int,
    "cut-after": int,
}
