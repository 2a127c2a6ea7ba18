"""What is said about a configuration: where, about which field, and what."""

from collections.abc import Iterable
from dataclasses import dataclass

Steps = tuple[str | int, ...]
"""From a document's root to one of its values: `("limits", 0, "amount")`."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file. Printed as `file:line`."""

    file: str
    line: int
    """From 1; 0 stands for the file as a whole."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Notice:
    """A problem or a warning. Printed as `file:line: field: message`."""

    place: Place
    field: str
    """As `field_name` writes it; empty when no single field is meant."""
    message: str

    def __str__(self) -> str:
        return self.tell("")

    def tell(self, kind: str) -> str:
        """The printed form, with its kind after the place: `file:line: warning: field: message`."""
        return ": ".join(part for part in (str(self.place), kind, self.field, self.message) if part)


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it; one problem a line."""

    def __init__(self, problems: Iterable[Notice]) -> None:
        self.problems: tuple[Notice, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class MisfitError(ValueError):
    """One value is not what it should be. The message is the second half of the sentence `found …, expected …`."""

    def __init__(self, expected: str, found: object = ..., at: Steps = ()) -> None:
        super().__init__(expected)
        self.found = found
        """What was found, if not the whole value."""
        self.at = at
        """Where inside of the value."""


def field_name(path: Steps) -> str:
    """`("limits", 0, "match", "x.y")` as `limits[0].match["x.y"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and all(letter.isalnum() or letter in "_-:" for letter in step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text
