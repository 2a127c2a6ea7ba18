"""What the native dialect says of rules that come from another: its nearest form, and in words what that leaves out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from limiter.config.amounts import TOLD, Amount
from limiter.higress.values import MODEL
from limiter.kong.functions import LUA
from limiter.meters import ASKED, NANO, UNIT
from limiter.rules import Condition, Limit, Policy, Rule
from limiter.units import FINE, HEADER, KONG_HEADER

SHOWN = 3
"""Names of limits that a remark lists."""


def _header(name: str) -> str:
    return f"header:{name.lower()}"


GATEWAYS: Mapping[str, str] = {":authority": "host", ":path": "path", ":method": "method", MODEL: "model"}
"""What Higress has under the names of headers, and is no header here."""


def _higress_header(name: str) -> str:
    return GATEWAYS.get(name.lower()) or _header(name)


def _presence(what: str) -> str:
    kind, _, name = what.partition(":")
    return f"query:{name}" if kind == "param" else _higress_header(name)


KINDS: Mapping[str, Callable[[str], str]] = {
    "higress-header": _higress_header,
    "higress-param": lambda name: f"query:{name}",
    "higress-cookie": lambda name: f"cookie:{name}",
    "higress-cookie-part": lambda name: f"cookie:{name}",
    "higress-ip": lambda _: "ip",
    "higress-has": _presence,
    "higress": lambda name: name,
    "kong": lambda name: name,
    "kong-header": _header,
}
"""Dimensions of other dialects, by kind, and the native one that comes nearest."""
SOMETHING = "?*"


def dimension(name: str) -> str:
    """The native dimension that is nearest."""
    kind, _, inner = name.partition(":")
    return KINDS[kind](inner.replace("%7C", "|").replace("%25", "%")) if kind in KINDS else name


def is_said(limit: Limit) -> bool:
    """Whether it may ever refuse: what is only counted for a gateway beside is not. Functions have no native form."""
    return (limit.checked or limit.closes_at_zero or limit.amount > 0) and not _of_function(limit)


def amount(limit: Limit) -> tuple[str, Amount]:
    """The native `meter:`, empty where the amount says it, and the amount."""
    count, unit = limit.window.count, limit.window.unit
    for kind in (UNIT + HEADER, UNIT + KONG_HEADER):
        if limit.meter.startswith(kind):
            number = limit.amount * FINE // limit.scale
            return HEADER + limit.meter.removeprefix(kind), Amount(TOLD, number, count, unit)
    money = limit.meter == "cost" and limit.scale > 1
    return "", Amount(limit.meter, limit.amount * NANO // limit.scale if money else limit.amount, count, unit)


def conditions(rule: Rule, limit: Limit) -> tuple[Condition, ...]:
    """The conditions of a limit in native terms."""
    found: dict[str, Condition] = {}
    for condition in (*rule.conditions, *((limit.only,) if limit.only else ())):
        native = dimension(condition.dimension)
        if condition.dimension.startswith("higress-has:"):
            found.setdefault(native, Condition(native, patterns=(SOMETHING,)))
        elif native not in found or found[native].patterns == (SOMETHING,):
            # With an expression a value may also be the text that it is written as.
            literal = frozenset() if condition.regexes else condition.values
            found[native] = replace(condition, dimension=native, values=literal)
    return tuple(found.values())


def remarks(policy: Policy) -> list[str]:
    """Sentences about limits whose native form leaves something out, each with their names."""
    by_remark: dict[str, list[str]] = {}
    for limit in (limit for rule in policy.rules for limit in rule.limits if _of_function(limit)):
        by_remark.setdefault("left out, as a Lua function says what it counts", []).append(limit.name)
    for rule in policy.rules:
        for limit in filter(is_said, rule.limits):
            for remark in (*_of_rule(rule), *_of_limit(limit)):
                by_remark.setdefault(remark, []).append(limit.name)
    return [f"{_listed(names)}: {remark}" for remark, names in by_remark.items()]


def _of_rule(rule: Rule) -> Iterator[str]:
    if rule.choices:
        yield "only where no limit before it takes the request"
    if rule.when:
        yield f"only where {rule.when}"
    if rule.voice:
        yield f"refuses and tells as {rule.voice}"
    if rule.ledger and rule.ledger.store:
        yield f"counts in {rule.ledger.store}; while that does not answer: {rule.ledger.on_error}"


def _of_limit(limit: Limit) -> Iterator[str]:
    if limit.key:
        yield "counts under the keys of the gateway, which shares them"
    if limit.admits_full:
        yield "admits a request also when exactly the whole amount is used"
    if limit.closes_at_zero:
        yield "refuses requests while exactly nothing is left, and answers that use more when no more is left"
    elif not limit.checked:
        yield "refuses no request, but answers that use more when all is used up"
    if limit.capped:
        yield "drops what is consumed when more than the amount is used already"
    if limit.only:
        yield "checked for all requests, of which only these are counted"
    if limit.costs:
        yield "costs by the prices of its declaration"
    if limit.window.first_day > 1:
        yield f"its {limit.window.unit} begins on day {limit.window.first_day}"
    for name in limit.per:
        kind, _, inner = name.partition(":")
        if kind == "higress-ip" and inner.startswith("from-header-"):
            yield f"reads the address from the header {inner.removeprefix('from-header-')} of a trusted peer"
        if kind == "higress-header" and inner.lower() == ":path":
            yield "takes the path with its query"


def _of_function(limit: Limit) -> bool:
    return limit.meter.startswith((f"{UNIT}{LUA}", f"{ASKED}{LUA}"))


def _listed(names: Iterable[str]) -> str:
    first, *others = names
    if len(others) < SHOWN:
        return ", ".join((first, *others))
    return f"{first} and {len(others)} more"
