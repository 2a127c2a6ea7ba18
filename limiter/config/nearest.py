"""What the native dialect says of rules that come from another: its nearest form, and in words what that leaves out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from limiter.rules import Condition, Limit, Policy, Rule

SHOWN = 3
"""Names of limits that a remark lists."""


def _header(name: str) -> str:
    return f"header:{name.lower()}"


def _presence(what: str) -> str:
    kind, _, name = what.partition(":")
    return f"{'query' if kind == 'param' else kind}:{name.lower() if kind == 'header' else name}"


KINDS: Mapping[str, Callable[[str], str]] = {
    "higress-header": _header,
    "higress-param": lambda name: f"query:{name}",
    "higress-cookie": lambda name: f"cookie:{name}",
    "higress-cookie-part": lambda name: f"cookie:{name}",
    "higress-ip": lambda _: "ip",
    "higress-has": _presence,
    "higress": lambda name: name,
}
"""Dimensions of other dialects, by kind, and the native one that comes nearest."""
SOMETHING = "?*"


def dimension(name: str) -> str:
    """The native dimension that is nearest."""
    kind, _, inner = name.partition(":")
    return KINDS[kind](inner.replace("%7C", "|").replace("%25", "%")) if kind in KINDS else name


def conditions(rule: Rule) -> tuple[Condition, ...]:
    """The conditions of a rule in native terms."""
    found: dict[str, Condition] = {}
    for condition in rule.conditions:
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
    for rule in policy.rules:
        for limit in rule.limits:
            for remark in (*_of_rule(rule), *_of_limit(limit)):
                by_remark.setdefault(remark, []).append(limit.name)
    return [f"{_listed(names)}: {remark}" for remark, names in by_remark.items()]


def _of_rule(rule: Rule) -> Iterator[str]:
    if rule.choices:
        yield "only where no limit before it takes the request"
    if rule.voice:
        yield f"refuses and tells as {rule.voice}"
    if rule.ledger and rule.ledger.store:
        yield f"counts in {rule.ledger.store}; while that does not answer: {rule.ledger.on_error}"


def _of_limit(limit: Limit) -> Iterator[str]:
    if limit.key:
        yield "counts under the keys of the gateway, which shares them"
    if limit.admits_full:
        yield "admits a request also when exactly the whole amount is used"
    if limit.capped:
        yield "drops what is consumed when more than the amount is used already"
    for name in limit.per:
        kind, _, inner = name.partition(":")
        if kind == "higress-ip" and inner.startswith("from-header-"):
            yield f"reads the address from the header {inner.removeprefix('from-header-')} of a trusted peer"


def _listed(names: Iterable[str]) -> str:
    first, *others = names
    if len(others) < SHOWN:
        return ", ".join((first, *others))
    return f"{first} and {len(others)} more"
