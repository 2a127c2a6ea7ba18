"""The values of conditions, and what can be done with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from limiter.facts import Facts
from limiter.kong.conditions.entities import Entities

type Value = bool | int | str | tuple[Value, ...] | None

STEPS = 20_000
"""What an evaluation may take: elements that are looked at, and pieces of texts."""
PIECE = 64
"""Characters that are one step."""
LARGEST = 2**63


FEW = 8
"""Header fields that are one step."""


class Failed(Exception):  # noqa: N818 no error of the program
    """An expression has no value for this request."""


class TooLong(Exception):  # noqa: N818 no error of the program
    """How long it takes is up to the client, who must not switch a limit off thereby: no `default()` answers for it."""


@dataclass(slots=True)
class Run:
    """One evaluation."""

    facts: Facts
    entities: Entities
    variables: dict[str, Value] = field(default_factory=dict)
    """Of the macros that are under way."""
    left: int = STEPS

    def spend(self, steps: int) -> None:
        """Raises: TooLong: no more may be spent."""
        self.left -= steps
        if self.left < 0:
            raise TooLong("takes too long")

    def read(self, field: "Callable[[Facts, Entities], Value]") -> Value:
        """A field of the request, which may have to be looked for in all of its head."""
        facts = self.facts
        self.spend(1 + (len(facts.target) + len(facts.path)) // PIECE + len(facts.fields) // FEW)
        return field(facts, self.entities)


type Evaluate = Callable[[Run], Value]


def flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise Failed("no boolean")
    return value


def text(run: Run, value: Value) -> str:
    if not isinstance(value, str):
        raise Failed("no text")
    run.spend(1 + len(value) // PIECE)
    return value


def items(run: Run, value: Value) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise Failed("no list")
    run.spend(1 + len(value))
    return value


def equal(run: Run, one: Value, other: Value) -> bool:
    """Values of different types are never equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple) and isinstance(other, tuple):
        run.spend(1 + len(one))
        return len(one) == len(other) and all(map(equal, [run] * len(one), one, other))
    return one == other


def within(run: Run, one: Value, other: Value) -> bool:
    """Whether a list holds a value."""
    return any(equal(run, one, each) for each in items(run, other))


def before(one: Value, other: Value) -> bool:
    """Order of two numbers, texts or booleans."""
    match one, other:
        case (str(), str()) | (bool(), bool()):
            return one < other  # type: ignore[operator]
        case (int(), int()) if not isinstance(one, bool) and not isinstance(other, bool):
            return one < other
    raise Failed("values without an order")


RELATIONS: Mapping[str, Callable[[Run, Value, Value], bool]] = {
    "==": equal,
    "!=": lambda run, one, other: not equal(run, one, other),
    "<": lambda _, one, other: before(one, other),
    "<=": lambda _, one, other: not before(other, one),
    ">": lambda _, one, other: before(other, one),
    ">=": lambda _, one, other: not before(one, other),
    "in": within,
}


def total(run: Run, one: Value, other: Value) -> Value:
    """Two texts or lists in a row, or the sum of two numbers."""
    match one, other:
        case str(), str():
            return text(run, one + other)
        case tuple(), tuple():
            return items(run, (*one, *other))
        case (int(), int()) if not isinstance(one, bool) and not isinstance(other, bool):
            if -LARGEST <= one + other < LARGEST:
                return one + other
    raise Failed("values without a sum")


def size(value: Value) -> int:
    if not isinstance(value, str | tuple):
        raise Failed("neither text nor list")
    return len(value)


def element(value: Value, index: Value) -> Value:
    if not isinstance(value, tuple) or not isinstance(index, int) or isinstance(index, bool):
        raise Failed("no list, or no number of an element")
    if not 0 <= index < len(value):
        raise Failed("no such element")
    return value[index]


def decided(run: Run, evaluations: "list[Evaluate]", decisive: bool) -> bool:
    """`||` where true is decisive, `&&` where false is: one such value decides, though others fail."""
    failure: Failed | None = None
    for evaluate in evaluations:
        try:
            if flag(evaluate(run)) is decisive:
                return decisive
        except Failed as failed:
            failure = failure or failed
    if failure:
        raise failure
    return not decisive
