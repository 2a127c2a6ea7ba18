"""The grammar of conditions: from words to a tree."""

from collections.abc import Callable
from dataclasses import dataclass

from limiter.kong.conditions.tokens import ConditionError, Token, tokens

DEEPEST = 24
"""Levels of brackets."""
LONGEST_CHAIN = 24
"""Parts of `a.b.c`."""
LARGEST = 2**63 - 1
RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | bool | None
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    """`of.name`"""

    of: "Node"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Index:
    """`of[index]`"""

    of: "Node"
    index: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`name(…)`, or `of.name(…)`"""

    of: "Node | None"
    name: str
    arguments: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Items:
    """`[a, b]`"""

    items: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    of: "Node"
    times: int
    at: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands with the same operator between them: `&&`, `||` or `+`."""

    operator: str
    operands: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Relation:
    """An operand and what it is compared with; what comes of it is compared with the next one."""

    first: "Node"
    others: tuple[tuple[str, "Node"], ...]
    at: int


type Node = Literal | Name | Select | Index | Call | Items | Not | Chain | Relation


def parse(text: str) -> Node:
    """The tree of a condition.

    Raises:
        ConditionError
    """
    return _Parser(tokens(text)).parse()


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._next = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._expression()
        if self._word.kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    @property
    def _word(self) -> Token:
        return self._words[self._next]

    def _take(self) -> Token:
        word = self._word
        self._next += 1
        return word

    def _is(self, *marks: str) -> bool:
        return self._word.kind in ("mark", "name") and self._word.text in marks

    def _skip(self, mark: str) -> bool:
        found = self._is(mark)
        self._next += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            raise self._unexpected(repr(mark))

    def _unexpected(self, expected: str) -> ConditionError:
        return ConditionError(self._word.at, f"found {self._word}, expected {expected}")

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ConditionError(self._word.at, f"more than {DEEPEST} levels of brackets")
        node = self._chain("||", lambda: self._chain("&&", self._relation))
        self._depth -= 1
        return node

    def _chain(self, operator: str, operand: Callable[[], Node]) -> Node:
        at = self._word.at
        operands = [operand()]
        while self._skip(operator):
            operands.append(operand())
        return Chain(operator, tuple(operands), at) if len(operands) > 1 else operands[0]

    def _relation(self) -> Node:
        at = self._word.at
        first = self._chain("+", self._unary)
        others: list[tuple[str, Node]] = []
        while self._is(*RELATIONS):
            others.append((self._take().text, self._chain("+", self._unary)))
        return Relation(first, tuple(others), at) if others else first

    def _unary(self) -> Node:
        at, times = self._word.at, 0
        while self._skip("!"):
            times += 1
        node = self._member()
        return Not(node, times, at) if times else node

    def _member(self) -> Node:
        node = self._primary()
        for _ in range(LONGEST_CHAIN):
            at = self._word.at
            if self._skip("."):
                name = self._name()
                node = Call(node, name, self._arguments(")"), at) if self._skip("(") else Select(node, name, node.at)
            elif self._skip("["):
                node = Index(node, self._expression(), node.at)
                self._expect("]")
            else:
                return node
        raise ConditionError(self._word.at, f"more than {LONGEST_CHAIN} parts in a row")

    def _name(self) -> str:
        if self._word.kind != "name":
            raise self._unexpected("a name")
        return self._take().text

    def _primary(self) -> Node:
        word = self._word
        match word.kind:
            case "text":
                return Literal(self._take().text, word.at)
            case "number":
                return self._number(1)
            case "name":
                return self._named()
        if self._skip("("):
            node = self._expression()
            self._expect(")")
            return node
        if self._skip("["):
            return Items(self._arguments("]"), word.at)
        if self._skip("-") and self._word.kind == "number":
            return self._number(-1)
        raise self._unexpected("a value")

    def _named(self) -> Node:
        word = self._take()
        if word.text in CONSTANTS:
            return Literal(CONSTANTS[word.text], word.at)
        if word.text == "in":
            raise ConditionError(word.at, f"found {word}, expected a value")
        if self._skip("("):
            return Call(None, word.text, self._arguments(")"), word.at)
        return Name(word.text, word.at)

    def _number(self, sign: int) -> Literal:
        word = self._take()
        number = sign * int(word.text, 16 if word.text[:2] in ("0x", "0X") else 10)
        if not -LARGEST - 1 <= number <= LARGEST:
            raise ConditionError(word.at, f"found {word}, expected a number of 64 bits")
        return Literal(number, word.at)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._skip(closing):
            found.append(self._expression())
            if not self._is(closing):
                self._expect(",")
        return tuple(found)
