"""`rule_items` of a plugin's configuration."""

import re
from typing import Any, get_args

from limiter import expressions
from limiter.config.explain import Report, hint, shown
from limiter.config.higress import addresses
from limiter.config.higress.coercion import items, text
from limiter.config.higress.plugin import ANY, CONSUMER_HEADER, CONSUMERS, EXPRESSION, Item, Key, Kind
from limiter.config.higress.thresholds import UNITS, threshold
from limiter.config.notices import Steps
from limiter.higress.values import FORWARDED, PSEUDO, REMOTE
from limiter.settings import Network

KINDS: tuple[Kind, ...] = get_args(Kind)
MOST = 10
"""Items of generation C."""
PREFIX = "failed to parse rule_item in rule_items: "
NAMES = {
    "header": re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII),
    "cookie": re.compile(r"[^\s;=]([^;=]*[^\s;=])?"),
}
"""What headers can be called, https://www.rfc-editor.org/rfc/rfc9110#section-5.1, and which cookies can be found."""
EXAMPLES: dict[str, str] = {
    "limit_by_per_ip": 'key: "0.0.0.0/0"',
    "limit_by_consumer": 'key: "<consumer-name>"',
    "limit_by_header": 'key: "<exact-value>"',
    "limit_by_param": 'key: "<exact-value>"',
    "limit_by_cookie": 'key: "<exact-value>"',
}
"""For kinds whose keys are not `*` or expressions."""


def rule_items(value: object, path: Steps, report: Report, *, overlay: bool) -> tuple[Item, ...]:
    """The items that are right; what is wrong with the others goes to the report."""
    entries = items(value)
    if not entries:
        found = "an empty list" if value == [] else shown(value)
        report.problem(path, f"found {found}, expected at least one item (config rule_items cannot be empty)")
    if overlay and len(entries) > MOST:
        theirs = f"rule_items length {len(entries)} exceeds maximum {MOST}"
        report.problem(path, f"found {len(entries)} items, expected at most {MOST} in mode overlay ({theirs})")
    listed = isinstance(value, list)
    parsed = [_item(entry, (*path, index) if listed else path, report, overlay) for index, entry in enumerate(entries)]
    right = tuple(item for item in parsed if item)
    _warn_of_repeated(right, report)
    return right


def _item(entry: object, path: Steps, report: Report, overlay: bool) -> Item | None:
    if not isinstance(entry, dict):
        report.expected(path, entry, "a mapping")
        return None
    for name in entry:
        if name not in (*KINDS, "limit_keys"):
            report.warning((*path, name), f"unknown key, which the gateway ignores{hint((*KINDS, 'limit_keys'), name)}")
    kind = _kind(entry, path, report, overlay)
    if kind is None:
        return None
    name = CONSUMER_HEADER if kind in CONSUMERS else text(entry[kind])
    if kind in CONSUMERS and text(entry[kind]):
        report.warning((*path, kind), f"found {shown(entry[kind])}, which the gateway ignores")
    if kind == "limit_by_per_ip" and not _is_source(name, (*path, kind), report):
        return None
    _warn_of_name(name, kind, (*path, kind), report)
    if "limit_keys" not in entry:
        theirs = f"{PREFIX}missing limit_keys in config for {kind}; add at least one entry, e.g. {_example(kind)}"
        report.problem(path, f"found no limit_keys, expected a list ({theirs})")
        return None
    values = entry["limit_keys"]
    inner = (*path, "limit_keys")
    if not items(values):
        theirs = f"{PREFIX}config limit_keys cannot be empty for {kind}; add at least one entry, e.g. {_example(kind)}"
        found = "an empty list" if values == [] else shown(values)
        report.problem(inner, f"found {found}, expected at least one key ({theirs})")
        return None
    keys = [
        _key(key, (*inner, index) if isinstance(values, list) else inner, report, kind, overlay)
        for index, key in enumerate(items(values))
    ]
    item = Item(kind, name, tuple(key for key in keys if key), path)
    _warn_of_unreached(item, report)
    return item


def _kind(entry: dict[str, Any], path: Steps, report: Report, overlay: bool) -> Kind | None:
    """The one `limit_by_*` that is set. One without a name is none, except for consumers, which have no name."""
    found = [kind for kind in KINDS if kind in entry and (kind in CONSUMERS or text(entry[kind]))]
    for kind in KINDS:
        if kind in entry and kind not in found:
            report.warning((*path, kind), f"found {shown(entry[kind])}, which the gateway takes for no {kind}")
    if not found:
        quoted = [f"'{kind}'" for kind in KINDS]
        first = f"only one of {' and '.join(quoted)} can be set"
        theirs = f"at least one of {', '.join(quoted)} must be set" if overlay else first
        report.problem(path, f"found no limit_by_*, expected one ({PREFIX}{theirs})")
        return None
    if len(found) > 1:
        report.problem(path, f"found {' and '.join(found)}, expected one of them: the gateway takes only {found[-1]}")
        return None
    return found[0]


def _warn_of_name(name: str, kind: Kind, path: Steps, report: Report) -> None:
    """Of names that no header or cookie can have."""
    sort = "header" if kind == "limit_by_per_ip" else kind.rpartition("_")[2]
    if sort == "header" and kind != "limit_by_per_ip" and name.lower() in PSEUDO:
        return
    if sort in NAMES and not NAMES[sort].fullmatch(name):
        report.warning(path, f"{shown(name)} matches no request, as no {sort} has such a name")


def _is_source(name: str, path: Steps, report: Report) -> bool:
    if name == FORWARDED:
        theirs = f"{PREFIX}limit_by_per_ip parse error: empty after '{FORWARDED}'"
    elif name != REMOTE and not name.startswith(FORWARDED):
        theirs = f"{PREFIX}the 'limit_by_per_ip' restriction must start with '{FORWARDED}' or be exactly '{REMOTE}'"
    else:
        return True
    report.problem(path, f"found {shown(name)}, expected {REMOTE} or {FORWARDED}NAME ({theirs})")
    return False


def _key(entry: object, path: Steps, report: Report, kind: Kind, overlay: bool) -> Key | None:
    if not isinstance(entry, dict):
        report.expected(path, entry, "a mapping with a key and a threshold")
        return None
    known = ("key", *UNITS)
    for name in entry:
        if name not in known:
            report.warning((*path, name), f"unknown key, which the gateway ignores{hint(known, name)}")
    key = text(entry.get("key"))
    if not key:
        found = shown(entry.get("key"))
        report.problem((*path, "key"), f"found {found}, expected a text ({PREFIX}limit_keys key is required)")
        return None
    accepted = _accepted(key, kind, (*path, "key"), report, overlay)
    limit = threshold(entry, path, report, PREFIX, key)
    return None if accepted is None or limit is None else Key(key, limit, path, accepted)


def _accepted(key: str, kind: Kind, path: Steps, report: Report, overlay: bool) -> tuple[Network, ...] | None:
    """The addresses that a key takes, none for other kinds; None where it is wrong."""
    if kind == "limit_by_per_ip":
        try:
            return addresses.networks(key)
        except ValueError:
            theirs = f"{PREFIX}failed to parse IPNet for key '{key}': invalid IP[{key}]"
            report.problem(path, f"found {shown(key)}, expected an address or a network such as 10.0.0.0/8 ({theirs})")
            return None
    if not kind.startswith("limit_by_per_"):
        _warn_of_literal(key, kind, path, report)
        return ()
    return () if key == ANY or _is_expression(key, kind, path, report, overlay) else None


def _is_expression(key: str, kind: Kind, path: Steps, report: Report, overlay: bool) -> bool:
    exact = kind.replace("per_", "")
    if not key.startswith(EXPRESSION):
        named = f'"{kind}"' if overlay else f"'{kind}'"
        theirs = f"{PREFIX}the {named} restriction must start with 'regexp:' or be exactly '*'"
        if overlay:
            theirs += f', got "{key}"; for exact values use "{exact}"'
        report.problem(path, f"found {shown(key)}, expected * or regexp:EXPRESSION, or {exact} ({theirs})")
        return False
    if wrong := expressions.problem(key.removeprefix(EXPRESSION)):
        theirs = f"{PREFIX}failed to compile regex for key '{key}': {wrong}"
        report.problem(path, f"found {shown(key)}, expected an expression of RE2 ({theirs})")
        return False
    return True


def _warn_of_literal(key: str, kind: Kind, path: Steps, report: Report) -> None:
    per = kind.replace("limit_by_", "limit_by_per_")
    if key == ANY or key.startswith(EXPRESSION):
        report.warning(path, f"{shown(key)} is an exact value here; {per} has patterns")
    elif key != key.strip(" \t") and kind in ("limit_by_header", "limit_by_cookie"):
        report.warning(path, f"{shown(key)} matches no request, as blanks around a value are no part of it")


def _warn_of_repeated(found: tuple[Item, ...], report: Report) -> None:
    first: dict[tuple[str, str], Item] = {}
    for item in found:
        name = item.name.lower() if item.kind in ("limit_by_header", "limit_by_per_header") else item.name
        other = first.setdefault((item.kind, name), item)
        if other is not item:
            place = report.document.place(other.path)
            report.warning(item.path, f"duplicate rule found: {item.kind} {shown(item.name)}, first at {place}")


def _warn_of_unreached(item: Item, report: Report) -> None:
    """Of keys whose values another one takes before them."""
    exact: dict[str, Key] = {}
    everything: Key | None = None
    taken = addresses.Taken[Key]()
    for key in item.keys:
        taker = exact.setdefault(key.text, key)
        if taker is key:
            taker = everything or taken.by(key.networks) or key
        if taker is not key:
            place = report.document.place(taker.path)
            report.warning((*key.path, "key"), f"{shown(key.text)} is never reached: {shown(taker.text)} at {place}")
        if item.per and key.text in (ANY, EXPRESSION):
            everything = everything or key
        taken.add(key.networks, key)


def _example(kind: Kind) -> str:
    return EXAMPLES.get(kind, 'key: "*"')
