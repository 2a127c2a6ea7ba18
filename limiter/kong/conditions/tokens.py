"""The words of a condition."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["text", "number", "name", "mark", "end"]


class ConditionError(ValueError):
    """A condition is wrong, whatever the request."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(f"at character {at + 1}: {message}")


class Token(NamedTuple):
    kind: Kind
    text: str
    """As written; of a text its value."""
    at: int
    """Place of its first character, from 0."""

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


FORMER: Mapping[str, str] = {
    "^=": 'is of Kong 3.14: write a.startsWith("b") for a ^= "b"',
    "=^": 'is of Kong 3.14: write a.endsWith("b") for a =^ "b"',
    "~": 'is of Kong 3.14: write a.matches("b") for a ~ "b"',
}
_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | //[^\n]* )
  | (?P<raw> [rR] (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' ) )
  | (?P<text> \"{3}(?:[^\\]|\\.)*?\"{3} | '{3}(?:[^\\]|\\.)*?'{3} | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
  | (?P<number> [0-9][0-9A-Za-z_.]* )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<former> \^= | =\^ | ~ )
  | (?P<mark> && | \|\| | [=!<>]= | [-+!<>()\[\],.] )
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_ESCAPE = re.compile(
    r"\\(?:[xX](?P<two>[0-9a-fA-F]{2})|u(?P<four>[0-9a-fA-F]{4})|U(?P<eight>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<letter>[abfnrtv\\?\"'`]))|\\"
)
_LETTERS: Mapping[str, str] = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


def tokens(text: str) -> list[Token]:
    """All words, and the end.

    Raises:
        ConditionError
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(at, f"found {text[at]!r}, which means nothing here")
        at = match.end()
        if match.lastgroup != "space":
            found.append(_token(match))
    return [*found, Token("end", "", at)]


def _token(match: re.Match[str]) -> Token:
    written, at = match.group(), match.start()
    match match.lastgroup:
        case "former":
            raise ConditionError(at, f"{written} {FORMER[written]}")
        case "raw":
            return Token("text", _inner(written[1:]), at)
        case "text":
            return Token("text", _unescaped(_inner(written), at), at)
        case "number":
            if not _NUMBER.fullmatch(written):
                raise ConditionError(at, f"found the number {written}, expected a whole one")
            return Token("number", written, at)
        case "name":
            return Token("name", written, at)
    return Token("mark", written, at)


def _inner(quoted: str) -> str:
    wide = 3 if quoted[:3] in ('"""', "'''") and len(quoted) > 5 else 1
    return quoted[wide:-wide]


def _unescaped(inner: str, at: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind is None:
            raise ConditionError(at, "found a \\ that no escape begins with")
        if kind == "letter":
            return _LETTERS.get(match[kind], match[kind])
        number = int(match[kind], 8 if kind == "octal" else 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise ConditionError(at, f"found {match.group()}, which is no character")
        return chr(number)

    return _ESCAPE.sub(replaced, inner)
