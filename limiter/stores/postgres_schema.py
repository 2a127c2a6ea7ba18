"""The schema of the database: created and brought up to date by whoever connects first.

`VERSION` is the schema's, kept in its table `version`. A migration that was released is never changed: what is new is
one more. Proxies that run across a migration find the function gone that they call, connect anew, and then say that
the schema is newer than they are.
"""

from importlib import resources
from zlib import crc32

import asyncpg

from limiter.stores.contract import StoreError
from limiter.stores.postgres_settings import PostgresSettings

MIGRATIONS = (("postgres_tables.sql", "postgres_step.sql"),)
"""The files of each version, from 1 on."""
VERSION = len(MIGRATIONS)
PATIENCE = 30.0
"""Seconds that a migration may take or wait for that of another."""


def spelled(sql: str, schema: str) -> str:
    """The text of a statement for a schema."""
    # Locks of two numbers: this is the first. Those of other schemas and programs have another, most likely.
    space = crc32(f"ai-limit {schema}".encode()) - 2**31
    return sql.replace("{schema}", f'"{schema}"').replace("{space}", str(space))


async def prepare(connection: asyncpg.Connection, settings: PostgresSettings) -> None:
    """Makes the schema as `VERSION` has it.

    Raises:
        StoreError: it is newer, or something else's.
        PostgresError: the driver's own, as for a role that may not.
    """
    version = await _version(connection, settings.schema)
    if version < VERSION:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {int(PATIENCE * 1000)}")
            await connection.execute(
                spelled("SELECT pg_advisory_xact_lock({space}, -1)", settings.schema), timeout=PATIENCE
            )
            # Another may have done it meanwhile.
            version = await _version(connection, settings.schema)
            for number in range(version + 1, VERSION + 1):
                await _migrate(connection, settings, number)
    if version > VERSION:
        raise StoreError(
            f"{settings}: schema {settings.schema} has version {version}, written by a newer ai-limit; "
            f"this one reads up to {VERSION}"
        )


async def _version(connection: asyncpg.Connection, schema: str) -> int:
    """0: there are no tables of ours yet."""
    if "version" not in await _relations(connection, schema):
        return 0
    return int(await connection.fetchval(spelled("SELECT version FROM {schema}.version", schema)))


async def _migrate(connection: asyncpg.Connection, settings: PostgresSettings, number: int) -> None:
    schema = settings.schema
    if number == 1:
        await _create(connection, settings)
    for name in MIGRATIONS[number - 1]:
        text = resources.files("limiter.stores").joinpath(name).read_text(encoding="utf-8")
        await connection.execute(spelled(text, schema), timeout=PATIENCE)
    await connection.execute(spelled("UPDATE {schema}.version SET version = $1", schema), number)


async def _create(connection: asyncpg.Connection, settings: PostgresSettings) -> None:
    schema = settings.schema
    # Not "IF NOT EXISTS": that asks for the right to create one even if there is nothing to create.
    if not await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema):
        await connection.execute(spelled("CREATE SCHEMA {schema}", schema))
    if await _relations(connection, schema):
        raise StoreError(f"{settings}: schema {schema} belongs to another program, expected one of ai-limit or none")
    await connection.execute(spelled("CREATE TABLE {schema}.version (version integer NOT NULL)", schema))
    await connection.execute(spelled("INSERT INTO {schema}.version VALUES (0)", schema))


async def _relations(connection: asyncpg.Connection, schema: str) -> list[str]:
    """The names of tables and the like in a schema; none if it does not exist."""
    # Not `to_regclass`: within a transaction it may answer from a cache that is older than our lock.
    query = "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1"
    return [row[0] for row in await connection.fetch(query, schema)]
