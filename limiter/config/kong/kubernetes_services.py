"""Services of a cluster as Kong services: one for each port that a route leads to."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.kubernetes_objects import Object
from limiter.config.kong.shapes import mapping, mappings


class Services:
    """The services that routes lead to, each made once."""

    def __init__(self, objects: Iterable[Object], collected: Collected) -> None:
        self._objects = {(item.namespace, item.name): item for item in objects}
        self._collected = collected
        self._made: dict[tuple[str, str, str], Entry] = {}
        self._owners: list[tuple[Object, Entry]] = []

    def backend(self, namespace: str, name: str, port: object, route: Object) -> Entry:
        """The service behind a route; also one that is not among the documents, as only its name matters."""
        item = self._objects.get((namespace, name))
        number = self._port(item, port)
        key = (namespace, name, str(number))
        if key not in self._made:
            data = self._data(item, namespace, name, number)
            entry = self._collected.add("services", data, (item or route).source)
            self._made[key] = entry
            if item is not None:
                self._owners.append((item, entry))
        return self._made[key]

    def entries(self) -> Iterator[tuple[Object, Entry]]:
        """Each service with its object. One that no route leads to has an entry as well: plugins may be attached."""
        used = {(namespace, name) for namespace, name, _ in self._made}
        for (namespace, name), item in self._objects.items():
            if (namespace, name) not in used:
                self.backend(namespace, name, None, item)
        return iter(self._owners)

    def _port(self, item: Object | None, port: object) -> object:
        """The number of a port that may be given by its name; the first one where none is given."""
        ports = list(mappings(_spec(item).get("ports")))
        if isinstance(port, int):
            return port
        named = [entry.get("port") for entry in ports if port in (None, entry.get("name"))]
        return named[0] if named else 80

    def _data(self, item: Object | None, namespace: str, name: str, port: object) -> dict[str, Any]:
        spec = _spec(item)
        external = spec.get("type") == "ExternalName" and isinstance(spec.get("externalName"), str)
        protocol = item.annotation("konghq.com/protocol") if item else ""
        path = item.annotation("konghq.com/path") if item else ""
        data: dict[str, Any] = {
            "name": f"{namespace}.{name}.{port}",
            "host": spec["externalName"] if external else f"{name}.{namespace}.svc",
            "port": port,
            "protocol": protocol or "http",
            "tags": item.tags if item else [],
        }
        return {**data, "path": path} if path else data


def _spec(item: Object | None) -> Mapping[str, Any]:
    return mapping(item.data.get("spec")) if item else {}
