"""`PostgresStore` as the contract's tests need it: with a clock that they set, and a schema of its own."""

from dataclasses import replace
from itertools import count
from pathlib import Path

from limiter.stores.contract import Clock
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_settings import PostgresSettings
from limiter.stores.postgres_urls import parse_url
from tests.servers import shared

_numbers = count()
server = shared.postgresql
"""Tests that stop or reconfigure a server start their own."""


def settings(**more: object) -> PostgresSettings:
    """Of a schema that nobody has used yet. The machine may be busy, so there is patience."""
    fresh = {"schema": f"test_{next(_numbers)}", "timeout": 10.0, "connect_timeout": 10.0}
    return replace(parse_url(server().local()), **(fresh | more))


class OwnStore(PostgresStore):
    """Alone in its schema."""

    def __init__(self, clock: Clock) -> None:
        self.schema = settings().schema
        super().__init__(settings(schema=self.schema), clock=clock)


def rows(schema: str, table: str = "counters") -> int:
    return int(server().run(f"SELECT count(*) FROM {schema}.{table}"))


def size(store: OwnStore, _folder: Path) -> int:
    return rows(store.schema)
