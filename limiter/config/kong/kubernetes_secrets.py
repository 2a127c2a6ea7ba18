"""What Secrets of a cluster hold, and the configurations of plugins that lie in them.

https://developer.konghq.com/kubernetes-ingress-controller/reference/secrets-in-plugins/
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from limiter.config.documents import read
from limiter.config.kong.kubernetes_objects import Object
from limiter.config.kong.shapes import items, mapping
from limiter.config.notices import ConfigError, Notice, Steps

FROM = "configFrom"
PATCHES = "configPatches"


class Secrets:
    """The Secrets among the documents."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._objects = {(item.namespace, item.name): item for item in objects}

    def find(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def text(self, namespace: str, name: str, key: str) -> str | None:
        """The text under a key; None where there is no such Secret or key."""
        item = self.find(namespace, name)
        return clear(item).get(key) if item else None


def clear(secret: Object) -> dict[str, Any]:
    """A Secret's values; those that are no base64 text are left out, and so missed."""
    found: dict[str, Any] = {}
    for name, value in mapping(secret.data.get("data")).items():
        try:
            found[name] = b64decode(value, validate=True).decode()
        except (ValueError, TypeError):
            continue
    return {**found, **mapping(secret.data.get("stringData"))}


class _UnreadableError(Exception):
    """Why a value cannot be had, never with a part of it."""


def configuration(item: Object, secrets: Secrets) -> tuple[Any, list[Notice]]:
    """The configuration of a plugin with all its parts, and what is wrong with those in Secrets."""
    config = deepcopy(item.data.get("config"))
    path: Steps = (FROM,)
    try:
        if FROM in item.data:
            config = _whole(item, config, secrets)
        for index, patch in enumerate(items(item.data.get(PATCHES))):
            path = (PATCHES, index)
            config = {} if config is None else config
            _patch(config, str(mapping(patch).get("path")), _value(item, mapping(patch).get("valueFrom"), secrets))
    except _UnreadableError as error:
        return config, [item.source.notice(str(error), *path)]
    return config, []


def _whole(item: Object, config: object, secrets: Secrets) -> dict[str, Any]:
    if config is not None:
        raise _UnreadableError("found config as well, expected one of them")
    found = _value(item, item.data[FROM], secrets)
    if not isinstance(found, dict):
        raise _UnreadableError("names a value that is no mapping, expected a plugin's configuration")
    return found


def _value(item: Object, place: object, secrets: Secrets) -> Any:
    reference = mapping(mapping(place).get("secretKeyRef"))
    name, key = str(reference.get("name")), str(reference.get("key"))
    # A plugin of the whole cluster says where its Secret is, one of a namespace has it beside itself.
    namespace = item.namespace if item.kind == "KongPlugin" else str(reference.get("namespace") or item.namespace)
    text = secrets.text(namespace, name, key)
    if not isinstance(text, str):
        raise _UnreadableError(
            f"found the key {key!r} of the Secret {name!r}, expected both in the namespace {namespace} among the "
            "documents"
        )
    try:
        (document,) = read(text, "")
    except (ConfigError, ValueError):
        # Without its cause, which may quote the text.
        raise _UnreadableError(f"the key {key!r} of the Secret {name!r} holds no YAML or JSON value") from None
    return document.data


def _patch(config: Any, pointer: str, value: Any) -> None:
    """Puts a value where a JSON pointer leads to, as the operation `add` of a JSON patch."""
    *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]] or [""]
    at = config
    for step in steps:
        at = _inside(at, step, pointer)
    if isinstance(at, dict) and last:
        at[last] = value
    elif isinstance(at, list) and (last == "-" or (last.isascii() and last.isdigit() and int(last) <= len(at))):
        at.insert(len(at) if last == "-" else int(last), value)
    else:
        raise _UnreadableError(f"found the path {pointer!r}, expected one such as /redis/password into the config")


def _inside(holder: Any, step: str, pointer: str) -> Any:
    if isinstance(holder, Mapping) and step in holder:
        return holder[step]
    if isinstance(holder, list) and step.isascii() and step.isdigit() and int(step) < len(holder):
        return holder[int(step)]
    raise _UnreadableError(f"found the path {pointer!r}, expected one whose parts but the last are in the config")
