"""Reads single entities by their schemas and reports what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from limiter.config.kong.declaration import Record
from limiter.config.kong.entity_schemas import FOREIGN, EntitySchema
from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.schema import Fields, Reading, Violation, told
from limiter.config.kong.vaults import Vaults


class Examined(NamedTuple):
    value: Any
    violations: list[Violation]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads entities."""

    collected: Collected
    vaults: Vaults

    def read(self, entry: Entry, schema: EntitySchema) -> Record | None:
        """The entity's fields, its foreign keys left out; None if any is wrong."""
        own = {name: value for name, value in entry.data.items() if name not in FOREIGN}
        examined = self.examined(entry, schema.schema, own)
        if examined.violations:
            self.report(entry, examined.violations)
            return None
        for name, usual in schema.idle.items():
            if own.get(name) not in (None, usual, [], {}):
                self.collected.warnings.append(entry.source.notice("has no effect here", name))
        record: Record = examined.value
        return record

    def examined(self, entry: Entry, schema: Fields, data: object, name: str = "") -> Examined:
        """A part of an entity and all that is wrong with it, nothing of which is reported yet.

        Args:
            name: of the field that the part is; empty for the whole.
        """
        reading = Reading(self.vaults, lenient=entry.lenient)
        value = reading.read(schema, data, (name,) if name else (), name)
        return Examined(value, reading.violations)

    def report(self, entry: Entry, violations: Sequence[Violation]) -> None:
        """One problem for all that is wrong with an entity, at the first line, which tells of the others."""
        if not violations:
            return
        first = min(violations, key=lambda violation: entry.source.place(*violation.path))
        lines = sorted({entry.source.place(*violation.path).line for violation in violations})
        listed = ", ".join(map(str, lines[:-1]))
        where = f", lines {listed} and {lines[-1]}" if listed else ""
        self.collected.problems.append(entry.source.notice(told(violations) + where, *first.path))


def texts(value: Any) -> tuple[str, ...]:
    """The items of a list that may be missing."""
    return tuple(value or ())


def references(data: Mapping[str, Any]) -> dict[str, Any]:
    """The foreign keys of an entity that are set."""
    return {name: data[name] for name in FOREIGN if data.get(name) is not None}
