"""Conditions of rules: which requests a configuration is for, and which values a key accepts."""

from collections.abc import Iterable

from limiter.config.explain import Report, shown
from limiter.config.higress.plugin import ANY, EXPRESSION, Item, Key
from limiter.config.higress.resource import Match
from limiter.config.higress.servers import without_registry
from limiter.config.notices import Steps
from limiter.expressions import takes_nothing
from limiter.higress.values import PRESENT, written
from limiter.rules import Condition
from limiter.settings import Settings

HOST = "higress:host"
SOMETHING = "?*"
"""The shell pattern of texts that are not empty."""
USUAL_PORTS = ("80", "443")
"""Left out of a host where the scheme implies them."""


def dimension(item: Item, *, overlay: bool) -> str:
    """What an item's counters are kept by. No client is believed who it is, whatever kind of item asks."""
    if item.sort == "consumer":
        return "consumer"
    sort = "cookie-part" if item.sort == "cookie" and not overlay else item.sort
    return f"higress-{sort}:{written(item.name)}"


def accepting(item: Item, key: Key, *, overlay: bool) -> tuple[Condition, ...]:
    """What a request must have for a key."""
    read = dimension(item, overlay=overlay)
    if item.kind == "limit_by_per_ip":
        alone = frozenset(str(network.network_address) for network in key.networks if network.num_addresses == 1)
        return (Condition(read, alone, networks=() if alone else key.networks),)
    if not item.per:
        return (Condition(read, frozenset({key.text})),)
    if key.text == ANY:
        return (_given(item, read),)
    expression = key.text.removeprefix(EXPRESSION)
    # A value that is the key itself matches it as well: the gateway looks keys up before it searches.
    matching = Condition(read, frozenset({key.text}), regexes=(expression,))
    return (matching, _given(item, read)) if takes_nothing(expression) else (matching,)


def _given(item: Item, read: str) -> Condition:
    """That there is a value. A header or parameter may be there and empty; other values then count as missing."""
    if item.sort in ("header", "param"):
        return Condition(f"higress-has:{item.sort}:{written(item.name)}", frozenset({PRESENT}))
    return Condition(read, patterns=(SOMETHING,))


def matching(match: Match, settings: Settings, path: Steps, report: Report) -> tuple[Condition, ...]:
    """What a request must be for a configuration."""
    found = []
    if match.routes or match.prefixes:
        names = ", ".join(map(shown, match.routes or match.prefixes))
        report.warning(path, f"is for requests on the ingress {names} only; a proxy without routes has none of them")
        found.append(Condition("route", frozenset(match.routes), tuple(_glob(f"{name}*") for name in match.prefixes)))
    if match.domains:
        found.append(_domains(match.domains, path, report))
    if match.services:
        found.append(_services(match.services, settings, path, report))
    return tuple(found)


def _domains(domains: Iterable[str], path: Steps, report: Report) -> Condition:
    """A star in front stands for any beginning, one at the end for any end. Elsewhere it is a letter."""
    exact, patterns = set(), []
    for domain in domains:
        if domain != domain.lower():
            report.warning(path, f"{shown(domain)} matches no request, as hosts are compared in lower case")
        if domain.startswith("*") or domain.endswith("*"):
            patterns.append(_glob(domain))
        else:
            exact.add(domain)
    return Condition(HOST, frozenset(exact), tuple(patterns))


def _glob(text: str) -> str:
    """A text with a star at one end as a shell pattern; the one in front counts where there are two."""
    first, last = ("*", "") if text.startswith("*") else ("", "*")
    inner = text[1:] if first else text[:-1]
    return first + "".join(f"[{letter}]" if letter in "*?[" else letter for letter in inner) + last


def _services(services: Iterable[str], settings: Settings, path: Steps, report: Report) -> Condition:
    exact: set[str] = set()
    patterns: list[str] = []
    for service in services:
        name, colon, port = service.partition(":")
        if colon and not port:
            report.warning(path, f"{shown(service)} matches no request, as its port is empty")
            exact.add(service)
            continue
        known = settings.service_addresses.get(service) or settings.service_addresses.get(name)
        if known:
            name, _, port = known.rpartition(":")
        elif name != (name := without_registry(name)):
            message = (
                f"only a gateway knows where {shown(service)} is; requests to the host {name} are meant, unless the"
            )
            report.warning(path, f'{message} settings say `service_addresses: {{{service}: "host:port"}}`')
        if not port or port in USUAL_PORTS:
            exact.add(name.lower())
        if port:
            exact.add(f"{name.lower()}:{port}")
        else:
            patterns.append(_glob(f"{name.lower()}:*"))
    return Condition("host", frozenset(exact), tuple(patterns))
