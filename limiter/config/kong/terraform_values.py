"""Evaluates Terraform's expressions, as far as configurations of a gateway use them.

Known are literals, templates and heredocs, variables, locals, references to other resources, `each`, conditions,
arithmetic, comparisons, `for`, and the functions of `FUNCTIONS`. All else is told, never guessed.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from limiter.config.kong.terraform_files import Expression, bare, inner, kind, parsed, plain
from limiter.config.notices import ConfigError

MOST = 10_000
"""Steps of one evaluation."""


class UnknownError(Exception):
    """A value that cannot be known here, with the reason."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource, or an attribute of it that is known once it exists; always of the resource itself here."""

    type: str
    name: str
    key: object = None
    """Of the one that is meant, where `for_each` or `count` make several."""


type Scope = Mapping[str, Any]
"""What names stand for: `var`, `local`, `each` and the variables of `for`."""

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_HEREDOC = re.compile(r"<<(?P<trim>-?)(?P<mark>[A-Za-z0-9_.-]+)\n(?P<text>.*?)\n?[ \t]*(?P=mark)\s*\Z", re.DOTALL)
_TEMPLATE = re.compile(r"\$\$\{|%%\{|\$\{|%\{")


def evaluate(value: Any, scope: Scope) -> Any:
    """A value without expressions: dict, list, str, int, Decimal, bool, None or `Reference`.

    Raises:
        UnknownError: it cannot be known here.
    """
    if isinstance(value, dict):
        return {key: evaluate(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    return _node(value.node, scope) if isinstance(value, Expression) else value


def _node(node: Any, scope: Scope) -> Any:
    node = bare(node)
    find = EVALUATORS.get(kind(node))
    if find is None:
        raise UnknownError(f"expressions of the kind {kind(node).removesuffix('Rule')} are not evaluated here")
    return find(node, scope)


def _whole(node: Any, _: Scope) -> int:
    return int(str(inner(node)[0].value))


def _fraction(node: Any, _: Scope) -> int | Decimal:
    number = Decimal(str(inner(node)[0].value))
    return int(number) if number == number.to_integral_value() else number


def _literal(node: Any, _: Scope) -> bool | None:
    return {"true": True, "false": False}.get(str(inner(node)[0].value).strip())


def _string(node: Any, scope: Scope) -> Any:
    parts = [part for child in inner(node) if kind(child) == "StringPartRule" for part in inner(child)]
    if len(parts) == 1 and kind(parts[0]) == "InterpolationRule":
        # A template of nothing but an expression keeps its type.
        return _interpolated(parts[0], scope)
    return "".join(_part(part, scope) for part in parts)


def _part(part: Any, scope: Scope) -> str:
    if kind(part) == "InterpolationRule":
        return text(_interpolated(part, scope))
    if kind(part) == "ESCAPED_INTERPOLATION_TOKEN":
        return str(part.value)[1:]
    if kind(part).endswith("Rule"):
        raise UnknownError("directives in templates are not evaluated here")
    return _ESCAPE.sub(_unescaped, str(part.value))


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPES.get(match[3], match[0])


def _interpolated(node: Any, scope: Scope) -> Any:
    return _node(
        next(child for child in inner(node) if kind(child) not in ("INTERP_START_TOKEN", "RBRACE_TOKEN")), scope
    )


def text(value: Any) -> str:
    """A value as a template shows it.

    Raises:
        UnknownError: it has no text.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    raise UnknownError("a template can only hold texts, numbers and booleans")


def _heredoc(node: Any, scope: Scope) -> str:
    found = _HEREDOC.fullmatch(str(inner(node)[0].value))
    if not found:
        raise UnknownError("a heredoc that does not end")
    lines = found["text"].split("\n")
    if found["trim"]:
        indents = [len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()]
        lines = [line[min(indents, default=0) :] for line in lines]
    return _template("\n".join(lines) + "\n", scope)


def _template(template: str, scope: Scope) -> str:
    """A heredoc's text with its expressions evaluated. Backslashes mean nothing in it."""
    out, at = [], 0
    while mark := _TEMPLATE.search(template, at):
        out.append(template[at : mark.start()])
        if mark.group() in ("$${", "%%{"):
            out.append(mark.group()[1:])
            at = mark.end()
            continue
        if mark.group() == "%{":
            raise UnknownError("directives in templates are not evaluated here")
        end = _closing(template, mark.end())
        out.append(text(expression(template[mark.end() : end], scope)))
        at = end + 1
    return "".join(out) + template[at:]


def _closing(template: str, start: int) -> int:
    depth = 1
    for index in range(start, len(template)):
        depth += {"{": 1, "}": -1}.get(template[index], 0)
        if not depth:
            return index
    raise UnknownError("an expression in a template that does not end")


def expression(source: str, scope: Scope) -> Any:
    """The value of an expression in a text.

    Raises:
        UnknownError: it is none, or cannot be known here.
    """
    try:
        tree = parsed(f"x = {source.strip()}\n", "")
    except ConfigError as error:
        raise UnknownError(f"found {source.strip()[:40]!r}, expected an expression") from error
    attribute = next(iter(inner(next(iter(inner(tree))))))
    return _node(inner(attribute)[2], scope)


def _identifier(node: Any, scope: Scope) -> Any:
    name = plain(node)
    if name in scope:
        return scope[name]
    # The first part of a reference to a resource.
    return _Pending(name)


@dataclass(frozen=True, slots=True)
class _Pending:
    """The type of a resource whose name is still to come."""

    type: str


def _attribute(node: Any, scope: Scope) -> Any:
    value, access = inner(node)
    return _member(_node(value, scope), plain(inner(access)[1]))


def _member(value: Any, name: str) -> Any:
    if isinstance(value, _Pending):
        if value.type in ("data", "module", "path", "terraform", "self", "count"):
            raise UnknownError(f"{value.type}.{name} is only known to Terraform")
        return Reference(value.type, name)
    if isinstance(value, Reference):
        if name == "id":
            return value
        raise UnknownError(
            f"{value.type}.{value.name}.{name} is only known to Terraform; of resources, ids can be told"
        )
    if isinstance(value, Mapping) and name in value:
        return value[name]
    raise UnknownError(f"found no {name!r} there")


def _index(node: Any, scope: Scope) -> Any:
    value, access = inner(node)
    key_node = next(child for child in inner(access) if not kind(child).endswith(("SQB_TOKEN", "DOT_TOKEN")))
    key = int(str(key_node.value)) if kind(key_node) == "IntLiteral" else _node(key_node, scope)
    held = _node(value, scope)
    if isinstance(held, Reference):
        return Reference(held.type, held.name, key)
    if isinstance(held, list) and isinstance(key, int) and 0 <= key < len(held):
        return held[key]
    return _member(held, key) if isinstance(key, str) else _missing(key)


def _missing(key: object) -> Any:
    raise UnknownError(f"found no {key!r} there")


def _conditional(node: Any, scope: Scope) -> Any:
    condition, then, otherwise = [child for child in inner(node) if not kind(child).endswith("_TOKEN")]
    return _node(then if _node(condition, scope) is True else otherwise, scope)


def _unary(node: Any, scope: Scope) -> Any:
    sign, operand = inner(node)
    value = _node(operand, scope)
    if kind(sign) == "NOT_TOKEN" and isinstance(value, bool):
        return not value
    if kind(sign) == "MINUS_TOKEN" and isinstance(value, int | Decimal):
        return -value
    raise UnknownError(f"found {str(sign.value).strip()} before something else than a number or a boolean")


_LEVELS: tuple[Mapping[str, Callable[[Any, Any], Any]], ...] = (
    {"*": operator.mul, "/": lambda left, right: Decimal(left) / Decimal(right), "%": operator.mod},
    {"+": operator.add, "-": operator.sub},
    {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le},
    {"==": operator.eq, "!=": operator.ne},
    {"&&": lambda left, right: left and right},
    {"||": lambda left, right: left or right},
)
"""Operators, those that bind closest first."""


def _binary(node: Any, scope: Scope) -> Any:
    """The parser nests operators without regard to which binds closer: they are laid out and then folded by level."""
    items = _laid_out(node)
    values = [_node(item, scope) if index % 2 == 0 else item for index, item in enumerate(items)]
    for level in _LEVELS:
        folded = values[:1]
        for sign, right in zip(values[1::2], values[2::2], strict=True):
            if sign in level:
                folded[-1] = _applied(level[sign], folded[-1], right)
            else:
                folded += [sign, right]
        values = folded
    return values[0]


def _laid_out(node: Any) -> list[Any]:
    node = bare(node) if kind(node) != "BinaryOpRule" else node
    if kind(node) != "BinaryOpRule":
        return [node]
    left, term = [child for child in inner(node) if not kind(child).endswith("_TOKEN")]
    sign, right = inner(term)
    return [*_laid_out(left), plain(sign).strip(), *(_laid_out(right) if kind(right) == "BinaryOpRule" else [right])]


def _applied(apply: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    try:
        value = apply(left, right)
    except (TypeError, ArithmeticError) as error:
        raise UnknownError("an operator between values that it does not fit") from error
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return value


def _list(node: Any, scope: Scope) -> list[Any]:
    return [_node(child, scope) for child in inner(node) if not kind(child).endswith("_TOKEN")]


def _object(node: Any, scope: Scope) -> dict[str, Any]:
    found = {}
    for element in inner(node):
        if kind(element) == "ObjectElemRule":
            key_node, _, value = inner(element)
            inside = inner(key_node)[0]
            key = plain(inside) if kind(inside) == "IdentifierRule" else text(_node(inside, scope))
            found[key] = _node(value, scope)
    return found


def _for(node: Any, scope: Scope) -> Any:
    intro, *rest = [child for child in inner(node) if not kind(child).endswith("_TOKEN")]
    *names, over = [child for child in inner(intro) if not kind(child).endswith("_TOKEN")]
    named = [plain(name) for name in names]
    condition = next((child for child in rest if kind(child) == "ForCondRule"), None)
    results = [child for child in rest if kind(child) != "ForCondRule"]
    found = []
    for key, value in pairs(_node(over, scope)):
        inside = {**scope, **dict(zip(named, (key, value) if len(named) == 2 else (value,), strict=True))}
        if condition is None or _node(inner(condition)[1], inside) is True:
            found.append([_node(result, inside) for result in results])
    if kind(node) == "ForObjectExprRule":
        return {text(key): value for key, value, *_ in found}
    return [value for (value,) in found]


def pairs(value: Any) -> list[tuple[Any, Any]]:
    """Keys and values of what can be gone through.

    Raises:
        UnknownError: nothing such.
    """
    if isinstance(value, Mapping):
        return sorted(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    raise UnknownError("found something else, expected a list or a map to go through")


def _call(node: Any, scope: Scope) -> Any:
    name, *rest = inner(node)
    called = plain(name)
    function = FUNCTIONS.get(called)
    if function is None:
        raise UnknownError(f"the function {called} is not evaluated here, only {', '.join(FUNCTIONS)}")
    arguments = next((child for child in rest if kind(child) == "ArgumentsRule"), None)
    values = _list(arguments, scope) if arguments else []
    try:
        return function(*values)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, InvalidOperation) as error:
        raise UnknownError(f"the function {called} does not take these arguments") from error


def _number(value: Any) -> int | Decimal:
    number = Decimal(text(value))
    return int(number) if number == number.to_integral_value() else number


def _first_known(*values: Any) -> Any:
    return next(value for value in values if value not in (None, ""))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tonumber": _number,
    "tostring": text,
    "tobool": lambda value: {"true": True, "false": False}[text(value)],
    "tolist": list,
    "toset": lambda values: sorted(set(values)),
    "tomap": dict,
    "sensitive": lambda value: value,
    "nonsensitive": lambda value: value,
    "lower": lambda value: value.lower(),
    "upper": lambda value: value.upper(),
    "trimspace": lambda value: value.strip(),
    "replace": lambda value, old, new: value.replace(old, new),
    "join": lambda separator, values: separator.join(map(text, values)),
    "split": lambda separator, value: value.split(separator),
    "concat": lambda *lists: [item for items in lists for item in items],
    "merge": lambda *maps: {key: value for each in maps for key, value in each.items()},
    "keys": sorted,
    "values": lambda value: [value[key] for key in sorted(value)],
    "lookup": lambda value, key, *default: value.get(key, *default),
    "length": len,
    "coalesce": _first_known,
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":")),
    "jsondecode": lambda value: json.loads(value, parse_float=Decimal),
    "min": min,
    "max": max,
}

EVALUATORS: Mapping[str, Callable[[Any, Scope], Any]] = {
    "IntLitRule": _whole,
    "FloatLitRule": _fraction,
    "LiteralValueRule": _literal,
    "StringRule": _string,
    "HeredocTemplateRule": _heredoc,
    "HeredocTrimTemplateRule": _heredoc,
    "IdentifierRule": _identifier,
    "GetAttrExprTermRule": _attribute,
    "IndexExprTermRule": _index,
    "ConditionalRule": _conditional,
    "UnaryOpRule": _unary,
    "BinaryOpRule": _binary,
    "TupleRule": _list,
    "ObjectRule": _object,
    "ForTupleExprRule": _for,
    "ForObjectExprRule": _for,
    "FunctionCallRule": _call,
}
"""By the kind of a tree's node."""
