"""The native form of a configuration: what `parse` reads as an equal one."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import yaml

from limiter.config import amounts, matching, nearest
from limiter.config.configuration import Configuration
from limiter.config.laying import UTC, lay
from limiter.config.scalars import resolve
from limiter.kong.entities import Consumer
from limiter.rules import Limit, Policy, Rule
from limiter.settings import Price, Settings
from limiter.windows import Window


def dump(configuration: Configuration) -> str:
    """YAML of the policy and the settings, without what is the default.

    What the native dialect cannot say of rules of others comes first, as comments.
    """
    whole: dict[str, Any] = {}
    if settings := _settings(configuration.settings):
        whole["settings"] = settings
    whole["limits"] = list(_limits(configuration.policy))
    remarks = "".join(f"# {_line(remark)}\n" for remark in nearest.remarks(configuration.policy))
    return remarks + yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _line(text: str) -> str:
    """In one line, whatever it quotes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _limits(policy: Policy) -> list[dict[str, Any]]:
    return [_limit(limit, rule) for rule in policy.rules for limit in rule.limits if nearest.is_said(limit)]


def _limit(limit: Limit, rule: Rule) -> dict[str, Any]:
    window = limit.window
    meter, amount = nearest.amount(limit)
    entry: dict[str, Any] = {"name": limit.name, "amount": amounts.form(amount)}
    if meter:
        entry["meter"] = meter
    entry |= _laid(window)
    if conditions := nearest.conditions(rule, limit):
        entry["match"] = matching.form(conditions)
    if limit.per:
        entry["per"] = list(map(nearest.dimension, limit.per))
    if limit.reserve != "none":
        entry["reserve"] = limit.reserve
    if limit.mode != "enforce":
        entry["mode"] = limit.mode
    if limit.status is not None:
        entry["status"] = limit.status
    return entry


def _laid(window: Window) -> dict[str, str]:
    zone = {"time_zone": window.zone} if window.zone != UTC else {}
    usual = lay(window.count, window.unit, None, zone.get("time_zone"), UTC)
    # On which day it begins has no native form.
    return zone if usual == replace(window, first_day=1) else {"window": window.kind, **zone}


def _settings(settings: Settings) -> dict[str, Any]:
    plain = Settings()
    entry: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name not in _UNWRITTEN and value != getattr(plain, field.name):
            entry[field.name] = _FORMS[field.name](value) if field.name in _FORMS else value
    return entry


def _price(price: Price) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": price.model}
    if price.provider != "*":
        entry["provider"] = price.provider
    entry |= {"input": price.input, "output": price.output}
    optional = {"cached": price.cached, "cache_write": price.cache_write, "request": price.request or None}
    return entry | {name: value for name, value in optional.items() if value is not None}


def _consumer(consumer: Consumer) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": consumer.name}
    if consumer.keys:
        entry["keys"] = [key.digest for key in consumer.keys]
    if consumer.passwords:
        entry["password"] = consumer.passwords[0].digest
    if consumer.groups:
        entry["groups"] = list(consumer.groups)
    return entry


_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "store_timeout": lambda seconds: Decimal(repr(seconds)),
    "providers": lambda table: [{"host": host, "provider": provider} for host, provider in table.items()],
    "prices": lambda prices: [_price(price) for price in prices],
    "consumers": lambda consumers: [_consumer(consumer) for consumer in consumers],
    "models": dict,
    "service_addresses": dict,
    "trusted_peers": lambda networks: [matching.network_form(network) for network in networks],
}
"""How settings are written that are not just their value."""
_UNWRITTEN = ("gateway", "functions")
"""Settings that the native dialect does not have."""


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line, others indented under their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 theirs
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 theirs
        return True


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    flow = not any(isinstance(item, dict | list) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    # What our reader takes for a number is not always one for the emitter, and the emitter leaves some line ends bare
    # that no reader keeps: both are quoted here.
    style = None if isinstance(resolve(value), str) and value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.Node:
    text = f"{value.normalize():f}"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(str, _text)
_Dumper.add_representer(Decimal, _decimal)
