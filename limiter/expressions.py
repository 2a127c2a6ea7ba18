"""Regular expressions of RE2, searched in a text all at once.

RE2 is what gateways written in Go use: its time grows with the text and never explodes, so that no configuration can be
stalled by what a client sends. https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped]

TOGETHER = 200
"""Expressions in one automaton."""
INSTRUCTIONS = 500_000
"""Of the programs of all expressions in one automaton. RE2 has memory for about twice as many; it tells in seconds, and
not in advance, where there are too many."""
MEMORY = 64 * 1024 * 1024
"""Bytes that one automaton may need at most."""
LONGEST = 10_000
"""Characters of an expression."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Examined(NamedTuple):
    """What is known of an expression once it was compiled."""

    problem: str = ""
    takes_nothing: bool = False
    size: int = 0
    """Instructions."""


def problem(expression: str) -> str:
    """Why it is no expression; empty when it is one."""
    return _examined(expression).problem


def takes_nothing(expression: str) -> bool:
    """Whether it matches the empty text."""
    return _examined(expression).takes_nothing


@lru_cache(maxsize=2**14)
def _examined(expression: str) -> _Examined:
    """Remembered: to compile a large one takes a twentieth of a second, and a configuration may hold hundreds."""
    if len(expression) > LONGEST:
        return _Examined(f"longer than {LONGEST} characters")
    try:
        compiled = _compiled(expression)
    except re2.error as error:
        found = error.args[0]
        return _Examined(found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found))
    except UnicodeEncodeError:
        return _Examined("no text")
    return _Examined("", compiled.search(b"") is not None, compiled.programsize)


def search(expression: str) -> Callable[[str], object]:
    """Tells whether a text holds a match.

    Raises:
        ValueError: it is no expression.
    """
    if found := problem(expression):
        raise ValueError(f"found the expression {expression!r}, which is wrong: {found}")
    compiled = _compiled(expression)
    return lambda text: compiled.search(_bytes(text)) is not None


class Expressions:
    """Several expressions that are searched together. They are compiled at once, and none of them fails later."""

    def __init__(self, expressions: Iterable[str]) -> None:
        """`problem` finds nothing wrong with any of them."""
        self._sets: list[tuple[Sequence[str], re2.Set]] = []
        self._alone: list[tuple[str, Callable[[str], object]]] = []
        """Those too large for an automaton that cannot do without any of its states."""
        for some in _batches(expressions):
            self._add(some)

    def _add(self, expressions: Sequence[str]) -> None:
        """In as few automata as there is memory for."""
        together = re2.Set.SearchSet(_options())
        for expression in expressions:
            together.Add(expression.encode())
        try:
            together.Compile()
        except re2.error:
            if len(expressions) == 1:
                self._alone.append((expressions[0], search(expressions[0])))
                return
            half = len(expressions) // 2
            self._add(expressions[:half])
            self._add(expressions[half:])
            return
        self._sets.append((expressions, together))

    def find(self, text: str) -> list[str]:
        """Those that the text holds a match of."""
        encoded = _bytes(text)
        found = [some[place] for some, together in self._sets for place in together.Match(encoded) or ()]
        return found + [expression for expression, accepts in self._alone if accepts(text)]


def _batches(expressions: Iterable[str]) -> Iterator[Sequence[str]]:
    """Expressions that one automaton is likely to hold."""
    batch: list[str] = []
    total = 0
    for expression in expressions:
        size = _examined(expression).size
        if batch and (len(batch) == TOGETHER or total + size > INSTRUCTIONS):
            yield batch
            batch, total = [], 0
        batch.append(expression)
        total += size
    if batch:
        yield batch


def _compiled(expression: str) -> Any:
    """As `re2.compile` makes it."""
    return re2.compile(expression.encode(), _options())


def _options() -> "re2.Options":
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    return options


def _bytes(text: str) -> bytes:
    """Each byte that was undecodable in a request is U+FFFD, as in Go, so that a dot matches it.

    So is half a pair of surrogates, which JSON can write.
    """
    return _SURROGATE.sub("\ufffd", text).encode()
