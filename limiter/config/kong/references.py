"""Which entity another one names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limiter.config.kong import ids
from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.reading import references
from limiter.config.notices import field_name

COLLECTIONS = {
    "service": "services",
    "route": "routes",
    "consumer": "consumers",
    "consumer_group": "consumer_groups",
}
"""Foreign keys, and where what they name is."""
KEYS = ("id", "name", "username", "custom_id")
"""By which an object names an entity."""
ELSEWHERE = "applies to no request, as no document declares this id (an entity without an id of its own gets another):"
"""What names an entity by its id alone, as the Admin API answers, may be read without it."""


@dataclass(slots=True)
class References:
    """The ids of all entities, by what they are called."""

    collected: Collected
    _ids: dict[Entry, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _failed: set[tuple[str, str]] = field(default_factory=set)
    _named: dict[tuple[str, str], str] = field(default_factory=dict)

    def identify(self, entry: Entry, given: str | None, name: str | None) -> str:
        """The id of an entity: the given one, that of its name, or that of where it stands."""
        if given:
            return given
        if name:
            return ids.named(entry.kind, name)
        place = f"{Path(entry.source.document.file).name}:{field_name(entry.source.path)}"
        number = 1
        while (found := ids.placed(entry.kind, f"{place}#{number}")) in self._taken:
            number += 1
        return found

    def add(self, entry: Entry, identity: str, *names: str) -> None:
        self._ids[entry] = identity
        self._taken.add(identity)
        for name in (identity, *filter(None, names)):
            self._named.setdefault((entry.kind, name), identity)

    def fail(self, entry: Entry) -> None:
        """Remembers what a wrong entity is called, so that those who name it are not told that there is none."""
        self._failed.update((entry.kind, name) for key in KEYS if isinstance(name := entry.data.get(key), str))

    def find(self, collection: str, name: str) -> str:
        """The id of an entity; empty when there is none."""
        return self._named.get((collection, name), "")

    def resolve(self, entry: Entry) -> Mapping[str, str] | None:
        """The ids that the entity's foreign keys name; None, and problems, when some name nothing.

        An entity that stands inside of another belongs to it, and cannot name a third one of that kind.
        """
        written = references(entry.data)
        found: dict[str, str] = {}
        right = True
        for key, parent in entry.parents.items():
            found[key] = self._ids.get(parent, "")
            right = right and bool(found[key])
            if key in written:
                self._problem(entry, key, f"schema violation ({key}: value must be null)")
                right = False
        for key, value in written.items():
            if key in entry.parents:
                continue
            names = _names(value)
            found[key] = next(filter(None, (self.find(COLLECTIONS[key], name) for name in names)), "")
            failed = any((COLLECTIONS[key], name) in self._failed for name in names)
            if not found[key] and not failed and entry.loose and _is_id(value):
                found[key] = value["id"]
                self.collected.warnings.append(entry.source.notice(f"{ELSEWHERE} {COLLECTIONS[key]}", key))
            if not found[key]:
                right = False
                if not failed:
                    shown = ", ".join(names)
                    self._problem(entry, key, f"invalid reference '{COLLECTIONS[key]}: {shown}' (no such entity)")
        return found if right else None

    def _problem(self, entry: Entry, key: str, message: str) -> None:
        # A membership is what the document has in the key's place.
        inner = () if entry.kind == "memberships" else (key,)
        self.collected.problems.append(entry.source.notice(message, *inner))


def _is_id(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"id"}:
        return False
    return isinstance(value["id"], str) and ids.is_id(value["id"])


def _names(value: Any) -> list[str]:
    """What a foreign key calls an entity; an id before a name."""
    given = [value.get(key) for key in KEYS] if isinstance(value, dict) else [value]
    return [name for name in given if isinstance(name, str)]
