"""Schemas of Kong's entities as data, and the engine that reads values by them and answers in Kong's words.

The words are those of Kong's own engine (kong/db/schema/init.lua). Paths in them follow Kong as well: what is wrong
with a map's value is told without the key. List positions count from 0, as everywhere in this program, and not from 1.
An explicit null takes the default, as if the field were left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from limiter.config.kong import spellings
from limiter.config.kong.vaults import Vaults
from limiter.config.notices import Steps

LARGEST = 2_147_483_646
"""Milliseconds of a timeout and connections of a pool."""


class Wrong(NamedTuple):
    """What a record's own check finds."""

    path: Steps
    """Inside of the record."""
    text: str
    entity: bool = False
    """Whether Kong tells it of the record as a whole."""
    told: Steps | None = None
    """The path in Kong's words, where it is another one."""


Check = Callable[[Mapping[str, Any]], Iterable[Wrong]]
"""Looks at the values of a record as they were read; those that are missing or wrong are None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What every field has."""

    default: Any = None
    required: bool = False
    referenceable: bool = False
    """Whether the value may be a reference to a vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Field):
    one_of: tuple[str, ...] = ()
    shortest: int = 1
    longest: int = 0
    """Characters; 0: any number."""
    check: Callable[[str], str] | None = None
    """Returns what is wrong, or the empty text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Field):
    whole: bool = False
    between: tuple[int | Decimal, int | Decimal] | None = None
    above: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Field):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Field):
    """An array or a set."""

    of: Field
    shortest: int = 0
    wraps: bool = False
    """Whether a single value stands for a list of one, as older versions wrote it."""
    kind: str = "array"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Field):
    """A map: any keys."""

    of: Field
    shortest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields(Field):
    """A record."""

    fields: Mapping[str, Field]
    check: Check | None = None
    filled: bool = False
    """Whether a missing record comes into being with its defaults."""
    open: bool = False
    """Whether fields that are not listed are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything(Field):
    """Taken as it is."""


class Violation(NamedTuple):
    """One value that is not as the schema says."""

    path: Steps
    name: str
    """The path as Kong tells it."""
    text: str


@dataclass(slots=True)
class Reading:
    """One value being read."""

    vaults: Vaults
    lenient: bool = False
    """Whether texts are taken for the numbers and booleans that they spell, as Terraform does."""
    violations: list[Violation] = field(default_factory=list)

    def read(self, schema: Field, value: object, path: Steps, name: str) -> Any:
        """The value as the schema has it; None where there is none, or a wrong one."""
        if value is None:
            value = schema.default
            if value is None and not (isinstance(schema, Fields) and schema.filled):
                return self._wrong(path, name, "required field missing") if schema.required else None
        if schema.referenceable and isinstance(value, str) and value.startswith("{vault://"):
            resolved = self.vaults.resolve(value)
            if resolved.problem:
                return self._wrong(path, name, resolved.problem)
            value = _spelt(schema, resolved.value)
        elif isinstance(value, str):
            value = _spelt(schema, value) if self.lenient else _plain(schema, value)
        return READERS[type(schema)](self, schema, value, path, name)

    def _wrong(self, path: Steps, name: str, text: str) -> Any:
        """Notes what is wrong, and returns the value that is taken instead: none."""
        self.violations.append(Violation(path, name, text))
        return None

    def anything(self, _: Anything, value: object, path: Steps, name: str) -> Any:  # noqa: ARG002 as the others
        return frozen(value)

    def flag(self, _: Flag, value: object, path: Steps, name: str) -> Any:
        return value if isinstance(value, bool) else self._wrong(path, name, "expected a boolean")

    def text(self, schema: Text, value: object, path: Steps, name: str) -> Any:
        if not isinstance(value, str):
            return self._wrong(path, name, "expected a string")
        wrong = ""
        if len(value) < schema.shortest:
            wrong = f"length must be at least {schema.shortest}"
        elif schema.longest and len(value) > schema.longest:
            wrong = f"length must be at most {schema.longest}"
        elif schema.one_of and value not in schema.one_of:
            wrong = f"expected one of: {', '.join(schema.one_of)}"
        elif schema.check:
            wrong = schema.check(value)
        return self._wrong(path, name, wrong) if wrong else value

    def number(self, schema: Number, value: object, path: Steps, name: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return self._wrong(path, name, "expected an integer" if schema.whole else "expected a number")
        if isinstance(value, Decimal) and value == int(value):
            value = int(value)
        if schema.whole and not isinstance(value, int):
            return self._wrong(path, name, "expected an integer")
        if schema.between and not schema.between[0] <= value <= schema.between[1]:
            return self._wrong(path, name, f"value should be between {schema.between[0]} and {schema.between[1]}")
        if schema.above is not None and value <= schema.above:
            return self._wrong(path, name, f"value must be greater than {schema.above}")
        return value

    def listed(self, schema: Listed, value: object, path: Steps, name: str) -> Any:
        if schema.wraps and not isinstance(value, list | dict):
            return (self.read(schema.of, value, path, name),)
        if not isinstance(value, list | tuple):
            article = "an" if schema.kind == "array" else "a"
            return self._wrong(path, name, f"expected {article} {schema.kind}")
        if len(value) < schema.shortest:
            return self._wrong(path, name, f"length must be at least {schema.shortest}")
        return tuple(self._item(schema.of, item, (*path, at), f"{name}[{at}]") for at, item in enumerate(value))

    def _item(self, schema: Field, value: object, path: Steps, name: str) -> Any:
        """A value of a list or a map, which cannot be left out."""
        if value is None:
            return self._wrong(path, name, "required field missing")
        return self.read(schema, value, path, name)

    def table(self, schema: Table, value: object, path: Steps, name: str) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, name, "expected a map")
        if len(value) < schema.shortest:
            return self._wrong(path, name, f"length must be at least {schema.shortest}")
        return MappingProxyType({key: self._item(schema.of, inner, (*path, key), name) for key, inner in value.items()})

    def record(self, schema: Fields, value: object, path: Steps, name: str) -> Any:
        value = {} if value is None else value
        if not isinstance(value, dict):
            return self._wrong(path, name, "expected a record")
        if not schema.open:
            for key in value:
                if key not in schema.fields:
                    self._wrong((*path, key), dotted(name, key), "unknown field")
        read = {
            key: self.read(inner, value.get(key), (*path, key), dotted(name, key))
            for key, inner in schema.fields.items()
        }
        if schema.check:
            self._check(schema.check, read, path, name)
        return MappingProxyType(read)

    def _check(self, check: Check, read: Mapping[str, Any], path: Steps, name: str) -> None:
        """What is wrong with a record as a whole, but for what is told already, which may be why."""
        told_before = [violation.path for violation in self.violations]
        for wrong in check(read):
            at = (*path, *wrong.path)
            if any(other[: len(at)] == at for other in told_before):
                continue
            inner_name = name
            for step in ("@entity",) if wrong.entity else wrong.path if wrong.told is None else wrong.told:
                inner_name = f"{inner_name}[{step}]" if isinstance(step, int) else dotted(inner_name, step)
            self._wrong(at, inner_name, wrong.text)


READERS: Mapping[type[Field], Callable[..., Any]] = {
    Anything: Reading.anything,
    Text: Reading.text,
    Number: Reading.number,
    Flag: Reading.flag,
    Listed: Reading.listed,
    Table: Reading.table,
    Fields: Reading.record,
}
"""By the kind of the field: what reads a value that is there."""


def told(violations: Iterable[Violation]) -> str:
    """All that is wrong with one entity, as Kong says it."""
    ordered = sorted(violations, key=lambda found: ("@entity" not in found.name, found.name))
    parts = [f"{found.name}: {found.text}" for found in ordered]
    counted = "schema violation" if len(parts) == 1 else f"{len(parts)} schema violations"
    return f"{counted} ({'; '.join(parts)})"


def dotted(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def frozen(value: Any) -> Any:
    """A document's value that nobody can change."""
    if isinstance(value, dict):
        return MappingProxyType({key: frozen(inner) for key, inner in value.items()})
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def _spelt(schema: Field, value: str) -> object:
    """The number or boolean that a text spells, where the schema has one."""
    if isinstance(schema, Number):
        return spellings.number(value)
    return spellings.flag(value) if isinstance(schema, Flag) else value


def _plain(schema: Field, value: str) -> object:
    """The number or boolean that a text is in YAML 1.1 and not in 1.2, where the schema has one."""
    if isinstance(schema, Number):
        return spellings.grouped_number(value)
    return spellings.plain_flag(value) if isinstance(schema, Flag) else value
