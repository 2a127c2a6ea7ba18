"""Evaluates Terraform's expressions, as far as configurations of a gateway use them.

Known are literals, templates and heredocs, variables, locals, references to other resources, `each`, conditions,
arithmetic, comparisons, `for`, and the functions of `FUNCTIONS`. All else is told, never guessed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from limiter.config.kong import terraform_templates as templates
from limiter.config.kong.terraform_files import Expression, bare, inner, kind, parsed, plain
from limiter.config.kong.terraform_folder import HERE, Folder
from limiter.config.kong.terraform_formats import formatted
from limiter.config.kong.terraform_functions import FUNCTIONS as PURE
from limiter.config.kong.terraform_functions import UnknownError, pairs, text
from limiter.config.kong.terraform_operators import folded
from limiter.config.notices import ConfigError


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource, or an attribute of it that is known once it exists; always of the resource itself here."""

    type: str
    name: str
    key: object = None
    """Of the one that is meant, where `for_each` or `count` make several."""


type Scope = Mapping[str, Any]
"""What names stand for: `var`, `local`, `each` and the variables of `for`; `path` is the module's folder."""

FUNCTIONS: Mapping[str, Callable[..., Any]] = {**PURE, "format": formatted}
FILE = "file"
"""The function that needs the folder."""


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
    return templates.unescaped(str(part.value))


def _interpolated(node: Any, scope: Scope) -> Any:
    return _node(
        next(child for child in inner(node) if kind(child) not in ("INTERP_START_TOKEN", "RBRACE_TOKEN")), scope
    )


def _heredoc(node: Any, scope: Scope) -> str:
    parts = templates.heredoc(str(inner(node)[0].value))
    return "".join(part if isinstance(part, str) else text(expression(part.source, scope)) for part in parts)


def expression(source: str, scope: Scope) -> Any:
    """The value of an expression in a text.

    Raises:
        UnknownError: it is none, or cannot be known here.
    """
    try:
        tree = parsed(f"x = {source.strip()}\n", "")
    except ConfigError as error:
        # The text stays unsaid, as it may be a secret.
        raise UnknownError("found something else in a text, expected an expression") from error
    attribute = next(iter(inner(next(iter(inner(tree))))))
    return _node(inner(attribute)[2], scope)


def given(source: str) -> Any:
    """The value of an expression that names nothing, such as a variable has in the environment.

    Raises:
        UnknownError: it is none. Never says what was found, as it may be a secret.
    """
    try:
        value = expression(source, {})
    except (UnknownError, RecursionError):
        value = _Pending("")
    if _names_something(value):
        raise UnknownError("its value is no literal of Terraform; a text of another type than string stands in quotes")
    return value


def _names_something(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_names_something, value.values() if isinstance(value, dict) else value))
    return isinstance(value, _Pending | Reference)


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
    if isinstance(value, Folder):
        if name in ("module", "root"):
            return HERE
        raise UnknownError(f"path.{name} is only known to Terraform")
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
    if isinstance(held, Reference) and isinstance(key, str | int):
        return Reference(held.type, held.name, key)
    if isinstance(held, list) and isinstance(key, int) and 0 <= key < len(held):
        return held[key]
    if isinstance(held, Mapping) and isinstance(key, str) and key in held:
        return held[key]
    # The key stays unsaid, as it may be a secret.
    raise UnknownError("found no such key or position there")


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


def _binary(node: Any, scope: Scope) -> Any:
    """The parser nests operators without regard to which binds closer: they are laid out and then folded by level."""
    items = _laid_out(node)
    values = [_node(item, scope) if index % 2 == 0 else item for index, item in enumerate(items)]
    return folded(values)


def _laid_out(node: Any) -> list[Any]:
    node = bare(node) if kind(node) != "BinaryOpRule" else node
    if kind(node) != "BinaryOpRule":
        return [node]
    left, term = [child for child in inner(node) if not kind(child).endswith("_TOKEN")]
    sign, right = inner(term)
    return [*_laid_out(left), plain(sign).strip(), *(_laid_out(right) if kind(right) == "BinaryOpRule" else [right])]


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


def _call(node: Any, scope: Scope) -> Any:
    name, *rest = inner(node)
    called = plain(name)
    folder = scope.get("path")
    function = folder.text if called == FILE and isinstance(folder, Folder) else FUNCTIONS.get(called)
    if function is None:
        known = ", ".join((*FUNCTIONS, FILE))
        raise UnknownError(f"the function {called} is not evaluated here, only {known}")
    arguments = next((child for child in rest if kind(child) == "ArgumentsRule"), None)
    values = _list(arguments, scope) if arguments else []
    try:
        return function(*values)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, InvalidOperation) as error:
        raise UnknownError(f"the function {called} does not take these arguments") from error


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
