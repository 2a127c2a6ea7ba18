"""Kong's Redis records: their schemas, and how they become settings of ours.

https://developer.konghq.com/plugins/ai-rate-limiting-advanced/reference/ (`redis-ee`),
https://developer.konghq.com/plugins/response-ratelimiting/reference/ (`redis-ce`).
`ssl_verify` is on unless it is turned off, as Kong has it since 3.14.
"""

from collections.abc import Mapping
from typing import Any

from limiter.cloud_identity import cloud_identity
from limiter.config.kong.declaration import Record
from limiter.config.kong.schema import LARGEST, Anything, Field, Fields, Flag, Listed, Number, Text
from limiter.redis_settings import Address, Cluster, Credentials, RedisSettings, Sentinel, Timeouts, Tls

HOST = "127.0.0.1"
PORT = 6379
MOST_CONNECTIONS = 16
"""To one server: each carries any number of calls at once, so that a larger pool would stand idle."""

_secret = Text(referenceable=True, shortest=0)
_port = Number(default=PORT, whole=True, between=(0, 65535), referenceable=True)
_timeout = Number(default=2000, whole=True, between=(0, LARGEST))

CLOUD = Fields(
    fields={
        "auth_provider": Text(one_of=("aws", "azure", "gcp"), referenceable=True),
        "aws_cache_name": Text(referenceable=True),
        "aws_region": Text(referenceable=True),
        "aws_is_serverless": Flag(default=True),
        "aws_access_key_id": _secret,
        "aws_secret_access_key": _secret,
        "aws_assume_role_arn": _secret,
        "aws_role_session_name": _secret,
        "azure_client_id": _secret,
        "azure_client_secret": _secret,
        "azure_tenant_id": _secret,
        "gcp_service_account_json": _secret,
    }
)

_shared: Mapping[str, Field] = {
    "port": _port,
    "username": Text(referenceable=True, shortest=0),
    "password": _secret,
    "database": Number(default=0, whole=True),
    "ssl": Flag(default=False),
    "ssl_verify": Flag(default=True),
    "server_name": Text(referenceable=True),
    "cloud_authentication": CLOUD,
}

ENTERPRISE = Fields(
    filled=True,
    fields={
        "host": Text(default=HOST, referenceable=True),
        **_shared,
        "connect_timeout": _timeout,
        "send_timeout": _timeout,
        "read_timeout": _timeout,
        "sentinel_username": Text(referenceable=True, shortest=0),
        "sentinel_password": _secret,
        "keepalive_pool_size": Number(default=256, whole=True, between=(1, LARGEST)),
        "keepalive_backlog": Number(whole=True, between=(0, LARGEST)),
        "sentinel_master": Text(),
        "sentinel_role": Text(one_of=("master", "slave", "any")),
        "sentinel_nodes": Listed(shortest=1, of=Fields(fields={"host": Text(default=HOST), "port": _port})),
        "cluster_nodes": Listed(shortest=1, of=Fields(fields={"ip": Text(default=HOST), "port": _port})),
        "cluster_max_redirections": Number(default=5, whole=True),
        "connection_is_proxied": Flag(default=False),
        # Written by Kong's exports, and of no meaning here.
        "redis_proxy_type": Anything(),
    },
)
"""`redis-ee`: of ai-rate-limiting-advanced."""

COMMUNITY = Fields(
    filled=True,
    fields={"host": Text(referenceable=True), **_shared, "timeout": _timeout},
)
"""`redis-ce`: of response-ratelimiting."""


def modern(record: Mapping[str, Any]) -> dict[str, Any]:
    """A `redis-ee` record with the names that replaced those of Kong 3.7: one timeout, addresses as texts."""
    fields = dict(record)
    timeout = fields.pop("timeout", None)
    if timeout is not None:
        for name in ("connect_timeout", "send_timeout", "read_timeout"):
            fields.setdefault(name, timeout)
    for old, new, host in (
        ("sentinel_addresses", "sentinel_nodes", "host"),
        ("cluster_addresses", "cluster_nodes", "ip"),
    ):
        addresses = fields.pop(old, None)
        if isinstance(addresses, list) and all(isinstance(address, str) for address in addresses):
            fields.setdefault(new, [_node(address, host) for address in addresses])
        elif addresses is not None:
            fields[old] = addresses
    return fields


def _node(address: str, host: str) -> dict[str, Any]:
    name, _, port = address.rpartition(":")
    return {host: name, "port": int(port)} if name and port.isascii() and port.isdigit() else {host: address}


def redis_settings(record: Record) -> RedisSettings:
    """The settings of a validated record, of either kind. Milliseconds become seconds.

    Raises:
        ValueError: its parts contradict one another.
    """
    get = record.get
    sentinel = get("sentinel_master") and Sentinel(
        master=record["sentinel_master"],
        nodes=tuple(Address(node["host"], node["port"]) for node in get("sentinel_nodes") or ()),
        role=get("sentinel_role") or "master",
        credentials=Credentials(get("sentinel_username") or "", get("sentinel_password") or ""),
    )
    cluster = get("cluster_nodes") and Cluster(
        tuple(Address(node["ip"], node["port"]) for node in record["cluster_nodes"]), record["cluster_max_redirections"]
    )
    return RedisSettings(
        address=Address(get("host") or HOST, record["port"]),
        credentials=Credentials(get("username") or "", get("password") or ""),
        database=record["database"],
        tls=Tls(verify=record["ssl_verify"], server_name=get("server_name") or "") if record["ssl"] else None,
        sentinel=sentinel or None,
        cluster=cluster or None,
        timeouts=_timeouts(record),
        pool_size=min(get("keepalive_pool_size") or MOST_CONNECTIONS, MOST_CONNECTIONS),
        backlog=get("keepalive_backlog"),
        proxied=bool(get("connection_is_proxied")),
        identity=cloud_identity(get("cloud_authentication") or {}),
    )


def _timeouts(record: Record) -> Timeouts:
    single = record.get("timeout")
    names = ("connect_timeout", "send_timeout", "read_timeout")
    milliseconds = [single if single is not None else record[name] for name in names]
    # Kong has none for 0, and a call that may take no time cannot be made.
    return Timeouts(*(max(wait, 1) / 1000 for wait in milliseconds))
