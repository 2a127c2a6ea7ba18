"""Terraform's texts: escapes in quoted ones, and heredocs with expressions in them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from limiter.config.kong.terraform_functions import UnknownError


class Inner(NamedTuple):
    """An expression in a template."""

    source: str


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_HEREDOC = re.compile(r"<<(?P<trim>-?)(?P<mark>[A-Za-z0-9_.-]+)\n(?P<text>.*?)\n?[ \t]*(?P=mark)\s*\Z", re.DOTALL)
_MARK = re.compile(r"\$\$\{|%%\{|\$\{|%\{")


def unescaped(quoted: str) -> str:
    """A part of a quoted text, without its backslashes."""
    return _ESCAPE.sub(_letter, quoted)


def _letter(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else match[0]
    return _ESCAPES.get(match[3], match[0])


def heredoc(source: str) -> list[str | Inner]:
    """The texts and expressions of a heredoc, with its marks around it. Backslashes mean nothing in it.

    Raises:
        UnknownError: it does not end, or holds directives.
    """
    found = _HEREDOC.fullmatch(source)
    if not found:
        raise UnknownError("a heredoc that does not end")
    lines = found["text"].split("\n")
    if found["trim"]:
        indents = [len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()]
        lines = [line[min(indents, default=0) :] for line in lines]
    return list(_parts("\n".join(lines) + "\n"))


def _parts(template: str) -> Iterator[str | Inner]:
    at = 0
    while mark := _MARK.search(template, at):
        yield template[at : mark.start()]
        if mark.group() == "%{":
            raise UnknownError("directives in templates are not evaluated here")
        if mark.group() == "${":
            at = _closing(template, mark.end())
            yield Inner(template[mark.end() : at - 1])
        else:
            yield mark.group()[1:]
            at = mark.end()
    yield template[at:]


def _closing(template: str, start: int) -> int:
    """Behind the bracket that ends an expression."""
    depth = 1
    for index in range(start, len(template)):
        depth += {"{": 1, "}": -1}.get(template[index], 0)
        if not depth:
            return index + 1
    raise UnknownError("an expression in a template that does not end")
