"""A look into an SQLite store's file from outside."""

import sqlite3
from contextlib import closing
from pathlib import Path


def rows(path: Path, table: str) -> int:
    """The number of a table's rows."""
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)
