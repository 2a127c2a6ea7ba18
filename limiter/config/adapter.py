"""What every dialect's adapter turns a document into."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from limiter.config.documents import Document
from limiter.config.notices import Notice, Place
from limiter.rules import Rule
from limiter.settings import Settings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in its smallest part, so that parts of several documents can be put together."""

    key: tuple[str, ...]
    """Field of `settings.Settings`; then, for a table, the entry's own key: `("providers", "127.0.0.1:9000")`."""
    value: object
    """As that field, or that entry, holds it."""
    place: Place
    field: str


@dataclass(frozen=True, slots=True)
class Named:
    """Where a limit got its name."""

    name: str
    place: Place
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """One document in terms of the limiter. With problems it is as complete as they allow."""

    rules: tuple[Rule, ...] = ()
    names: tuple[Named, ...] = ()
    settings: tuple[Setting, ...] = ()
    warnings: tuple[Notice, ...] = ()
    """What could not be carried over, or is probably a slip."""
    problems: tuple[Notice, ...] = ()
    late: "Late | None" = None
    """Gives the rules of a document whose meaning depends on settings, which may stand in others."""


Late = Callable[[Settings, Collection[str]], Adapted]
"""Takes the settings of all documents and the names of limits that are taken."""


class Adapter(Protocol):
    """Translates documents of one dialect."""

    def __call__(self, document: Document) -> Adapted:
        """The document's rules and settings. Never raises: what is wrong with it is among the problems."""


class Gather(Protocol):
    """Translates all documents of a dialect at once, where they name one another."""

    def __call__(self, documents: Sequence[Document], environment: Mapping[str, str]) -> Adapted:
        """The rules and settings of the documents. Never raises: what is wrong with them is among the problems.

        Args:
            environment: variables that documents may name.
        """


class Recognise(Protocol):
    """Tells documents of one dialect by their shape."""

    def __call__(self, document: Document) -> bool:
        """Whether the document is of this dialect, right or wrong."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """An entry of the table of dialects."""

    name: str
    shape: str
    """How to tell it, for the reader of an error."""
    recognises: Recognise
    adapt: Adapter | None
    """For one document; None where `gather` takes them all."""
    gather: Gather | None = None
