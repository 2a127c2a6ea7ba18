"""A Lua function of a configuration, and whether it is one."""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from limiter.lua.runtime import new_runtime

LONGEST = 65_536
"""Bytes of a function's text."""


@dataclass(frozen=True)
class LuaFunction:
    """The body of a function: a chunk of Lua 5.1 that returns a number."""

    source: str = field(repr=False)
    name: str
    """For logs: where it stands in the configuration."""

    @cached_property
    def text(self) -> bytes:
        return self.source.encode("utf-8", "surrogateescape")

    @cached_property
    def digest(self) -> bytes:
        """Names the source between processes."""
        return sha256(self.text).digest()[:16]


def compile_check(source: str) -> str | None:
    """What is wrong with a function's text, in Kong's words with Lua's own line; None: it compiles. Nothing is run."""
    text = source.encode("utf-8", "surrogateescape")
    if len(text) > LONGEST:
        return f"Error parsing function: {len(text)} bytes of text, expected at most {LONGEST}"
    if text.startswith(b"\x1b"):
        return "Error parsing function: attempt to load chunk with wrong mode"
    problem = new_runtime().eval("function(text) return select(2, loadstring(text)) end")(text)
    return None if problem is None else "Error parsing function: " + problem.decode("utf-8", "replace")
