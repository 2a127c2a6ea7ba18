"""The declarative carrier: kong.yaml and decK's files, as YAML or JSON.

https://developer.konghq.com/gateway/db-less-mode/, https://developer.konghq.com/deck/
"""

from collections.abc import Mapping
from typing import Any

from limiter.config.documents import Document
from limiter.config.explain import shown
from limiter.config.kong.declaration import Source
from limiter.config.kong.entity_schemas import COMMON
from limiter.config.kong.entries import KINDS, Collected, Entry
from limiter.config.kong.shapes import items as listed
from limiter.config.kong.shapes import mapping

FORMAT = "_format_version"
VERSIONS = ("1.1", "2.1", "3.0")
POLICIES = "ai_rate_limiting_policies"
"""Policies that plugins name by id."""
META = ("_transform", "_comment", "_ignore", "_info", "_workspace", "_konnect", "_plugin_configs", FORMAT, POLICIES)
"""Keys of what is read where entities name it, or not at all."""

NESTED: Mapping[str, Mapping[str, str]] = {
    "services": {"routes": "service", "plugins": "service"},
    "routes": {"plugins": "route"},
    "consumers": {
        "plugins": "consumer",
        "keyauth_credentials": "consumer",
        "basicauth_credentials": "consumer",
        "groups": "consumer",
    },
    "consumer_groups": {"plugins": "consumer_group", "consumers": "consumer_group"},
    "plugins": {},
    "keyauth_credentials": {},
    "basicauth_credentials": {},
    "partials": {},
    "vaults": {},
}
"""Collections that entities of a collection hold, and the foreign key by which the inner ones belong to the outer."""
MEMBERSHIPS = {"groups": "consumer_group", "consumers": "consumer"}
"""Inner collections that only name members: where they stand, and what they name."""
FLAT = ("consumer_group_consumers", "consumer_group_plugins", "plugins_partials")
"""Collections of Kong's own export, which nests nothing."""
IDLE = (
    "upstreams",
    "targets",
    "certificates",
    "ca_certificates",
    "snis",
    "keys",
    "key_sets",
    "licenses",
    "acls",
    "hmacauth_credentials",
    "jwt_secrets",
    "oauth2_credentials",
    "oauth2_tokens",
    "mtls_auth_credentials",
    "rbac_roles",
    "rbac_endpoint_permissions",
    "service_packages",
    "custom_entities",
    "degraphql_routes",
    "graphql_ratelimiting_cost_decorations",
    "filter_chains",
    "workspaces",
    "parameters",
)
"""Collections that have no effect here."""


def recognises(data: object) -> bool:
    """Whether a document is a declarative configuration, right or wrong."""
    return isinstance(data, dict) and FORMAT in data


def collect(document: Document, collected: Collected) -> None:
    """Adds the document's entities."""
    data: Mapping[str, Any] = document.data
    root = Source(document, ())
    _check_version(data.get(FORMAT), root, collected)
    reader = _Reader(
        collected,
        shared=mapping(data.get("_plugin_configs")),
        defaults=mapping(mapping(data.get("_info")).get("defaults")),
        policies=_policies(data.get(POLICIES), root.inside(POLICIES), collected),
    )
    for key, items in data.items():
        if key in NESTED:
            reader.items(key, items, root.inside(key), {})
        elif key in FLAT:
            reader.flat(key, items, root.inside(key))
        elif key in IDLE:
            _idle(items, root.inside(key), collected)
        elif key not in META:
            collected.problems.append(root.notice(f"schema violation ({key}: unknown field)", key))


def _check_version(version: object, root: Source, collected: Collected) -> None:
    if not isinstance(version, str):
        wrong = "required field missing" if version is None else "expected a string"
    elif version not in VERSIONS:
        wrong = f"expected one of: {', '.join(VERSIONS)}"
    else:
        return
    collected.problems.append(root.notice(f"schema violation ({FORMAT}: {wrong})", FORMAT))


def _policies(items: object, source: Source, collected: Collected) -> dict[str, Mapping[str, Any]]:
    """The policies that plugins may name, by their ids."""
    if not isinstance(items, list | None):
        collected.problems.append(source.notice(f"schema violation ({POLICIES}: expected an array)"))
    found: dict[str, Mapping[str, Any]] = {}
    for index, item in enumerate(listed(items)):
        name = mapping(item).get("id")
        if isinstance(name, str):
            found[name] = item
        else:
            collected.problems.append(source.notice("found no id, expected one that plugins can name", index))
    return found


def _idle(items: object, source: Source, collected: Collected) -> None:
    if items:
        collected.warnings.append(source.notice("has no effect here"))


class _Reader:
    """Walks through collections and what they hold."""

    def __init__(
        self,
        collected: Collected,
        shared: Mapping[str, Any],
        defaults: Mapping[str, Any],
        policies: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._collected = collected
        self._shared = shared
        self._defaults = defaults
        self._policies = policies

    def items(self, kind: str, items: object, source: Source, parents: Mapping[str, Entry]) -> None:
        if items is None:
            return
        if not isinstance(items, list):
            self._problem(source, kind, "expected an array")
            return
        for index, item in enumerate(items):
            at = source.inside(index)
            if isinstance(item, dict):
                self._item(kind, item, at, parents)
            else:
                self._problem(at, kind, "expected a record")

    def _item(self, kind: str, item: Mapping[str, Any], source: Source, parents: Mapping[str, Entry]) -> None:
        nested = NESTED[kind]
        inner = {key: value for key, value in item.items() if key in nested}
        idle = [key for key in item if key in IDLE and kind == "consumers"]
        own = {key: value for key, value in item.items() if key not in inner and key not in idle}
        own = {**mapping(self._defaults.get(KINDS[kind])), **own}
        if kind == "plugins" and "_config" in own:
            own = self._with_shared(own, source)
        if kind == "plugins":
            own = self._with_policies(own)
        entry = self._collected.add(kind, own, source, **parents)
        for key in idle:
            _idle(item[key], source.inside(key), self._collected)
        for key, value in inner.items():
            if key in MEMBERSHIPS and kind in ("consumers", "consumer_groups"):
                self._members(key, value, source.inside(key), {nested[key]: entry})
            else:
                self.items(key, value, source.inside(key), {nested[key]: entry})

    def _with_shared(self, plugin: Mapping[str, Any], source: Source) -> dict[str, Any]:
        """A decK plugin whose configuration, or a part of it, is one that several share."""
        own = dict(plugin)
        name = own.pop("_config")
        shared = self._shared.get(name) if isinstance(name, str) else None
        if not isinstance(shared, dict):
            self._collected.problems.append(
                source.notice(f"found {shown(name)}, expected the name of an entry of _plugin_configs", "_config")
            )
            return own
        config = own.get("config")
        return {**own, "config": {**shared, **config} if isinstance(config, dict) else shared}

    def _with_policies(self, plugin: Mapping[str, Any]) -> dict[str, Any]:
        """A plugin with the policies that it names by id; what it says of them itself comes first."""
        config = mapping(plugin.get("config"))
        if not self._policies or not isinstance(config.get("policies"), list):
            return dict(plugin)
        return {**plugin, "config": {**config, "policies": list(map(self._policy, config["policies"]))}}

    def _policy(self, policy: Any) -> Any:
        name = mapping(policy).get("id")
        stored = self._policies.get(name) if isinstance(name, str) else None
        if stored is None:
            return policy
        own = {key: value for key, value in policy.items() if key != "id" and value is not None}
        return {**{key: value for key, value in stored.items() if key not in (*COMMON, "name")}, **own}

    def _members(self, key: str, items: object, source: Source, parents: Mapping[str, Entry]) -> None:
        """`groups: [{name}]` of a consumer, or `consumers: [{username}]` of a group."""
        for index, item in enumerate(listed(items)):
            reference = item if isinstance(item, dict) else {"name": item}
            self._collected.add("memberships", {MEMBERSHIPS[key]: reference}, source.inside(index), **parents)

    def flat(self, key: str, items: object, source: Source) -> None:
        for index, item in enumerate(listed(items)):
            at = source.inside(index)
            if not isinstance(item, dict):
                self._problem(at, key, "expected a record")
            elif key == "consumer_group_consumers":
                members = {name: item[name] for name in ("consumer", "consumer_group") if name in item}
                self._collected.add("memberships", members, at)
            elif key == "consumer_group_plugins":
                self._collected.add("plugins", self._with_policies(item), at)
            else:
                self._collected.warnings.append(at.notice("has no effect here: name the partial in the plugin itself"))

    def _problem(self, source: Source, name: str, text: str) -> None:
        self._collected.problems.append(source.notice(f"schema violation ({name}: {text})"))
