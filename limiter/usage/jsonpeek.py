"""Looking into JSON without reading more of it than is asked for.

Small texts are decoded whole; large ones become mappings of `msgspec.Raw`, whose members are decoded when a path goes
through them: the numbers of an embedding, or the base64 of an image, are skipped and never become Python objects.
Where it is known beforehand what will be asked for, `Wanted` skips even the members' names.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw

type Path = tuple[str, ...]
"""Member names from the outside in; `*` stands for every item of an array."""

EAGER = 32 * 1024
"""Texts of up to so many bytes are decoded whole: cheaper than looking twice."""
MOST_LENIENT = 4 * 1024 * 1024
"""Bytes of a text that the slow, forgiving decoder is given."""
MOST_FORGIVEN = 1024 * 1024
"""The same, of a text that nobody has seen yet."""
LONGEST_LEAF = 4096
"""Bytes of a value that `Wanted` decodes; names and numbers are far shorter."""
_RAISED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoders raise on input that is not JSON; `UnicodeDecodeError` is a ValueError."""

_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_all = msgspec.json.Decoder()

_NO_BYTES = Raw(b"")

# Members of a list that is a table in disguise: how a row is named, and where its number is.
_ROW_NAMES = ("modality", "ttl")
_ROW_VALUES = ("tokenCount", "tokens", "inputTokens")
_MODALITIES = {1: "TEXT", 2: "IMAGE", 3: "VIDEO", 4: "AUDIO", 5: "DOCUMENT"}
"""Vertex may send the numbers of the enumeration instead of its names (google.cloud.aiplatform.v1.Modality)."""

MOST_COUNT = 10**12
"""A count above this is garbage, and would overflow the counters of a store."""


def load(text: bytes) -> Any:
    """The decoded text; raws for members of large objects; None for what is not JSON."""
    if len(text) > EAGER and text.startswith(b"{"):
        try:
            return _members.decode(text)
        except _RAISED:
            pass
    try:
        return _all.decode(text)
    except _RAISED:
        return _lenient(text)


def _lenient(text: bytes) -> Any:
    """Accepts what clients and servers do send and msgspec refuses: lone surrogates, NaN, broken UTF-8."""
    if len(text) > MOST_LENIENT:
        return None
    try:
        return json.loads(text.decode("utf-8", "replace"))
    except _RAISED:
        return None


class NotJsonError(ValueError):
    """The text is no JSON object, and why, in words for whoever sent it."""


def as_utf8(text: bytes) -> bytes:
    """JSON in any encoding that parsers recognise by its first bytes (RFC 4627 §3), as UTF-8 without a mark.

    Raises:
        NotJsonError: it is not in the encoding that it begins in.
    """
    encoding = json.detect_encoding(text)
    match encoding:
        case "utf-8":
            return text
        case "utf-8-sig":
            return text[3:]
    try:
        return text.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeError:
        raise NotJsonError(f"it begins in {encoding.upper()} and does not go on in it") from None


def without_surrogates(text: bytes) -> bytes:
    """The JSON text, as long as it was, with other letters for escaped surrogates, in pairs or not.

    An escaped backslash with the same letters behind it is none; they change too, and nothing else does.
    """
    return text.replace(b"\\ud", b"\\u0").replace(b"\\uD", b"\\u0")


class Wanted:
    """Reads the members that were asked for and skips all others, at 0.3 GB/s or more whatever they are.

    Of a repeated member the last one counts, as with most parsers. What is longer than `LONGEST_LEAF` is no value.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        below: dict[str, list[Path]] = {}
        for name, *rest in paths:
            below.setdefault(name, []).extend([tuple(rest)] if rest else [])
        self._below = {name: Wanted(inner) for name, inner in below.items() if inner}
        members = msgspec.defstruct("Members", [(name, Raw, _NO_BYTES) for name in below])
        self._names = tuple(below)
        self._decoder = msgspec.json.Decoder(members)

    def read(self, text: bytes) -> dict[str, Any]:
        """The members that are there. Paths into them, no others, may be dug for.

        Raises:
            NotJsonError: the text is no JSON object.
        """
        try:
            return self._read(text)
        except msgspec.ValidationError:
            raise NotJsonError("it is no object") from None
        except RecursionError:
            raise NotJsonError("it is nested too deeply") from None
        except _RAISED as error:
            return self._forgiving(text, str(error))

    def raw(self, text: bytes | memoryview, name: str) -> Raw:
        """A member of an object as it is written; empty where there is none.

        Raises:
            ValueError: the text is no JSON object.
            RecursionError: it is nested too deeply.
        """
        found: Raw = getattr(self._decoder.decode(text), name)
        return found

    def _read(self, text: bytes | Raw) -> dict[str, Any]:
        found = self._decoder.decode(text)
        fields = {}
        for name in self._names:
            raw = getattr(found, name)
            size = memoryview(raw).nbytes
            if size and name in self._below and memoryview(raw)[0] == ord("{"):
                fields[name] = self._below[name]._read(raw)
            elif 0 < size <= LONGEST_LEAF:
                fields[name] = load(bytes(raw))
        return fields

    def _forgiving(self, text: bytes, problem: str) -> dict[str, Any]:
        """Accepts what many parsers do: lone surrogates in a text of any length, `NaN` and the like in shorter ones."""
        try:
            return self._read(without_surrogates(text))
        except _RAISED:
            found = _lenient(text) if len(text) <= MOST_FORGIVEN else None
        if not isinstance(found, dict):
            raise NotJsonError(problem.removeprefix("JSON is malformed: "))
        return found


def opened(node: Any) -> Any:
    """A node itself, no longer raw; None for what cannot be decoded."""
    return load(bytes(node)) if isinstance(node, Raw) else node


def dig(node: Any, path: Path) -> Any:
    """What is at `path`, None where there is nothing. May hold raws inside when it is large."""
    for name in path:
        node = opened(node)
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list):
            node = _row(node, name)
        else:
            return None
    return opened(node)


def dig_all(node: Any, path: Path) -> Iterator[Any]:
    """Everything that `path` leads to, `*` included."""
    if "*" not in path:
        found = dig(node, path)
        if found is not None:
            yield found
        return
    star = path.index("*")
    items = dig(node, path[:star])
    if isinstance(items, list):
        for item in items:
            yield from dig_all(item, path[star + 1 :])


def _row(rows: list[Any], name: str) -> Any:
    for row in map(opened, rows):
        if not isinstance(row, dict):
            continue
        for key in _ROW_NAMES:
            label = opened(row.get(key))
            if isinstance(label, int):
                label = _MODALITIES.get(label)
            if isinstance(label, str) and label.lower() == name.lower():
                return next((row[value] for value in _ROW_VALUES if value in row), None)
    return None


def count(node: Any) -> int | None:
    """A whole number that can be a count; None for anything else, however number-like."""
    node = opened(node)
    return node if type(node) is int and 0 <= node <= MOST_COUNT else None


def text(node: Any) -> str:
    """A name: short text that can be encoded; empty for anything else."""
    node = opened(node)
    return node[:256].encode("utf-8", "replace").decode() if isinstance(node, str) else ""


type Tree = Mapping[str, "Tree"]
"""Member names inside one another; arrays between them are passed through. An empty one is a leaf."""


def gather(node: Any, tree: Tree, into: list[str]) -> None:
    """Adds all text found along `tree`; what is no text at a leaf, like a tool's arguments, as JSON."""
    node = opened(node)
    if isinstance(node, str):
        if node:
            into.append(node)
    elif isinstance(node, list):
        for item in node:
            gather(item, tree, into)
    elif isinstance(node, dict):
        if not tree:
            if node:
                into.append(msgspec.json.encode(node).decode("utf-8", "replace"))
            return
        for name in tree:
            if name in node:
                gather(node[name], tree[name], into)


def has(node: Any, tree: Tree) -> bool:
    """Whether a leaf of `tree` holds anything: no null, no zero, nothing empty."""
    node = opened(node)
    if not tree:
        return bool(node)
    if isinstance(node, list):
        return any(has(item, tree) for item in node)
    return isinstance(node, dict) and any(has(node[name], below) for name, below in tree.items() if name in node)
