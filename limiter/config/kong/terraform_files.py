"""Terraform's files: blocks and attributes with the line of each; what they mean is found out when all are read.

Objects and lists become dicts and lists, all else stays an expression of the parser's tree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from limiter.config.documents import Document
from limiter.config.notices import ConfigError, Notice, Place, Steps

SUFFIX = ".tf"
DEEPEST = 64
"""Levels of nesting."""


class Module(dict[str, Any]):
    """The blocks of one file, by type and then by their labels. Blocks of one name are a list."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands for a value until it is evaluated: a node of the parser's tree."""

    node: Any = field(repr=False)


def read(text: str, file: str) -> list[Document]:
    """The document of a file.

    Raises:
        ConfigError: with the first syntax error.
    """
    if not text.strip():
        return [Document(Module(), file, {})]
    lines: dict[Steps, int] = {(): 1}
    return [Document(_Reader(file, lines).module(parsed(text, file)), file, lines)]


def parsed(text: str, file: str) -> Any:
    """The parser's tree of a text.

    Raises:
        ConfigError: with the first syntax error.
    """
    _check_nesting(text, file)
    parse = _parse()
    try:
        return parse(text if text.endswith("\n") else f"{text}\n")
    except Exception as error:  # noqa: BLE001 the parser exports no base of its own errors
        line = getattr(error, "line", 0)
        place = Place(file, line if isinstance(line, int) and line > 0 else 0)
        # Without its cause, which quotes the text.
        raise ConfigError([Notice(place, "", f"invalid Terraform: found {_found(error)}")]) from None


def _found(error: Exception) -> str:
    """What a syntax error is about. Texts stay unsaid, as they may be secrets."""
    token = getattr(error, "token", None)
    shown = str(token).strip() if token is not None else ""
    if not shown:
        return "the end of a line or of the file"
    return repr(shown) if getattr(token, "type", "") in _SHOWN else "a text"


_SHOWN = ("NAME", "EQ", "LBRACE", "RBRACE", "LSQB", "RSQB", "COMMA", "COLON")


@cache
def _parse() -> Any:
    """The parser; building it takes two seconds the first time on a machine, so only those wait who have such files."""
    import hcl2  # noqa: PLC0415 see above

    return hcl2.parses


def _check_nesting(text: str, file: str) -> None:
    """Refuses what would exhaust the parser's stack."""
    depth = 0
    for match in re.finditer(r"[\[({]|[\])}]", text):
        depth += 1 if match.group() in "[({" else -1
        if depth > DEEPEST:
            line = text.count("\n", 0, match.start()) + 1
            raise ConfigError([Notice(Place(file, line), "", f"found more than {DEEPEST} levels of nesting")])


def kind(node: Any) -> str:
    """What a node of the tree is: `ObjectRule`, `StringRule` …"""
    return type(node).__name__


def inner(node: Any) -> list[Any]:
    """The parts of a node that mean something."""
    children = getattr(node, "children", None) or []
    return [child for child in children if child is not None and kind(child) not in _EMPTY]


_EMPTY = ("NewLineOrCommentRule", "NL_OR_COMMENT_TOKEN")


class _Reader:
    def __init__(self, file: str, lines: dict[Steps, int]) -> None:
        self._file = file
        self._lines = lines

    def module(self, tree: Any) -> Module:
        found = Module()
        body = next(iter(inner(tree)))
        for child in inner(body):
            if kind(child) == "BlockRule":
                self._top(found, child)
        return found

    def _top(self, module: Module, block: Any) -> None:
        """A block at the top: filed by its labels. Locals are one mapping however many blocks there are."""
        name, *labels = self._labels(block)
        at: Any = module.setdefault(name, {})
        path: Steps = (name,)
        for label in labels[:-1]:
            at = at.setdefault(label, {})
            path = (*path, label)
        last = labels[-1] if labels else ""
        if last or name != "locals":
            path = (*path, last)
        self._lines.setdefault(path, _line(block))
        body = self._body(self._block_body(block), path)
        if name == "locals":
            at.update(body)
        elif last in at:
            place = Place(self._file, _line(block))
            raise ConfigError([Notice(place, "", f"found {name} {' '.join(labels)} again, expected it once")])
        else:
            at[last] = body

    def _labels(self, block: Any) -> list[str]:
        return [
            word for child in inner(block) if kind(child) in ("IdentifierRule", "StringRule") for word in [plain(child)]
        ]

    def _block_body(self, block: Any) -> Any:
        return next(child for child in inner(block) if kind(child) == "BodyRule")

    def _body(self, body: Any, path: Steps) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in inner(body):
            if kind(child) == "AttributeRule":
                name, _, value = inner(child)
                key = plain(name)
                self._lines[(*path, key)] = _line(child)
                found[key] = self._value(value, (*path, key))
            elif kind(child) == "BlockRule":
                key, *labels = self._labels(child)
                key = ".".join([key, *labels])
                self._lines.setdefault((*path, key), _line(child))
                inside = self._body(self._block_body(child), (*path, key))
                others = found.get(key)
                if others is None:
                    found[key] = inside
                else:
                    found[key] = [*others, inside] if isinstance(others, list) else [others, inside]
        return found

    def _value(self, node: Any, path: Steps) -> Any:
        whole = bare(node)
        match kind(whole):
            case "ObjectRule":
                return dict(self._elements(whole, path)) if _has_plain_keys(whole) else Expression(whole)
            case "TupleRule":
                items = [child for child in inner(whole) if not kind(child).endswith("_TOKEN")]
                return [self._value(item, self._at(item, (*path, index))) for index, item in enumerate(items)]
            case _:
                return Expression(whole)

    def _elements(self, node: Any, path: Steps) -> Iterator[tuple[str, Any]]:
        for element in inner(node):
            if kind(element) == "ObjectElemRule":
                key_node, _, value = inner(element)
                key = plain(inner(key_node)[0])
                self._lines[(*path, key)] = _line(element)
                yield key, self._value(value, (*path, key))

    def _at(self, node: Any, path: Steps) -> Steps:
        self._lines[path] = _line(node)
        return path


def bare(node: Any) -> Any:
    """A node without the layers and brackets around it."""
    while kind(node) == "ExprTermRule":
        parts = [part for part in inner(node) if kind(part) not in ("LPAR_TOKEN", "RPAR_TOKEN")]
        if len(parts) != 1:
            return node
        node = parts[0]
    return node


def plain(node: Any) -> str:
    """The text of a name, or of a string without expressions."""
    return "".join(str(leaf.value) for leaf in leaves(node) if kind(leaf) != "DBLQUOTE_TOKEN")


def leaves(node: Any) -> Iterator[Any]:
    """The tokens of a node."""
    if kind(node).endswith("Rule"):
        for child in inner(node):
            yield from leaves(child)
    else:
        yield node


def _has_plain_keys(node: Any) -> bool:
    """Whether every key is a name or a string, and none an expression."""
    return all(
        kind(inner(element)[0]) == "ObjectElemKeyRule" for element in inner(node) if kind(element) == "ObjectElemRule"
    )


def _line(node: Any) -> int:
    line = getattr(getattr(node, "_meta", None), "line", 0)
    return line if isinstance(line, int) else 0
