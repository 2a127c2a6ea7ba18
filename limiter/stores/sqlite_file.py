"""The SQLite file: where it lies, what tables it has, how its values are spelled.

counters    a row for each counter, as `counters.Counter`
exchanges   a row for each id: the answer to its acquire, its hold while that stands, whether it was settled

Instants are milliseconds since the Unix epoch.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from limiter.stores.contract import StoreError

VERSION = 1
"""Of the tables, kept in `user_version`. Raise it with any change, and teach `_prepare` to convert."""
APPLICATION = 0x41494C4D
"""Marks the file as ours in `application_id`: "AILM"."""
OPENING = 5.0
"""Seconds that opening waits for other processes."""
CHECKED = 16 << 20
"""Bytes up to which a file is checked for damage when it is opened; that takes about 2 ms for each megabyte."""

# `due` of a held exchange is the end of its lease, of others the time to forget them. Keys and ids have no declared
# type, so that text that no UTF-8 can spell is kept as bytes.
TABLES = f"""
CREATE TABLE counters (key PRIMARY KEY NOT NULL, value INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX counters_by_end ON counters (expires_at);
CREATE TABLE exchanges (
    id PRIMARY KEY NOT NULL, held INTEGER NOT NULL, due INTEGER NOT NULL, settled INTEGER NOT NULL,
    answer TEXT, releases TEXT
) WITHOUT ROWID;
CREATE INDEX exchanges_by_due ON exchanges (held, due);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""


def spelled(text: str) -> str | bytes:
    """A key or id as the file has it. Bytes and text never compare equal in SQLite, so no two keys meet."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
    return text


def read(spelling: str | bytes) -> str:
    """The reverse of `spelled`."""
    return spelling if isinstance(spelling, str) else spelling.decode(errors="surrogatepass")


def open_file(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction by itself. Creates what is missing, for the owner only.

    Raises:
        StoreError: the file cannot be written, is damaged, is something else's, or is of a later version.
    """
    try:
        _create(path)
        connection = sqlite3.connect(path, timeout=OPENING, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as problem:
        raise StoreError(f"{path}: cannot be opened: {problem}") from problem
    try:
        _prepare(connection, path)
    except sqlite3.Error as problem:
        connection.close()
        raise StoreError(f"{path}: not a usable SQLite file: {problem}") from problem
    except StoreError:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    for folder in reversed(path.parents):
        # Another process may create it just now.
        with suppress(FileExistsError):
            if not folder.exists():
                folder.mkdir(0o700)
    # SQLite would make it readable for everybody; its side files inherit the mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Calls touch few rows on many pages, so small pages make a shorter log.
    connection.execute("PRAGMA page_size = 2048")
    # The store's writer does it, where nobody waits for it.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path}: the file system does not support SQLite's write-ahead log, found mode {mode}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 8388608")
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION:
        raise StoreError(f"{path}: belongs to another program, expected a file of ai-limit or none")
    if version > VERSION:
        raise StoreError(f"{path}: has version {version}, written by a newer ai-limit; this one reads up to {VERSION}")
    if not tables:
        for statement in TABLES.split(";"):
            connection.execute(statement)
    connection.execute("COMMIT")
    if path.stat().st_size <= CHECKED:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(f"{path}: is damaged: {verdict}")
    # From here on `SqliteWork` does the waiting.
    connection.execute("PRAGMA busy_timeout = 0")
