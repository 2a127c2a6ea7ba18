"""Instances of Kong's response-ratelimiting as rules: quotas that the upstream counts.

Keys, values and lives of counters in Redis are Kong's own (kong/plugins/response-ratelimiting/policies/init.lua), so
that quotas are shared with a running Kong. Three things differ on purpose:

- A month's counter lives 31 days and a year's 366, where Kong's month loses what was counted on its first day before
  its last one is over.
- In Redis, an increment that is no whole number counts for nothing, as in Kong, whose INCRBY refuses it. Elsewhere a
  millionth of a unit counts, while Kong keeps doubles.
- `policy: cluster` counts in the store of this program instead of Kong's database.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from limiter.config.adapter import Adapted, Named
from limiter.config.kong.airla_naming import tidy
from limiter.config.kong.declaration import Declaration, Plugin
from limiter.config.kong.precedence import Instance, instances
from limiter.config.kong.redis import redis_settings
from limiter.config.notices import Notice
from limiter.kong.quota_voice import Quota, QuotaVoice
from limiter.ledgers import Ledger
from limiter.meters import UNIT
from limiter.plans import PREFIX
from limiter.rules import KeyLayout, Limit, Rule
from limiter.units import FINE, KONG_HEADER, MOST
from limiter.windows import Unit, Window

NAME = "response-ratelimiting"
DAY = 86_400_000
LIVES: Mapping[Unit, int] = {
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": DAY,
    "month": 31 * DAY,
    "year": 366 * DAY,
}
"""Periods and the milliseconds that their counters live."""
NOBODY = "00000000-0000-0000-0000-000000000000"
"""Stands in keys for a route or service that the plugin is not attached to."""
IDENTIFIERS: Mapping[str, str] = {
    "consumer": "consumer_id|credential_id|ip",
    "credential": "credential_id|ip",
    "ip": "ip",
}
"""`limit_by` as a dimension."""


def rules(declaration: Declaration) -> Adapted:
    """The rules of all instances; one applies to a request, as Kong's precedence has it."""
    found: list[Rule] = []
    names: list[Named] = []
    warnings: list[Notice] = []
    problems: list[Notice] = []
    labels: dict[str, int] = {}
    for instance in instances(declaration, NAME):
        plugin, conditions, choice, _ = instance
        number = labels[plugin.label] = labels.get(plugin.label, 0) + 1
        label = plugin.label if number == 1 else f"{plugin.label}-{number}"
        try:
            ledger = _ledger(plugin)
        except ValueError as problem:
            problems.append(plugin.source.notice(str(problem), "config", "redis"))
            continue
        counted = tuple(_counted(label, plugin))
        found += [Rule((), conditions, (choice,)), _rule(instance, counted, ledger)]
        for item in counted:
            path = ("config", "limits", item.name, item.period)
            if item.amount is not None:
                notice = plugin.source.notice("", *path)
                names.append(Named(item.limit.name, notice.place, notice.field))
                if item.limit.scale == 1 and item.amount.denominator != 1:
                    text = "is no whole number, and counters in Redis hold whole numbers, as Kong's do"
                    warnings.append(plugin.source.notice(text, *path))
    return Adapted(rules=tuple(found), names=tuple(names), warnings=tuple(warnings), problems=tuple(problems))


class _Counted(NamedTuple):
    """One period of one name. All are counted, so that a period that is configured later knows what was used."""

    name: str
    period: Unit
    amount: Fraction | None
    """None: it is not configured."""
    limit: Limit


def _rule(instance: Instance, counted: tuple[_Counted, ...], ledger: Ledger) -> Rule:
    plugin, conditions, choice, when = instance
    config = plugin.config
    quotas = tuple(
        Quota(item.limit.name, item.limit.meter.removeprefix(UNIT), item.name, item.period, item.amount)
        for item in counted
        if item.amount is not None
    )
    voice = QuotaVoice(
        config["header_name"].lower(), quotas, hides=config["hide_client_headers"], whole=config["policy"] == "redis"
    )
    return Rule(tuple(item.limit for item in counted), conditions, (choice,), voice, ledger, when)


def _counted(label: str, plugin: Plugin) -> Iterator[_Counted]:
    config = plugin.config
    for name, periods in config["limits"].items():
        amounts: dict[Unit, Fraction] = {
            period: Fraction(periods[period]) for period in LIVES if periods[period] is not None
        }
        scale = _scale(config["policy"], amounts)
        for period, lives in LIVES.items():
            amount = amounts.get(period)
            exact = None if amount is None else amount * scale
            limit = Limit(
                name=tidy(f"{label}.{name}.{period}"),
                meter=f"{UNIT}{KONG_HEADER}{config['header_name'].lower()}:{name}",
                # A remainder of less than one part is as good as a whole one, while counters move by whole parts.
                amount=0 if exact is None else min(ceil(exact), MOST),
                window=_window(period),
                per=(IDENTIFIERS[config["limit_by"]],),
                scale=scale,
                key=KeyLayout(_head(plugin, scale), (":", f":{name}:{period}"), lives=lives),
                checked=False,
                closes_at_zero=config["block_on_first_violation"] and exact is not None and exact.denominator == 1,
            )
            yield _Counted(name, period, amount, limit)


def _scale(policy: str, amounts: Mapping[Unit, Fraction]) -> int:
    """Fractions count where nobody else's counters are met, and there is room for them."""
    return FINE if policy != "redis" and max(amounts.values()) * FINE < MOST else 1


def _head(plugin: Plugin, scale: int) -> str:
    head = f"response-ratelimit:{plugin.scope.route or NOBODY}:{plugin.scope.service or NOBODY}:"
    # In the store of this program keys keep together, and a counter never changes what its parts are worth.
    return f"{PREFIX}:{scale}:{head}" if plugin.config["policy"] == "cluster" else head


def _window(period: Unit) -> Window:
    return Window("fixed" if period in ("second", "minute", "hour") else "calendar", 1, period)


def _ledger(plugin: Plugin) -> Ledger:
    """Raises: ValueError: the Redis record contradicts itself."""
    config = plugin.config
    match config["policy"]:
        case "local":
            return Ledger(store="memory:")
        case "cluster":
            return Ledger(on_error="allow" if config["fault_tolerant"] else "deny")
        case _:
            settings = redis_settings(config["redis"])
            return Ledger(
                store=settings,
                on_error="allow" if config["fault_tolerant"] else "deny",
                timeout=settings.timeouts.read,
            )
