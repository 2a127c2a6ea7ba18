"""Services and routes, from how they are written."""

import re
from urllib.parse import SplitResult, urlsplit

from limiter.config.kong.declaration import Record
from limiter.config.kong.entity_schemas import ROUTE, SERVICE
from limiter.config.kong.entries import Entry
from limiter.config.kong.reading import Reader, texts
from limiter.config.kong.references import References
from limiter.config.kong.schema import Violation
from limiter.config.notices import Steps, field_name
from limiter.kong.entities import HTTP, Route, Service
from limiter.kong.patterns import compiled

PORTS = {"https": 443, "grpcs": 443, "wss": 443, "tls": 443}
"""Of protocols whose usual port is not 80."""


def build_services(reader: Reader, references: References) -> tuple[Service, ...]:
    found = []
    for entry in reader.collected.of("services"):
        service = _service(entry, reader, references)
        if service:
            found.append(service)
        else:
            references.fail(entry)
    return tuple(found)


def _service(entry: Entry, reader: Reader, references: References) -> Service | None:
    record = reader.read(entry, SERVICE)
    if record is None:
        return None
    url = _url(record["url"])
    if record["url"] is not None and url is None:
        reader.report(entry, [Violation(("url",), "url", "missing host in url")])
        return None
    protocol = record["protocol"] or (url.scheme if url else HTTP[0])
    host = record["host"] or ((url.hostname or "") if url else "")
    if not host:
        reader.report(entry, [Violation(("host",), "host", "required field missing")])
        return None
    port = record["port"] if record["port"] is not None else (url.port if url else None)
    name = record["name"] or ""
    service = Service(
        id=references.identify(entry, record["id"], name),
        name=name,
        protocol=protocol,
        host=host,
        port=port if port is not None else PORTS.get(protocol, 80) if url else 80,
        path=record["path"] or (url.path if url else "") or "",
        enabled=record["enabled"],
        tags=texts(record["tags"]),
    )
    references.add(entry, service.id, service.name)
    return service


def _url(text: str | None) -> SplitResult | None:
    """The shorthand of protocol, host, port and path; None when it is none."""
    try:
        url = urlsplit(text or "")
        _ = url.port  # Raises where it is none.
    except ValueError:
        return None
    return url if url.hostname else None


def build_routes(reader: Reader, references: References) -> tuple[Route, ...]:
    found = [_route(entry, reader, references) for entry in reader.collected.of("routes")]
    return tuple(route for route in found if route)


def _route(entry: Entry, reader: Reader, references: References) -> Route | None:
    record = reader.read(entry, ROUTE)
    named = references.resolve(entry)
    if record is None:
        references.fail(entry)
        return None
    name = record["name"] or ""
    identity = references.identify(entry, record["id"], name)
    # What names the route is not wrong because its service is.
    references.add(entry, identity, name)
    violations = [*_bad_patterns(record), *_expression(record)]
    reader.report(entry, violations)
    if violations or named is None:
        return None
    return Route(
        id=identity,
        name=name,
        service=named.get("service", ""),
        hosts=tuple(host.lower() for host in texts(record["hosts"])),
        paths=texts(record["paths"]),
        methods=texts(record["methods"]),
        headers=tuple(
            sorted(
                (header.lower().replace("_", "-"), tuple(value.lower() for value in values))
                for header, values in (record["headers"] or {}).items()
            )
        ),
        protocols=texts(record["protocols"]),
        strip_path=record["strip_path"],
        preserve_host=record["preserve_host"],
        regex_priority=record["regex_priority"],
        path_handling=record["path_handling"],
        tags=texts(record["tags"]),
    )


def _expression(record: Record) -> list[Violation]:
    if record["expression"] is None:
        return []
    text = "routes by expressions are not read here, only by hosts, paths, methods and headers"
    return [Violation(("expression",), "expression", text)]


def _bad_patterns(record: Record) -> list[Violation]:
    """Regular expressions that are none."""
    patterns: list[tuple[Steps, str]] = [
        (("paths", index), path[1:]) for index, path in enumerate(texts(record["paths"])) if path.startswith("~")
    ]
    patterns += [
        (("headers", header, index), value[2:])
        for header, values in (record["headers"] or {}).items()
        for index, value in enumerate(texts(values))
        if value.startswith("~*")
    ]
    return [
        Violation(path, field_name(path), f"invalid regex: '{pattern}' ({wrong})")
        for path, pattern in patterns
        if (wrong := _wrong(pattern))
    ]


def _wrong(pattern: str) -> str:
    try:
        compiled(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""
