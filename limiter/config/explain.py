"""From a validator's findings to sentences: what was found, what was expected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from limiter.config.documents import Document
from limiter.config.notices import MisfitError, Notice, Steps, field_name

LONGEST = 60
"""Characters of a found text that are shown."""


@dataclass(slots=True)
class Report:
    """Everything found in one document."""

    document: Document
    problems: list[Notice] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    def problem(self, path: Steps, message: str) -> None:
        self.problems.append(self._notice(path, message))

    def warning(self, path: Steps, message: str) -> None:
        self.warnings.append(self._notice(path, message))

    def expected(self, path: Steps, value: object, expected: object) -> None:
        """A problem with the value at `path`."""
        self.problem(path, f"found {shown(value)}, expected {expected}")

    def invalid(self, path: Steps, error: ValidationError, models: Mapping[Steps, type[BaseModel]]) -> None:
        """Every finding of a validation of the value at `path`.

        Args:
            models: by their path inside that value, list indices left out.
        """
        for details in error.errors(include_url=False):
            inner = tuple(step for step in details["loc"] if step != "[key]")
            misfit = details.get("ctx", {}).get("error")
            if isinstance(misfit, MisfitError):
                found = details["input"] if misfit.found is ... else misfit.found
                self.expected((*path, *inner, *misfit.at), found, misfit)
            else:
                self.problem((*path, *inner), _sentence(details, models))

    def _notice(self, path: Steps, message: str) -> Notice:
        return Notice(self.document.place(path), field_name(path), message)


def shown(value: object) -> str:
    """A found value for an error: short, and as a configuration writes it."""
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else f"{value[:LONGEST]}…")
    if isinstance(value, int | Decimal):
        return str(value).lower()
    return {type(None): "nothing", list: "a list", dict: "a mapping"}.get(type(value), type(value).__name__)


def one_of(choices: Iterable[str], found: object = None) -> str:
    """`a, b or c`, and the closest one to what was found."""
    names = list(choices)
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return listed + hint(names, found)


def hint(choices: Iterable[str], found: object) -> str:
    """The choice that was probably meant, if any is close."""
    close = get_close_matches(found, list(choices), n=1, cutoff=0.5) if isinstance(found, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


EXPECTED: dict[str, str] = {
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
"""Kinds of findings that need nothing but their name."""


def _sentence(details: Any, models: Mapping[Steps, type[BaseModel]]) -> str:
    """`details` is one item of `ValidationError.errors()`, whose type pydantic does not export."""
    value = details["input"]
    match details["type"]:
        case "missing":
            return "found nothing, expected this field, which is required"
        case "extra_forbidden":
            *around, key = details["loc"]
            model = models[tuple(step for step in around if isinstance(step, str))]
            return f"found an unknown key, expected {one_of(model.model_fields, key)}"
        case "literal_error":
            choices = details["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            return f"found {shown(value)}, expected {one_of(choices, value)}"
        case kind:
            return f"found {shown(value)}, expected {EXPECTED.get(kind, details['msg'])}{quoting(value, kind)}"


def quoting(value: object, kind: str = "string_type") -> str:
    """The advice to quote a scalar that stands in a text's place and that a document gives another meaning."""
    if kind == "string_type" and isinstance(value, int | Decimal):
        return f'; write "{str(value).lower()}" in quotes'
    return ""
