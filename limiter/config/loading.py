"""From a file, a folder or a text to a configuration."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from limiter.config import native
from limiter.config.adapter import Adapted, Dialect
from limiter.config.combining import combine
from limiter.config.configuration import Configuration
from limiter.config.documents import Document, read
from limiter.config.explain import hint, shown
from limiter.config.higress import HIGRESS
from limiter.config.kong import adapter as kong
from limiter.config.kong import templates, terraform_files
from limiter.config.notices import ConfigError, Notice, Place

DIALECTS: tuple[Dialect, ...] = (
    Dialect("native", " or ".join(f"`{key}:`" for key in native.KEYS), native.recognises, native.adapt),
    HIGRESS,
    Dialect("kong", kong.SHAPE, kong.recognises, None, kong.adapt),
)
"""In the order in which they are asked; the first that recognises a document translates it."""
SUFFIXES = (".yaml", ".yml", ".json", terraform_files.SUFFIX)
LARGEST = 16 * 1024 * 1024
"""Bytes of one file."""


def load(source: Path, environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration of a file, or of all YAML, JSON and Terraform files right in a folder, by name.

    Args:
        environment: variables that documents may name.

    Raises:
        ConfigError: with everything that is wrong in all files.
    """
    if not source.is_dir():
        return _whole([source], (source,), str(source), environment)
    try:
        paths = sorted(path for path in source.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("."))
    except OSError as error:
        raise _unreadable(source, error) from error
    if not paths:
        raise _failure(str(source), f"found no file, expected at least one that ends in {', '.join(SUFFIXES)}")
    return _whole(paths, (source, *paths), str(source), environment)


def parse(text: str, file: str, environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration of a text.

    Args:
        file: its name in errors.

    Raises:
        ConfigError: with everything that is wrong.
    """
    return combine(_translated(documents(text, file, environment), environment), source=file)


def decode(content: bytes, file: str) -> str:
    """The text of a file.

    Raises:
        ConfigError: it is too long or not UTF-8.
    """
    if len(content) > LARGEST:
        raise _failure(file, f"found more than {LARGEST:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failure(file, f"found the byte 0x{content[error.start]:02x}, expected UTF-8", line) from error


def _whole(paths: list[Path], files: tuple[Path, ...], source: str, environment: Mapping[str, str]) -> Configuration:
    found: list[Document] = []
    problems: list[Notice] = []
    for path in paths:
        try:
            found += documents(_text(path), str(path), environment)
        except ConfigError as error:
            problems += error.problems
    adapted = _translated(found, environment)
    if problems:
        # Contradictions between files are told once each file can be read.
        raise ConfigError([*problems, *(problem for document in adapted for problem in document.problems)])
    return combine(adapted, files, source)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            # A device may have no end.
            return decode(file.read(LARGEST + 1), str(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def documents(text: str, file: str, environment: Mapping[str, str]) -> list[Document]:
    """The documents of a text, in the language that the file's name tells.

    Raises:
        ConfigError: it cannot be read, or is empty.
    """
    if file.endswith(terraform_files.SUFFIX):
        return terraform_files.read(text, file)
    found = read(templates.substitute(text, file, environment), file)
    if not found:
        raise _failure(file, f"found no document, expected {_known()}")
    return found


def _translated(documents: Iterable[Document], environment: Mapping[str, str]) -> list[Adapted]:
    """Each document by its dialect; those of a dialect that gathers together, where the first of them stands."""
    groups: dict[int, tuple[Dialect | None, list[Document]]] = {}
    for number, document in enumerate(documents):
        dialect = next((dialect for dialect in DIALECTS if dialect.recognises(document)), None)
        # Documents stay apart by their number, unless their dialect gathers them.
        group = -1 - DIALECTS.index(dialect) if dialect and dialect.gather else number
        groups.setdefault(group, (dialect, []))[1].append(document)
    return [_translate(dialect, group, environment) for dialect, group in groups.values()]


def _translate(dialect: Dialect | None, documents: list[Document], environment: Mapping[str, str]) -> Adapted:
    if dialect and dialect.gather:
        return dialect.gather(documents, environment)
    (document,) = documents
    if dialect and dialect.adapt:
        return dialect.adapt(document)
    return Adapted(problems=(Notice(document.place(()), "", _unrecognised(document.data)),))


def _unrecognised(data: object) -> str:
    if not isinstance(data, dict):
        return f"found {shown(data)}, expected {_known()}"
    keys = ", ".join(list(data)[:5]) or "none"
    meant = next(filter(None, (hint(native.KEYS, key) for key in data)), "")
    return f"found a document with the keys {keys}, expected {_known()}{meant}"


def _known() -> str:
    return "a document of a known dialect: " + "; ".join(f"{dialect.name} ({dialect.shape})" for dialect in DIALECTS)


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return _failure(str(path), f"cannot be read: {error.strerror or error}")


def _failure(file: str, message: str, line: int = 0) -> ConfigError:
    return ConfigError([Notice(Place(file, line), "", message)])
