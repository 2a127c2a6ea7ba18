"""What the query of a Redis URL may set: names of Kong's record where there are any, and their types."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from limiter.cloud_identity import CLOUDS
from limiter.redis_settings import Role

Values = dict[str, Any]
"""What a query sets, by its names; or settings, by theirs. Each parser gives the type that its setting has."""


def _seconds(text: str) -> float:
    return int(text) / 1000


def _flag(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def _role(text: str) -> Role:
    roles: dict[str, Role] = {"master": "master", "slave": "slave", "any": "any"}
    return roles[text]


def _cloud(text: str) -> str:
    return {cloud: cloud for cloud in CLOUDS}[text]


class Parameter(NamedTuple):
    """What a query may set."""

    parse: Callable[[str], object]
    expected: str


TEXT = Parameter(str, "text")
FLAG = Parameter(_flag, "true or false")
COUNT = Parameter(int, "a whole number")
SPAN = Parameter(_seconds, "whole milliseconds")
PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "username": TEXT,
        "password": TEXT,
        "db": COUNT,
        "connect_timeout": SPAN,
        "send_timeout": SPAN,
        "read_timeout": SPAN,
        "keepalive_pool_size": COUNT,
        "keepalive_backlog": COUNT,
        "connection_is_proxied": FLAG,
        "ssl_verify": FLAG,
        "server_name": TEXT,
        "ssl_ca_certs": TEXT,
        "ssl_certfile": TEXT,
        "ssl_keyfile": TEXT,
        "ssl_password": TEXT,
        "sentinel_role": Parameter(_role, "master, slave or any"),
        "sentinel_username": TEXT,
        "sentinel_password": TEXT,
        "cluster_max_redirections": COUNT,
        "auth_provider": Parameter(_cloud, ", ".join(CLOUDS)),
        "aws_cache_name": TEXT,
        "aws_region": TEXT,
        "aws_is_serverless": FLAG,
        "aws_assume_role_arn": TEXT,
        "aws_role_session_name": TEXT,
        "azure_client_id": TEXT,
        "azure_tenant_id": TEXT,
    }
)
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "aws_access_key_id": "AWS_ACCESS_KEY_ID in the environment, or where else AWS libraries look",
        "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY in the environment, or where else AWS libraries look",
        "azure_client_secret": "AZURE_CLIENT_SECRET in the environment",
        "gcp_service_account_json": "a file that GOOGLE_APPLICATION_CREDENTIALS in the environment names",
    }
)
"""What is not for a URL, and where it is expected."""
TLS_ONLY = frozenset({"ssl_verify", "server_name", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password"})
SENTINEL_ONLY = frozenset({"sentinel_role", "sentinel_username", "sentinel_password"})
CLUSTER_ONLY = frozenset({"cluster_max_redirections"})


def read_query(query: str, scheme: str, kind: str) -> Values:
    """The values that a query sets, for a URL of `scheme+kind:`.

    Raises:
        ValueError: a name or a value is wrong. The text shows no value.
    """
    values: Values = {}
    foreign = _foreign(scheme, kind)
    for name, text in parse_qsl(query, keep_blank_values=True):
        parameter = PARAMETERS.get(name)
        if name in ELSEWHERE:
            raise ValueError(f"redis: {name} is not for a URL, expected {ELSEWHERE[name]}")
        if parameter is None:
            raise ValueError(f"redis: unknown parameter {name[:40]!r}, expected {', '.join(PARAMETERS)}")
        if name in foreign:
            raise ValueError(f"redis: {name} has no effect with this scheme")
        if name in values:
            raise ValueError(f"redis: {name} is set twice")
        try:
            values[name] = parameter.parse(text)
        except (ValueError, KeyError):
            raise ValueError(f"redis: {name}: expected {parameter.expected}") from None
    return values


def _foreign(scheme: str, kind: str) -> frozenset[str]:
    """Names that have no effect with a scheme, and so are taken for mistakes."""
    foreign = frozenset[str]()
    if scheme != "rediss":
        foreign |= TLS_ONLY
    if kind != "sentinel":
        foreign |= SENTINEL_ONLY
    if kind != "cluster":
        foreign |= CLUSTER_ONLY
    return foreign
