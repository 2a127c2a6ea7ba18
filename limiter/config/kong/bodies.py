"""The carrier of single objects: bodies of the Admin API and of Konnect's, and policies of AI Gateway 2.

A plugin stands alone, or in the list that the API answers. What it is attached to is known by name or id only: another
document has to declare it, and until then an id is met by no request. Without a scope the plugin is global.
https://developer.konghq.com/api/gateway/admin-ee/, https://developer.konghq.com/ai-gateway/policies/
"""

from collections.abc import Mapping
from typing import Any

from limiter.config.documents import Document
from limiter.config.kong.declaration import Source
from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.plugin_schemas import PLUGINS
from limiter.config.notices import Steps

POLICY = ("type", "config")
POLICY_FIELDS = ("display_name", "displayName", "labels", "managed_by", "global", "ref", "namespace")
"""Of a policy alone."""
STATES = {"Enabled": True, "Disabled": False}
LISTS = ("data", "policies", "ai_gateway_policies")
"""What an API answers, and what kongctl reads."""


def recognises(data: object) -> bool:
    """Whether a document is one plugin, one policy or a list of such, right or wrong."""
    return bool(_objects(data))


def _objects(data: object) -> list[tuple[Steps, Mapping[str, Any]]]:
    if not isinstance(data, dict):
        return []
    if _is_plugin(data) or _is_policy(data):
        return [((), data)]
    for key in LISTS:
        items = data.get(key)
        if isinstance(items, list) and items and all(_is_plugin(item) or _is_policy(item) for item in items):
            return [((key, index), item) for index, item in enumerate(items)]
    return []


def _is_plugin(data: object) -> bool:
    return (
        isinstance(data, dict) and isinstance(data.get("name"), str) and ("config" in data or data["name"] in PLUGINS)
    )


def _is_policy(data: object) -> bool:
    return isinstance(data, dict) and isinstance(data.get("type"), str) and "config" in data


def collect(document: Document, collected: Collected) -> None:
    """Adds the document's plugins."""
    for path, item in _objects(document.data):
        add(item, Source(document, path), collected)


def add(item: Mapping[str, Any], source: Source, collected: Collected) -> None:
    """Adds a plugin, or a policy as the plugin that it is."""
    if not _is_policy(item):
        collected.entries.append(Entry("plugins", item, source, loose=True))
        return
    plugin = {key: value for key, value in item.items() if key not in (*POLICY_FIELDS, "type", "name")}
    plugin["name"] = item["type"]
    if isinstance(item.get("name"), str):
        plugin["instance_name"] = item["name"]
    plugin["enabled"] = STATES.get(str(item.get("enabled")), item.get("enabled"))
    config = item["config"]
    if isinstance(config, dict) and config.get("type") == "secretRef":
        collected.problems.append(
            source.notice("lies in a Secret of the cluster, which is not read here: write it as config.value", "config")
        )
        return
    inline = isinstance(config, dict) and config.get("type") == "inline" and "value" in config
    if inline:
        plugin["config"] = config["value"]
    scoped = any(item.get(key) for key in ("service", "route", "consumer", "consumer_group"))
    if not scoped and STATES.get(str(item.get("global")), item.get("global")) is False:
        collected.warnings.append(
            source.notice(
                "is not global and attached to nothing in this file, so it is taken for a global one", "global"
            )
        )
    collected.entries.append(Entry("plugins", plugin, source, loose=True))
