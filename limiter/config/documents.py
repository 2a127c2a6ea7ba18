"""From the text of a file to its documents, with the line of every value.

Documents are built from the parser's events and not by its loader, as that one forgets the lines, drops duplicate keys,
and follows nested aliases however often they multiply.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import yaml
from yaml import events
from yaml.reader import Reader

from limiter.config.notices import ConfigError, Notice, Place, Steps, field_name
from limiter.config.scalars import COLLECTION_TAGS, TEXT_TAGS, resolve, short_tag, tagged

DEEPEST = 64
"""Levels of nesting."""
LARGEST = 1_000_000
"""Values in one file, those behind an alias counted wherever it stands."""
MERGE = "<<"
# libyaml is ten times as fast, and its wheel is nearly everywhere.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON document."""

    data: Any
    """dict with text keys, list, str, int, Decimal, bool or None. Shared where an alias was used: not to be changed."""
    file: str
    lines: dict[Steps, int] = field(repr=False)
    """From 1. A key's line for values of a mapping; what stands behind an alias has none."""

    def place(self, path: Steps) -> Place:
        """Where the value at `path` stands, or else the nearest value around it."""
        for end in range(len(path), -1, -1):
            if (line := self.lines.get(path[:end])) is not None:
                return Place(self.file, line)
        return Place(self.file, 0)


def read(text: str, file: str) -> list[Document]:
    """The documents of a text, without empty ones.

    Raises:
        ConfigError: with the first syntax error and every misused key, tag and alias before it.
    """
    reader = _Reader(file, text)
    documents = list(reader.documents())
    if reader.problems:
        raise ConfigError(reader.problems)
    return documents


class _Value(NamedTuple):
    data: Any
    size: int
    """Values inside, itself included."""


class _Reader:
    """Follows the events of one text."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Notice] = []
        self._file = file
        self._text = text.removeprefix("\ufeff")
        self._lines: dict[Steps, int] = {}
        self._anchors: dict[str, _Value | None] = {}
        self._size = 0
        """Values so far, in all documents."""
        self._events: Iterator[Any] = iter(())

    def documents(self) -> Iterator[Document]:
        if unprintable := Reader.NON_PRINTABLE.search(self._text):
            line = self._text.count("\n", 0, unprintable.start()) + 1
            self._stop(line, f"found the control character {unprintable.group()!r}, expected text")
        self._events = yaml.parse(self._text, Loader=_LOADER)
        try:
            for event in self._events:
                if isinstance(event, events.DocumentStartEvent):
                    self._lines, self._anchors = {}, {}
                    data = self._node(next(self._events), (), 0).data
                    if data is not None:
                        yield Document(data, self._file, self._lines)
        except yaml.MarkedYAMLError as error:
            self._syntax(error)

    def _syntax(self, error: yaml.MarkedYAMLError) -> NoReturn:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        rows = self._text.splitlines()
        row = rows[line - 1] if 0 < line <= len(rows) else ""
        indentation = row[: len(row) - len(row.lstrip())]
        if "\t" in indentation:
            self._stop(line, "found a tab in the indentation, expected spaces")
        began = error.context_mark.line + 1 if error.context_mark else line
        context = f"{error.context} that begins on line {began}" if error.context and began != line else error.context
        self._stop(line, f"invalid YAML: {', '.join(part for part in (context, error.problem) if part)}")

    def _stop(self, line: int, message: str) -> NoReturn:
        self._problem(line, (), message)
        raise ConfigError(self.problems)

    def _problem(self, line: int, path: Steps, message: str) -> None:
        self.problems.append(Notice(Place(self._file, line), field_name(path), message))

    def _node(self, event: Any, path: Steps, depth: int) -> _Value:
        line = event.start_mark.line + 1
        self._lines.setdefault(path, line)
        if depth > DEEPEST:
            self._stop(line, f"found more than {DEEPEST} levels of nesting")
        anchor: str | None = event.anchor
        if isinstance(event, events.AliasEvent):
            value = self._alias(anchor or "", line, path)
        else:
            if anchor:
                self._anchors[anchor] = None
            before = self._size
            data = self._data(event, path, line, depth)
            self._count(1, line)
            value = _Value(data, self._size - before)
            if anchor:
                self._anchors[anchor] = value
        return value

    def _count(self, size: int, line: int) -> None:
        self._size += size
        if self._size > LARGEST:
            self._stop(line, f"found more than {LARGEST:,} values, aliases counted wherever they stand")

    def _alias(self, anchor: str, line: int, path: Steps) -> _Value:
        value = self._anchors.get(anchor)
        if value is None:
            reason = "stands inside of what it names" if anchor in self._anchors else "names no anchor before it"
            self._problem(line, path, f"found the alias *{anchor}, which {reason}")
            return _Value(None, 1)
        self._count(value.size, line)
        return value

    def _data(self, event: Any, path: Steps, line: int, depth: int) -> Any:
        match event:
            case events.MappingStartEvent():
                self._check_collection(event.tag, line, path)
                return self._mapping(path, depth)
            case events.SequenceStartEvent():
                self._check_collection(event.tag, line, path)
                return self._sequence(path, depth)
            case _:
                return self._scalar(event, path, line)

    def _check_collection(self, tag: str | None, line: int, path: Steps) -> None:
        if tag and tag != "!" and tag not in COLLECTION_TAGS:
            self._problem(line, path, f"found the tag {short_tag(tag)}, expected no tag")

    def _scalar(self, event: Any, path: Steps, line: int) -> Any:
        if event.tag is None:
            # The style of an unquoted scalar is None in one of the two parsers and the empty text in the other.
            return event.value if event.style else resolve(event.value)
        try:
            return tagged(event.value, event.tag)
        except ValueError as error:
            self._problem(line, path, str(error))
            return None

    def _sequence(self, path: Steps, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1).data)
        return items

    def _mapping(self, path: Steps, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._key(event, path, line, depth)
            inner = (*path, key)
            if key == MERGE and not event.style:
                self._merge(merged, self._node(next(self._events), inner, depth + 1).data, path, line)
                continue
            if key in own:
                first = self._lines[inner]
                self._problem(line, inner, f"found the key twice, first on line {first}, expected it once")
            self._lines.setdefault(inner, line)
            own[key] = self._node(next(self._events), inner, depth + 1).data
        return {**{key: value for key, value in merged.items() if key not in own}, **own}

    def _key(self, event: Any, path: Steps, line: int, depth: int) -> str:
        """A key is the text that was written, even if a value so written would be a number or a boolean."""
        if isinstance(event, events.ScalarEvent):
            if event.tag not in (None, *TEXT_TAGS):
                self._problem(line, path, f"found a key with the tag {short_tag(event.tag)}, expected no tag")
            elif not event.style and event.value in ("", "~"):
                self._problem(line, path, "found an empty key, expected a name")
            return str(event.value)
        self._problem(line, path, "found a list, a mapping or an alias as a key, expected a name")
        self._node(event, (*path, ""), depth + 1)
        return ""

    def _merge(self, merged: dict[str, Any], value: Any, path: Steps, line: int) -> None:
        """`<<: *base` takes over the keys of one mapping or of several, where the earlier one wins."""
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._problem(line, (*path, MERGE), "found something else, expected a mapping or a list of mappings")
            return
        for source in sources:
            for key, inner in source.items():
                merged.setdefault(key, inner)
                self._lines.setdefault((*path, key), line)
