"""Creating the schema, meeting one that is there, and roles that may do little."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from limiter.counters import Charge
from limiter.stores import postgres_schema
from limiter.stores.contract import StoreError
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_settings import PostgresSettings
from limiter.stores.postgres_urls import parse_url
from tests.servers.postgres import USER
from tests.stores.postgres_backends import rows, server, settings

pytestmark = pytest.mark.xdist_group("postgresql")
CHARGE = Charge("key", 10**6, 1, 1, 0, 2**50)


@asynccontextmanager
async def opened(found: PostgresSettings) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(found)
    try:
        yield store
    finally:
        await store.close()


async def test_eight_at_once_create_one_schema() -> None:
    """And a ninth that comes later finds it."""
    found = settings()
    stores = [PostgresStore(found) for _ in range(8)]
    answers = await asyncio.gather(*(store.acquire(str(number), [CHARGE]) for number, store in enumerate(stores)))
    assert sorted(answer.readings[0].current for answer in answers) == [*range(8)]
    await asyncio.gather(*(store.close() for store in stores))
    async with opened(found) as store:
        assert (await store.acquire("ninth", [CHARGE])).readings[0].current == 8
    assert rows(found.schema, "version") == 1


async def test_schemas_are_independent() -> None:
    async with opened(settings()) as one, opened(settings()) as other:
        await one.acquire("a", [CHARGE])
        assert (await other.acquire("a", [CHARGE])).readings[0].current == 0


async def test_a_role_without_any_right_but_to_its_schema() -> None:
    """It need not be allowed to create schemas."""
    found = settings(user="poor")
    server().run(
        "CREATE ROLE poor LOGIN", f"CREATE SCHEMA {found.schema} AUTHORIZATION poor", "SELECT 1", database=USER
    )
    async with opened(found) as store:
        assert (await store.acquire("a", [CHARGE])).admitted
    async with opened(replace(found, schema="ai_limit")) as store:
        with pytest.raises(StoreError, match="permission denied for database team"):
            await store.acquire("a", [CHARGE])


async def test_a_schema_of_another_role_is_refused() -> None:
    found = settings(user="stranger")
    server().run("CREATE ROLE stranger LOGIN", f"CREATE SCHEMA {found.schema}", "SELECT 1")
    async with opened(found) as store:
        with pytest.raises(StoreError, match=f"permission denied for schema {found.schema}"):
            await store.acquire("a", [CHARGE])


async def test_a_newer_version_is_refused() -> None:
    found = settings()
    async with opened(found) as store:
        await store.acquire("a", [CHARGE])
    server().run(f"UPDATE {found.schema}.version SET version = 7 RETURNING version")
    async with opened(found) as store:
        with pytest.raises(StoreError, match=f"schema {found.schema} has version 7, written by a newer ai-limit"):
            await store.acquire("b", [CHARGE])


async def test_a_schema_of_another_program_is_left_alone() -> None:
    found = settings()
    server().run(
        f"CREATE SCHEMA {found.schema} AUTHORIZATION {USER}", f"CREATE TABLE {found.schema}.notes ()", "SELECT 1"
    )
    async with opened(found) as store:
        with pytest.raises(StoreError, match=f"schema {found.schema} belongs to another program"):
            await store.acquire("a", [CHARGE])
    assert rows("pg_catalog", f"pg_class WHERE relnamespace = '{found.schema}'::regnamespace") == 1


async def test_a_migration_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings()
    monkeypatch.setattr(postgres_schema, "MIGRATIONS", (("postgres_step.sql", "postgres_step.sql"),))
    async with opened(found) as store:
        with pytest.raises(StoreError, match="already exists"):
            await store.acquire("a", [CHARGE])
        monkeypatch.undo()
        assert rows("pg_catalog", f"pg_namespace WHERE nspname = '{found.schema}'") == 0
        assert (await store.acquire("a", [CHARGE])).admitted


async def test_a_later_version_is_reached_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that still run as before find out, with their next connection."""
    found = settings()
    async with opened(found) as old:
        await old.acquire("a", [CHARGE])
        later = ("postgres_tables.sql", "postgres_step.sql")
        monkeypatch.setattr(postgres_schema, "MIGRATIONS", (later, ()))
        monkeypatch.setattr(postgres_schema, "VERSION", 2)
        async with opened(found) as new:
            assert (await new.acquire("b", [CHARGE])).readings[0].current == 1
        monkeypatch.undo()
        server().run(f"DROP FUNCTION {found.schema}.step", "SELECT 1")
        with pytest.raises(StoreError, match="has version 2, written by a newer ai-limit"):
            await old.acquire("c", [CHARGE])


async def test_a_schema_that_is_dropped_is_made_anew() -> None:
    found = settings()
    async with opened(found) as store:
        await store.acquire("a", [CHARGE])
        server().run(f"DROP SCHEMA {found.schema} CASCADE", "SELECT 1")
        assert (await store.acquire("b", [CHARGE])).readings[0].current == 0


async def test_the_isolation_that_a_role_defaults_to_does_not_matter() -> None:
    found = settings()
    server().run(f"ALTER ROLE {USER} SET default_transaction_isolation = 'serializable'", "SELECT 1")
    server().run(f"ALTER ROLE {USER} SET default_transaction_read_only = on", "SELECT 1")
    try:
        async with opened(found) as one, opened(found) as other:
            stores = [one, other] * 20
            answers = await asyncio.gather(
                *(store.acquire(str(number), [CHARGE]) for number, store in enumerate(stores))
            )
        assert sorted(answer.readings[0].current for answer in answers) == [*range(40)]
    finally:
        server().run(f"ALTER ROLE {USER} RESET ALL", "SELECT 1")


async def test_other_isolation_is_refused() -> None:
    """As of a pooler that hands out sessions in which someone has changed it."""
    found = settings(session={"default_transaction_isolation": "repeatable read"})
    async with opened(found) as store:
        with pytest.raises(StoreError, match="found the isolation level repeatable read, expected read committed"):
            await store.acquire("a", [CHARGE])


async def test_a_url_names_the_schema() -> None:
    schema = settings().schema
    async with opened(parse_url(server().local(query=f"schema={schema}&timeout=10"))) as store:
        await store.acquire("a", [CHARGE])
    assert rows(schema) == 1
