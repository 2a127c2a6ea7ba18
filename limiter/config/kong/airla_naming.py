"""Names of limits: what stands in logs, and in the keys of counters."""

import re
from hashlib import sha256

from limiter.config.kong.declaration import Declaration, Plugin

LONGEST = 64
"""Characters, as in the native dialect."""
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


class Naming:
    """Names for instances, each with one of its own."""

    def __init__(self) -> None:
        self._owners: dict[str, object] = {}

    def base(self, plugin: Plugin, declaration: Declaration) -> str:
        """First part of the names of its limits. Instances of one namespace share it."""
        namespace = plugin.config["namespace"]
        owner: object = ("namespace", namespace) if namespace else ("id", plugin.id)
        if namespace:
            wish = f"kong.namespace.{namespace}"
        elif plugin.instance_name:
            wish = f"kong.instance.{plugin.instance_name}"
        else:
            wish = f"kong.{_attached_to(plugin, declaration)}"
        name, number = tidy(wish), 1
        while self._owners.setdefault(name, owner) != owner:
            number += 1
            name = tidy(f"{wish}-{number}")
        return name


def tidy(text: str, longest: int = LONGEST) -> str:
    """A text as part of a limit's name. Whatever does not fit is told by a digest."""
    plain = _ODD.sub("-", text)
    if plain == text and len(plain) <= longest:
        return plain
    return f"{plain[: longest - 9]}-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _attached_to(plugin: Plugin, declaration: Declaration) -> str:
    """With the kinds: a route may be called as its service is, and no order may say whose counters are whose."""
    scope = plugin.scope
    consumer = declaration.consumers_by_id.get(scope.consumer)
    group = declaration.groups_by_id.get(scope.group)
    route = declaration.routes_by_id.get(scope.route)
    service = declaration.services_by_id.get(scope.service)
    named = {
        "consumer": (consumer and consumer.name) or scope.consumer,
        "group": (group and group.name) or scope.group,
        "route": (route and route.name) or scope.route,
        "service": (service and service.name) or scope.service,
    }
    return ".".join(f"{kind}.{name}" for kind, name in named.items() if name) or "all"
