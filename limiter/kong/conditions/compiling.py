"""From the tree of a condition to what evaluates it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from limiter import expressions
from limiter.kong.conditions import values
from limiter.kong.conditions.fields import Field, Kind, field
from limiter.kong.conditions.syntax import Call, Chain, Index, Items, Literal, Name, Node, Not, Relation, Select
from limiter.kong.conditions.tokens import ConditionError
from limiter.kong.conditions.values import Evaluate, Run, Value, decided, element, flag, items, size, text, total

KINDS: Mapping[type, Kind] = {bool: "bool", int: "int", str: "string", type(None): "null"}
TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: part in whole,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
MACROS: Mapping[str, tuple[int, ...]] = {"all": (2,), "exists": (2,), "filter": (2,), "map": (2, 3)}
"""Macros on lists and how many arguments they take."""
ORDERING = frozenset({"<", "<=", ">", ">="})
ORDERED: tuple[Kind, ...] = ("string", "int", "bool")
SUMMED: tuple[Kind, ...] = ("string", "list", "int")
FUNCTIONS = "contains, startsWith, endsWith, matches, size, has, all, exists, map, filter, default"


class Compiled(NamedTuple):
    kind: Kind
    """Of the value; `any`: that is not known before."""
    evaluate: Evaluate


class Compiler:
    """Of one condition."""

    def __init__(self) -> None:
        self.named: list[str] = []
        """The fields that it reads: `http.headers.x_team`."""
        self._variables: list[str] = []

    def condition(self, node: Node) -> Evaluate:
        """Raises: ConditionError."""
        return self._of(node, "bool").evaluate

    def _of(self, node: Node, *expected: Kind) -> Compiled:
        """Raises: ConditionError: it never has a value of the kinds that are expected."""
        compiled = self._compiled(node)
        if expected:
            _check(compiled, node, expected)
        return compiled

    def _compiled(self, node: Node) -> Compiled:
        match node:
            case Not():
                return self._not(node)
            case Chain():
                return self._chain(node)
            case Relation():
                return self._relation(node)
            case Call(None):
                return self._function(node)
            case Call(of) if of is not None:
                return self._method(of, node)
        return self._value(node)

    def _value(self, node: Node) -> Compiled:
        match node:
            case Literal(value):
                return Compiled(KINDS[type(value)], lambda _: value)
            case Items(nodes):
                parts = [self._of(each).evaluate for each in nodes]
                return Compiled("list", lambda run: items(run, tuple(part(run) for part in parts)))
            case Name(name) if name in self._variables:
                return Compiled("any", lambda run: run.variables[name])
            case Index(of, index) if not _is_key(index):
                whole, place = self._of(of, "list").evaluate, self._of(index, "int").evaluate
                return Compiled("any", lambda run: element(whole(run), place(run)))
        kind, read = self._field(node)
        return Compiled(kind, lambda run: run.read(read))

    def _not(self, node: Not) -> Compiled:
        operand = self._of(node.of, "bool").evaluate
        odd = node.times % 2 == 1
        return Compiled("bool", lambda run: flag(operand(run)) is not odd)

    def _chain(self, chain: Chain) -> Compiled:
        if chain.operator == "+":
            first = self._of(chain.operands[0], *SUMMED)
            evaluations = [self._of(each, *_like(first, SUMMED)).evaluate for each in chain.operands[1:]]

            def add(run: Run) -> Value:
                found = first.evaluate(run)
                for evaluate in evaluations:
                    found = total(run, found, evaluate(run))
                return found

            return Compiled(first.kind, add)
        operands = [self._of(each, "bool").evaluate for each in chain.operands]
        decisive = chain.operator == "||"
        return Compiled("bool", lambda run: decided(run, operands, decisive))

    def _relation(self, relation: Relation) -> Compiled:
        found = self._of(relation.first)
        for operator, node in relation.others:
            if operator in ORDERING:
                _check(found, relation.first, ORDERED)
            expected = ("list",) if operator == "in" else _like(found, ORDERED) if operator in ORDERING else ()
            other = self._of(node, *expected)
            found = Compiled("bool", _compared(operator, found.evaluate, other.evaluate))
        return found

    def _function(self, call: Call) -> Compiled:
        match call.name, call.arguments:
            case "has", (node,):
                return self._has(node)
            case "size", (node,):
                return self._size(node)
            case "matches", (node, expression):
                return self._matches(node, expression)
            case "default", _:
                raise ConditionError(call.at, "default() has to be around the whole condition: default(…, false)")
        raise _unknown(call)

    def _method(self, of: Node, call: Call) -> Compiled:
        match call.name, call.arguments:
            case "size", ():
                return self._size(of)
            case "matches", (expression,):
                return self._matches(of, expression)
            case name, (part,) if name in TEXTS:
                return self._text(TEXTS[name], of, part)
            case name, arguments if len(arguments) in MACROS.get(name, ()):
                return self._macro(of, call)
        raise _unknown(call)

    def _has(self, node: Node) -> Compiled:
        if not isinstance(node, Select | Index):
            raise ConditionError(node.at, "has() takes the name of a field")
        read = self._field(node).read
        return Compiled("bool", lambda run: run.read(read) is not None)

    def _size(self, node: Node) -> Compiled:
        evaluate = self._of(node, "string", "list").evaluate
        return Compiled("int", lambda run: size(evaluate(run)))

    def _text(self, test: Callable[[str, str], bool], node: Node, argument: Node) -> Compiled:
        whole, part = self._of(node, "string").evaluate, self._of(argument, "string").evaluate
        return Compiled("bool", lambda run: test(text(run, whole(run)), text(run, part(run))))

    def _matches(self, node: Node, argument: Node) -> Compiled:
        evaluate = self._of(node, "string").evaluate
        if not isinstance(argument, Literal) or not isinstance(argument.value, str):
            raise ConditionError(argument.at, "matches() takes an expression that is written out")
        if wrong := expressions.problem(argument.value):
            raise ConditionError(argument.at, f"found a wrong regular expression: {wrong}")
        search = expressions.search(argument.value)
        return Compiled("bool", lambda run: bool(search(text(run, evaluate(run)))))

    def _macro(self, of: Node, call: Call) -> Compiled:
        whole = self._of(of, "list").evaluate
        variable, *nodes = call.arguments
        if not isinstance(variable, Name):
            raise ConditionError(variable.at, f"{call.name}() takes the name of a variable first")
        self._variables.append(variable.name)
        tested = call.name != "map"
        *tests, last = (self._of(node, *_expected(tested or node is not nodes[-1])).evaluate for node in nodes)
        self._variables.pop()
        name = variable.name
        if call.name in ("all", "exists"):
            decisive = call.name == "exists"
            return Compiled("bool", lambda run: decided(run, _each(name, last, items(run, whole(run))), decisive))
        keeps = last if tested else next(iter(tests), None)

        def collect(run: Run) -> Value:
            return tuple(
                item if tested else _with(name, item, last)(run)
                for item in items(run, whole(run))
                if keeps is None or flag(_with(name, item, keeps)(run))
            )

        return Compiled("list", collect)

    def _field(self, node: Node) -> Field:
        """Raises: ConditionError: no such field."""
        parts, root = _parts(node)
        if root is None or root.name in self._variables:
            raise ConditionError(node.at, "only fields of a request have parts")
        try:
            found = field(parts)
        except ValueError as problem:
            raise ConditionError(root.at, str(problem)) from None
        self.named.append(".".join(parts))
        return found


def _check(compiled: Compiled, node: Node, expected: Sequence[Kind]) -> None:
    if compiled.kind not in (*expected, "any"):
        kinds = " or ".join(expected)
        raise ConditionError(node.at, f"found a value of the type {compiled.kind}, expected {kinds}")


def _unknown(call: Call) -> ConditionError:
    count = len(call.arguments)
    return ConditionError(call.at, f"found {call.name}() with {count} arguments, expected one of {FUNCTIONS}")


def _like(compiled: Compiled, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """What goes with a value."""
    return kinds if compiled.kind == "any" else (compiled.kind,)


def _expected(is_test: bool) -> Sequence[Kind]:
    return ("bool",) if is_test else ()


def _is_key(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)


def _parts(node: Node) -> tuple[list[str], Name | None]:
    """Of `a.b["c"]` its three names and what it begins with; None where that is no name."""
    parts: list[str] = []
    while True:
        match node:
            case Select(of, name):
                parts.append(name)
                node = of
            case Index(of, Literal(str(name))):
                parts.append(name)
                node = of
            case Name(name):
                return [name, *reversed(parts)], node
            case _:
                return parts, None


def _compared(operator: str, one: Evaluate, other: Evaluate) -> Evaluate:
    compare = values.RELATIONS[operator]
    return lambda run: compare(run, one(run), other(run))


def _each(name: str, evaluate: Evaluate, found: Sequence[Value]) -> list[Evaluate]:
    return [_with(name, item, evaluate) for item in found]


def _with(name: str, item: Value, evaluate: Evaluate) -> Evaluate:
    """With the variable `name` for the item."""

    def run_with(run: Run) -> Value:
        outer = run.variables.get(name)
        run.variables[name] = item
        run.spend(1)
        try:
            return evaluate(run)
        finally:
            run.variables[name] = outer

    return run_with
