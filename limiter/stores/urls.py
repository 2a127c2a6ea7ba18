"""Stores by URL, as the configuration names them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from limiter.stores.contract import Clock, Store, wall_clock
from limiter.stores.memory import MemoryStore
from limiter.stores.sqlite import SqliteStore


def open_store(url: str, *, clock: Clock = wall_clock) -> Store:
    """The store that a URL names.

    Args:
        clock: milliseconds since the epoch; for stores without a clock of their own.

    Raises:
        ValueError: the URL names no store.
        StoreError: the store cannot be opened.
    """
    scheme, colon, rest = url.partition(":")
    opener = SCHEMES.get(scheme.lower()) if colon else None
    if opener:
        return opener(rest, clock)
    # Only the scheme is shown, as the rest may hold a password.
    found = f"the scheme {scheme!r}" if colon and scheme.isalnum() else "none"
    if colon and scheme.lower() in PLANNED:
        raise ValueError(f"store: {scheme.lower()} is not supported in this version, expected {EXPECTED}")
    raise ValueError(f"store: found {found}, expected {EXPECTED}")


def _memory(rest: str, clock: Clock) -> Store:
    if rest not in ("", "//"):
        raise ValueError(f"store: found memory:{rest}, expected memory: alone")
    return MemoryStore(clock)


def _sqlite(rest: str, clock: Clock) -> Store:
    name = rest.removeprefix("///")
    if name == rest or not name or name.endswith("/") or name == ":memory:" or not name.isprintable() or "?" in name:
        raise ValueError(f"store: found {f'sqlite:{rest}'!r}, expected sqlite:////folder/file or sqlite:///~/file")
    try:
        path = Path(name).expanduser()
    except RuntimeError as problem:
        raise ValueError(f"store: found sqlite:{rest}, whose home folder is unknown") from problem
    # Made absolute now, as the working folder may change before a reload.
    return SqliteStore(path.absolute(), clock)


SCHEMES: Mapping[str, Callable[[str, Clock], Store]] = {"memory": _memory, "sqlite": _sqlite}
"""What opens the rest of a URL after `scheme:`."""
PLANNED = frozenset({"postgres", "postgresql", "redis", "rediss", "redis+cluster", "redis+sentinel"})
"""Known names of stores that do not exist yet."""
EXPECTED = "memory: or sqlite:////folder/file"
