"""New connections, made as the settings say, to a schema that is ready."""

import ssl
from typing import Any
from urllib.parse import urlencode

import asyncpg

from limiter.stores.postgres_schema import prepare
from limiter.stores.postgres_settings import PostgresSettings

SYSTEM = "system"
"""As `sslrootcert`: the authorities that the machine trusts."""


async def connect(settings: PostgresSettings) -> asyncpg.Connection:
    """A connection that is authenticated, and whose schema is what this version expects.

    Raises:
        StoreError: the schema is another's.
        PostgresError, InterfaceError, OSError, TimeoutError: the driver's own.
    """
    connection: asyncpg.Connection = await asyncpg.connect(**_arguments(settings))
    try:
        await prepare(connection, settings)
    except BaseException:
        connection.terminate()
        raise
    return connection


def _arguments(settings: PostgresSettings) -> dict[str, Any]:
    return {
        # The driver takes most of what concerns TLS from a URL only.
        "dsn": "postgresql://?" + urlencode(_tls(settings)),
        "host": [host for host, _ in settings.hosts] or None,
        "port": [port for _, port in settings.hosts] or None,
        "user": settings.user or None,
        "password": settings.password or None,
        "passfile": settings.passfile or None,
        "database": settings.database or None,
        "target_session_attrs": settings.attributes,
        "timeout": settings.connect_timeout,
        "command_timeout": settings.timeout,
        "server_settings": _session(settings),
    }


def _tls(settings: PostgresSettings) -> dict[str, str]:
    found = dict(settings.tls)
    if found.get("sslrootcert") == SYSTEM:
        paths = ssl.get_default_verify_paths()
        found["sslrootcert"] = paths.cafile or paths.openssl_cafile
    return found


def _session(settings: PostgresSettings) -> dict[str, str]:
    """For the server to give up when we do, and against defaults that a database or a role may have.

    PgBouncer has to be told to let these pass: `ignore_startup_parameters = statement_timeout,
    default_transaction_isolation, default_transaction_read_only`.
    """
    return {
        "application_name": "ai-limit",
        "statement_timeout": str(max(int(settings.timeout * 1000), 1)),
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        **settings.session,
    }
