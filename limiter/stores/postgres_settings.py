"""How to reach a PostgreSQL and where in it the counters lie: one frozen value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
SCHEMA = "ai_limit"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
"""Schemas that need no care in SQL but quotes. Longer names would be cut by the server."""
POOL_MOST = 64


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Everything about a connection. Its representation shows no secret.

    What is empty is looked for as any client of PostgreSQL does: PGHOST, PGUSER, PGPASSWORD, ~/.pgpass, ….

    Raises:
        ValueError: a part cannot be used.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    """Names or addresses, or folders of unix sockets, each with its port. Of several, the first that is up and has the
    `attributes` is used."""
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    schema: str = SCHEMA
    """Created if it does not exist. Stores with the same one share their counters."""
    tls: Mapping[str, str] = field(default=NOTHING, repr=False)
    """What libpq calls `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `sslpassword`, `sslcrl`, …"""
    passfile: str = ""
    attributes: str = "read-write"
    """libpq's `target_session_attrs`. Counters are written, so a server that only reads is passed over."""
    connect_timeout: float = 2.0
    """Seconds until a new connection is authenticated."""
    timeout: float = 2.0
    """Seconds for one round trip; both sides give up then."""
    pool_size: int = 2
    """Connections that exist at most. Each carries any number of calls at once, so few are needed."""
    session: Mapping[str, str] = NOTHING
    """Parameters of the server for our sessions, as `synchronous_commit`."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.schema) or self.schema.lower().startswith("pg_"):
            raise ValueError(
                "postgresql: schema: expected up to 63 letters, digits and underscores, no digit first and not pg_…"
            )
        if not 1 <= self.pool_size <= POOL_MOST:
            raise ValueError(f"postgresql: found a pool of {self.pool_size}, expected 1 to {POOL_MOST}")
        if min(self.connect_timeout, self.timeout) <= 0:
            raise ValueError("postgresql: timeouts are greater than 0")

    def __str__(self) -> str:
        """For logs and errors: where, without any secret."""
        names = ", ".join(host if host.startswith("/") else f"{host}:{port}" for host, port in self.hosts)
        return f"postgresql at {names or 'its default place'}"
