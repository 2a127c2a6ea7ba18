"""What annotations of a cluster's objects say of routes, and which of them have no effect here.

https://developer.konghq.com/kubernetes-ingress-controller/reference/annotations/
"""

from typing import Any

from limiter.config.kong.entries import Collected
from limiter.config.kong.kubernetes_objects import Object

PREFIX = "konghq.com/"
PLUGINS = f"{PREFIX}plugins"
HEADERS = f"{PREFIX}headers."
"""The name of a header follows."""
READ = (
    "plugins",
    "tags",
    "strip-path",
    "preserve-host",
    "methods",
    "protocols",
    "regex-priority",
    "regex-prefix",
    "path-handling",
    "host-aliases",
    "headers-separator",
    "protocol",
    "path",
)
QUIET = (
    "https-redirect-status-code",
    "request-buffering",
    "response-buffering",
    "connect-timeout",
    "read-timeout",
    "write-timeout",
    "retries",
    "client-cert",
    "ca-certificates-secrets",
    "ca-certificates-configmaps",
    "tls-verify",
    "tls-verify-depth",
    "upstream-policy",
)
"""Of no effect on what is limited."""


def of_routes(item: Object) -> dict[str, Any]:
    """What annotations say of all routes of an object, but for hosts."""
    read = item.annotation
    found: dict[str, Any] = {
        "strip_path": read("konghq.com/strip-path") == "true",
        "preserve_host": read("konghq.com/preserve-host") != "false",
    }
    if methods := item.listed("konghq.com/methods"):
        found["methods"] = [method.upper() for method in methods]
    if protocols := item.listed("konghq.com/protocols"):
        found["protocols"] = protocols
    if priority := read("konghq.com/regex-priority"):
        found["regex_priority"] = int(priority) if priority.isascii() and priority.isdigit() else priority
    if handling := read("konghq.com/path-handling"):
        found["path_handling"] = handling
    separator = read("konghq.com/headers-separator") or ","
    names = [name for name in item.annotations if name.startswith(HEADERS)]
    if headers := {name.removeprefix(HEADERS): item.listed(name, separator) for name in names}:
        found["headers"] = headers
    return found


def warn(item: Object, collected: Collected) -> None:
    """Tells of Kong's annotations that have no effect here."""
    for name in item.annotations:
        short = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and not name.startswith(HEADERS) and short not in (*READ, *QUIET):
            collected.warnings.append(item.source.notice("has no effect here", "metadata", "annotations", name))
