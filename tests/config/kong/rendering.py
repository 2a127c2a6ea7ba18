"""A declaration as text: short, without what is the default, so that golden files can be read."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

import yaml

from limiter.config.kong.declaration import Declaration, Plugin
from limiter.config.kong.plugin_schemas import PLUGINS
from limiter.config.kong.schema import Field, Fields, Listed, Table
from limiter.kong.entities import Consumer, Scope

SECRET = ("password", "secret", "access_key", "json")


def render(declaration: Declaration) -> str:
    """YAML of everything that is declared."""
    names = {each.id: each.name for each in (*declaration.services, *declaration.routes, *declaration.groups)}
    names |= {each.id: each.name for each in declaration.consumers}
    whole: dict[str, Any] = {
        "services": [_entity(service) for service in declaration.services],
        "routes": [_entity(route) | _named("service", route.service, names) for route in declaration.routes],
        "consumer groups": [_entity(group) for group in declaration.groups],
        "consumers": [_consumer(consumer) for consumer in declaration.consumers],
        "plugins": [_plugin(plugin, names) for plugin in declaration.plugins],
        "authentication": [
            _entity(method) | _scope(method.scope, names) for method in declaration.gateway.authentication
        ],
    }
    shown = {name: value for name, value in whole.items() if value}
    return yaml.dump(shown, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110) if shown else "nothing\n"


def _entity(entity: Any) -> dict[str, Any]:
    """The fields that are not the default; ids only where they are no UUID of version 5, which are derived."""
    found = {field.name: getattr(entity, field.name) for field in fields(entity) if field.name != "scope"}
    defaults = {field.name: field.default for field in fields(entity)}
    shown = {name: _plain(value) for name, value in found.items() if value != defaults[name] and name != "service"}
    if str(shown.get("id", ""))[14:15] == "5":
        del shown["id"]
    return shown or {type(entity).__name__: "defaults"}


def _consumer(consumer: Consumer) -> dict[str, Any]:
    shown = _entity(consumer)
    for kind in ("keys", "passwords"):
        credentials = getattr(consumer, kind)
        if credentials:
            shown[kind] = [credential.username or f"sha256 {credential.digest[:8]}" for credential in credentials]
    return shown


def _plugin(plugin: Plugin, names: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": plugin.name}
    if plugin.instance_name:
        shown["instance_name"] = plugin.instance_name
    shown |= _scope(plugin.scope, names)
    if plugin.tags:
        shown["tags"] = list(plugin.tags)
    schema = PLUGINS[plugin.name].schema
    return {**shown, "config": _pruned(schema, plugin.config) or "defaults"}


def _scope(scope: Scope, names: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("service", "route", "consumer", "group"):
        found |= _named(key, getattr(scope, key), names)
    return found


def _named(key: str, identity: str, names: Mapping[str, str]) -> dict[str, Any]:
    return {key: names.get(identity) or identity} if identity else {}


def _pruned(schema: Field | None, value: Any, name: str = "") -> Any:
    """A configuration without defaults and secrets."""
    if isinstance(value, Mapping):
        inner = {key: (_field(schema, key), item) for key, item in value.items()}
        pruned = {key: _pruned(field, item, key) for key, (field, item) in inner.items() if not _usual(field, item)}
        return {key: item for key, item in pruned.items() if item not in (None, {})}
    if isinstance(value, tuple):
        return [_pruned(schema.of if isinstance(schema, Listed) else None, item, name) for item in value]
    if value and isinstance(value, str) and any(word in name for word in SECRET):
        return f"({len(value)} letters)"
    return value


def _field(schema: Field | None, key: str) -> Field | None:
    if isinstance(schema, Fields):
        return schema.fields.get(key)
    return schema.of if isinstance(schema, Table) else None


def _usual(schema: Field | None, value: Any) -> bool:
    default = schema.default if schema else None
    return value is None or value == (tuple(default) if isinstance(default, list) else default)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:f}")


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    flow = not any(isinstance(item, dict | list) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(Decimal, _decimal)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(str, _text)
