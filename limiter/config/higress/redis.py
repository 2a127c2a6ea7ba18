"""`redis` of a plugin's configuration."""

from typing import Any

from limiter.config.explain import Report, hint, shown
from limiter.config.higress.coercion import is_whole, number, text
from limiter.config.higress.plugin import Redis
from limiter.config.notices import Steps

FIELDS = ("service_name", "service_port", "username", "password", "timeout", "database")
STATIC = ".static"
"""Ends the names of services with fixed addresses, whose port is 80 unless said otherwise."""
MOST = {"service_port": 65_535, "timeout": 300_000, "database": 1_000_000}
"""No client waits longer than five minutes, which are milliseconds here."""


def redis(config: dict[str, Any], around: Steps, report: Report) -> Redis | None:
    """The server that holds the counters; None where something is wrong, which the report says."""
    path = (*around, "redis")
    if "redis" not in config:
        report.problem(around, "found no redis, expected the server that holds the counters (missing redis in config)")
        return None
    entry = config["redis"]
    if entry is not None and not isinstance(entry, dict):
        report.expected(path, entry, "a mapping")
        return None
    fields: dict[str, Any] = entry or {}
    for name in fields:
        if name not in FIELDS:
            report.warning((*path, name), f"unknown key, which the gateway ignores{hint(FIELDS, name)}")
    service = text(fields.get("service_name"))
    if not service:
        found = shown(fields.get("service_name"))
        report.problem(
            (*path, "service_name"),
            f"found {found}, expected the name of a service (redis service name must not be empty)",
        )
    port = _number(fields, "service_port", path, report)
    timeout = _number(fields, "timeout", path, report)
    database = _number(fields, "database", path, report)
    username, password = text(fields.get("username")), text(fields.get("password"))
    if username and not password:
        report.warning((*path, "username"), "is not sent, since there is no password")
        username = ""
    if not service or port is None or timeout is None or database is None:
        return None
    return Redis(
        service_name=service,
        port=port or (80 if service.endswith(STATIC) else 6379),
        path=path,
        username=username,
        password=password,
        timeout=timeout or 1000,
        database=database,
    )


def _number(fields: dict[str, Any], name: str, around: Steps, report: Report) -> int | None:
    """0 where nothing is written; None for what is wrong."""
    value, most = fields.get(name), MOST[name]
    found = number(value)
    if value is not None and (not 0 <= found <= most or (found == 0 and not _is_zero(value))):
        report.expected((*around, name), value, f"a whole number up to {most:,}")
        return None
    if found and not is_whole(value):
        report.warning((*around, name), f"found {shown(value)}, which the gateway takes for {found}")
    return found


def _is_zero(value: object) -> bool:
    return value in (0, "0", "") and not isinstance(value, bool)
