"""Environment variables in Kong's files, which are put into the text before it is read as YAML.

decK has `${{ env "DECK_X" }}`, with functions behind a bar: `${{ env "DECK_PORT" | toInt }}`. Nothing is substituted in
comments. kongctl, for policies of AI Gateway 2, has the tag `!env NAME` before a value, which then is a text.
https://developer.konghq.com/deck/reference/variables/, https://developer.konghq.com/ai-gateway/kongctl/
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from limiter.config.notices import ConfigError, Notice, Place

PREFIX = "DECK_"
_MARK = re.compile(r"\$\{\{(?P<expression>.*?)\}\}", re.DOTALL)
_FORMAT = re.compile(r"""^\s*(?:\{\s*)?["']?_format_version["']?\s*:""", re.MULTILINE)
_POLICY = re.compile(r"""^[ \t]*(?:- )?["']?type["']?:[ \t]*["']?ai-rate-limiting-advanced""", re.MULTILINE)
_TAG = re.compile(
    r"""^(?P<before>[^#\n]*?(?:[:,\[]|-)[ \t]+)!env[ \t]+"""
    r"""["']?(?P<name>[A-Za-z_][A-Za-z0-9_]*)["']?(?=[ \t]*(?:[,\]}#]|$))""",
    re.MULTILINE,
)
_STEP = re.compile(
    r"""(?:\(\s*)?(?P<name>[A-Za-z]+)(?P<arguments>(?:\s+(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[0-9]+))*)(?:\s*\))?""",
)
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`|([0-9]+)')
_INNER = re.compile(r"(?P<name>toBool|toInt|toFloat)\s*\((?P<inner>.*)\)", re.DOTALL)


def substitute(text: str, file: str, environment: Mapping[str, str]) -> str:
    """The text of a declarative file with the values of its variables; any other text as it is.

    Raises:
        ConfigError: with everything that cannot be substituted.
    """
    if "!env" in text and _POLICY.search(text):
        return _with_tags(text, file, environment)
    if "${{" not in text or not _FORMAT.search(text):
        return text
    problems: list[Notice] = []
    commented = list(_comments(text))

    def replaced(match: re.Match[str]) -> str:
        if any(start <= match.start() < end for start, end in commented):
            return match.group()
        try:
            return _value(match["expression"].strip(), environment)
        except ValueError as error:
            line = text.count("\n", 0, match.start()) + 1
            problems.append(Notice(Place(file, line), "", str(error)))
            return ""

    whole = _MARK.sub(replaced, text)
    if problems:
        raise ConfigError(problems)
    return whole


def _with_tags(text: str, file: str, environment: Mapping[str, str]) -> str:
    problems: list[Notice] = []

    def replaced(match: re.Match[str]) -> str:
        if match["name"] not in environment:
            line = text.count("\n", 0, match.start()) + 1
            problems.append(Notice(Place(file, line), "", f"the environment variable {match['name']} is not set"))
        return match["before"] + json.dumps(environment.get(match["name"], ""), ensure_ascii=False)

    whole = _TAG.sub(replaced, text)
    if problems:
        raise ConfigError(problems)
    return whole


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """From and to of the lines that are comments."""
    return (match.span() for match in re.finditer(r"^[ \t]*#.*$", text, re.MULTILINE))


def _value(expression: str, environment: Mapping[str, str]) -> str:
    if inner := _INNER.fullmatch(expression):
        return FUNCTIONS[inner["name"]](_value(inner["inner"].strip(), environment), ())
    value = ""
    for number, part in enumerate(expression.split("|")):
        step = _STEP.fullmatch(part.strip())
        if not step:
            raise ValueError(f'found ${{{{ {expression} }}}}, expected a function such as env "DECK_X"')
        name = step["name"]
        arguments = tuple(_unquoted(match) for match in _ARGUMENT.finditer(step["arguments"]))
        if name == "env" and number == 0 and len(arguments) == 1:
            value = _variable(arguments[0], environment)
        elif name in FUNCTIONS and number > 0:
            value = FUNCTIONS[name](value, arguments)
        else:
            known = ", ".join(("env", *FUNCTIONS))
            raise ValueError(f"found the function {name!r} in a place where it has no meaning, expected {known}")
    return value


def _unquoted(match: re.Match[str]) -> str:
    return match[1].replace('\\"', '"').replace("\\\\", "\\") if match[1] is not None else match[2] or match[3] or ""


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if not name.startswith(PREFIX):
        raise ValueError(f"environment variables in the state file must be prefixed with '{PREFIX}', found: '{name}'")
    if name not in environment:
        raise ValueError(f"environment variable '{name}' present in state file but not set")
    return environment[name]


def _boolean(value: str, _: tuple[str, ...]) -> str:
    known = {"1": "true", "t": "true", "true": "true", "0": "false", "f": "false", "false": "false"}
    if value.lower() not in known:
        raise ValueError("toBool: the variable's value is no boolean")
    return known[value.lower()]


def _integer(value: str, _: tuple[str, ...]) -> str:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        raise ValueError("toInt: the variable's value is no whole number")
    return str(int(value))


def _float(value: str, _: tuple[str, ...]) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError("toFloat: the variable's value is no number")
    return f"{number:f}"


def _indent(value: str, arguments: tuple[str, ...]) -> str:
    if len(arguments) != 1 or not arguments[0].isdigit():
        raise ValueError("indent: expected the number of spaces, such as indent 8")
    return value.replace("\n", "\n" + " " * int(arguments[0]))


FUNCTIONS: Mapping[str, Callable[[str, tuple[str, ...]], str]] = {
    "toBool": _boolean,
    "toInt": _integer,
    "toFloat": _float,
    "indent": _indent,
}
