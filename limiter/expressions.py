"""Regular expressions of RE2, searched in a text all at once.

RE2 is what gateways written in Go use: its time grows with the text and never explodes, so that no configuration can be
stalled by what a client sends. https://github.com/google/re2/wiki/Syntax
"""

from collections.abc import Callable, Iterable
from itertools import batched

import re2  # type: ignore[import-untyped]

TOGETHER = 200
"""Expressions in one automaton. More would need more memory than is allowed for one."""
MEMORY = 64 * 1024 * 1024
"""Bytes that one automaton may need at most."""
LONGEST = 10_000
"""Characters of an expression."""


def problem(expression: str) -> str:
    """Why it is no expression; empty when it is one."""
    if len(expression) > LONGEST:
        return f"longer than {LONGEST} characters"
    try:
        re2.compile(expression, _options())
    except re2.error as error:
        found = error.args[0]
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
    except UnicodeEncodeError:
        return "no text"
    return ""


def search(expression: str) -> Callable[[str], object]:
    """Tells whether a text holds a match.

    Raises:
        ValueError: it is no expression.
    """
    if found := problem(expression):
        raise ValueError(f"found the expression {expression!r}, which is wrong: {found}")
    compiled = re2.compile(expression.encode(), _options())
    return lambda text: compiled.search(_bytes(text)) is not None


class Expressions:
    """Several expressions that are searched together."""

    def __init__(self, expressions: Iterable[str]) -> None:
        self._sets = [(some, _set(some)) for some in batched(expressions, TOGETHER, strict=False)]

    def find(self, text: str) -> list[str]:
        """Those that the text holds a match of."""
        raw = _bytes(text)
        return [some[place] for some, together in self._sets for place in together.Match(raw) or ()]


def _set(expressions: Iterable[str]) -> "re2.Set":
    together = re2.Set.SearchSet(_options())
    for expression in expressions:
        together.Add(expression.encode())
    together.Compile()
    return together


def _options() -> "re2.Options":
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    return options


def _bytes(text: str) -> bytes:
    """What was undecodable in a request becomes again what it was."""
    return text.encode("utf-8", "surrogateescape")
