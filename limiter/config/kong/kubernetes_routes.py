"""Ingress, HTTPRoute and GRPCRoute objects as Kong routes.

Unlike elsewhere in Kong, paths are kept unless an annotation strips them, and so are hosts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.kubernetes_annotations import of_routes
from limiter.config.kong.kubernetes_objects import Object
from limiter.config.kong.kubernetes_services import Services
from limiter.config.kong.shapes import items, mapping, mappings

REGEX_MARK = "/~"
"""How an Ingress marks a path as a regular expression, unless an annotation says otherwise."""


def routes(item: Object, services: Services, collected: Collected) -> Iterator[tuple[Entry, tuple[str, ...]]]:
    """The routes of an object, each with the names of plugins that it names itself."""
    made = _ingress(item, services) if item.kind == "Ingress" else _gateway_route(item, services)
    annotated = of_routes(item)
    aliases = item.listed("konghq.com/host-aliases")
    for number, (data, service, plugins) in enumerate(made):
        whole = {**annotated, **data, "name": f"{item.namespace}.{item.name}.{number}", "tags": item.tags}
        if aliases:
            whole["hosts"] = list(dict.fromkeys([*items(data.get("hosts")), *aliases]))
        if "headers" in annotated:
            whole["headers"] = {**mapping(data.get("headers")), **annotated["headers"]}
        yield collected.add("routes", whole, item.source, **({"service": service} if service else {})), plugins


type _Made = tuple[dict[str, Any], Entry | None, tuple[str, ...]]


def _ingress(item: Object, services: Services) -> Iterator[_Made]:
    spec = mapping(item.data.get("spec"))
    mark = item.annotation("konghq.com/regex-prefix") or REGEX_MARK
    for rule in mappings(spec.get("rules")):
        hosts = {"hosts": [rule["host"]]} if rule.get("host") else {}
        for entry in mappings(mapping(rule.get("http")).get("paths")):
            service = _ingress_backend(entry.get("backend"), item, services)
            paths = list(_ingress_paths(str(entry.get("path") or "/"), entry.get("pathType"), mark))
            yield {**hosts, "paths": paths}, service, ()
    if spec.get("defaultBackend"):
        yield {"paths": ["/"]}, _ingress_backend(spec["defaultBackend"], item, services), ()


def _ingress_paths(path: str, kind: object, mark: str) -> Iterator[str]:
    if path.startswith(mark):
        yield f"~{path[len(mark) :]}"
    elif kind == "Exact":
        yield f"~{re.escape(path)}$"
    elif kind == "Prefix":
        yield from _whole_segments(path)
    else:
        yield path


def _whole_segments(path: str) -> Iterator[str]:
    """A prefix that ends where a segment does: `/a` covers `/a/b` and not `/ab`."""
    bare = path.rstrip("/")
    if bare:
        yield f"~{re.escape(bare)}$"
    yield f"{bare}/"


def _ingress_backend(backend: object, item: Object, services: Services) -> Entry | None:
    service = mapping(mapping(backend).get("service"))
    name = service.get("name")
    port = mapping(service.get("port"))
    if not isinstance(name, str):
        return None
    return services.backend(item.namespace, name, port.get("number") or port.get("name"), item)


def _gateway_route(item: Object, services: Services) -> Iterator[_Made]:
    spec = mapping(item.data.get("spec"))
    hosts = {"hosts": spec["hostnames"]} if spec.get("hostnames") else {}
    for rule in mappings(spec.get("rules")):
        plugins = tuple(_extensions(rule))
        backends = list(mappings(rule.get("backendRefs")))
        service = None
        if backends and isinstance(backends[0].get("name"), str):
            # Of several that share the load, all serve the same: the first stands for them.
            first = backends[0]
            namespace = str(first.get("namespace") or item.namespace)
            service = services.backend(namespace, first["name"], first.get("port"), item)
        for match in list(mappings(rule.get("matches"))) or [{}]:
            yield {**hosts, **_matched(match, grpc=item.kind == "GRPCRoute")}, service, plugins


def _extensions(rule: Mapping[str, Any]) -> Iterator[str]:
    for entry in mappings(rule.get("filters")):
        reference = mapping(entry.get("extensionRef"))
        if entry.get("type") == "ExtensionRef" and reference.get("kind") in ("KongPlugin", "KongClusterPlugin"):
            yield str(reference.get("name"))


def _matched(match: Mapping[str, Any], *, grpc: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"paths": ["/"]}
    if grpc:
        method = mapping(match.get("method"))
        service, name = str(method.get("service") or ""), str(method.get("method") or "")
        found = {"protocols": ["grpc", "grpcs"], "paths": ["/"]}
        if service:
            found["paths"] = [f"~/{re.escape(service)}/{re.escape(name)}$" if name else f"/{service}/"]
    elif path := mapping(match.get("path")):
        found["paths"] = list(_gateway_paths(str(path.get("value") or "/"), path.get("type")))
    if isinstance(match.get("method"), str):
        found["methods"] = [match["method"]]
    headers = {
        str(header.get("name")): [
            ("~*" if header.get("type") == "RegularExpression" else "") + str(header.get("value"))
        ]
        for header in mappings(match.get("headers"))
    }
    return {**found, "headers": headers} if headers else found


def _gateway_paths(path: str, kind: object) -> Iterator[str]:
    if kind == "RegularExpression":
        yield f"~{path}"
    elif kind == "Exact":
        yield f"~{re.escape(path)}$"
    else:
        yield from _whole_segments(path)
