"""What every carrier turns its documents into: entities as they are written, one by one, each with its parents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from limiter.config.kong.declaration import Source
from limiter.config.notices import Notice

KINDS: Mapping[str, str] = {
    "services": "service",
    "routes": "route",
    "consumers": "consumer",
    "consumer_groups": "consumer_group",
    "plugins": "plugin",
    "keyauth_credentials": "credential",
    "basicauth_credentials": "credential",
    "memberships": "membership",
    "partials": "partial",
    "vaults": "vault",
}
"""Collections of entities, and what others call one of them in a foreign key."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entity as a document has it."""

    kind: str
    """Of `KINDS`."""
    data: Mapping[str, Any]
    source: Source
    parents: Mapping[str, "Entry"] = field(default_factory=dict)
    """By the name of the foreign key: entities that this one stands in, or is tied to by the carrier."""
    lenient: bool = False
    """Whether texts stand for the numbers and booleans that they spell."""
    loose: bool = False
    """Whether an entity that it names by id alone need not be among the documents."""


@dataclass(slots=True)
class Collected:
    """All entities of all documents."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Notice] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    def of(self, kind: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.kind == kind)

    def add(self, kind: str, data: Mapping[str, Any], source: Source, **parents: Entry) -> Entry:
        entry = Entry(kind, data, source, parents)
        self.entries.append(entry)
        return entry
