"""Stores by URL, as the configuration names them."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from limiter.redis_settings import RedisSettings
from limiter.stores import postgres_urls, redis_urls
from limiter.stores.contract import Clock, Store, StoreError, wall_clock
from limiter.stores.memory import MemoryStore
from limiter.stores.sqlite import SqliteStore

log = logging.getLogger(__name__)


def open_store(url: str | RedisSettings, *, clock: Clock = wall_clock) -> Store:
    """The store that a URL names, or settings of a Redis.

    Args:
        clock: milliseconds since the epoch; for stores without a clock of their own.

    Raises:
        ValueError: the URL names no store.
        StoreError: the store cannot be opened.
    """
    if isinstance(url, RedisSettings):
        return _open_redis(url)
    scheme, colon, rest = url.partition(":")
    opener = SCHEMES.get(scheme.lower()) if colon else None
    if opener:
        return opener(rest, clock)
    # Only the scheme is shown, as the rest may hold a password.
    found = f"the scheme {scheme!r}" if colon and scheme.isalnum() else "none"
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


def _redis(scheme: str, rest: str, _clock: Clock) -> Store:
    try:
        return _open_redis(redis_urls.parse_url(f"{scheme}:{rest}"))
    except (ValueError, StoreError) as problem:
        raise ValueError(f"store: {problem}") from None


def _open_redis(settings: RedisSettings) -> Store:
    # Imported here, as the driver takes a third of a second to load.
    from limiter.stores.redis_store import RedisStore  # noqa: PLC0415

    for remark in settings.remarks:
        log.warning("store: %s", remark)
    return RedisStore(settings)


def _postgres(scheme: str, rest: str, _clock: Clock) -> Store:
    try:
        settings = postgres_urls.parse_url(f"{scheme}:{rest}")
    except ValueError as problem:
        raise ValueError(f"store: {problem}") from None
    try:
        # Imported here, as the driver is an extra.
        from limiter.stores.postgres import PostgresStore  # noqa: PLC0415
    except ModuleNotFoundError as problem:
        hint = "expected it to be installed: pip install 'ai-limit[postgres]'"
        raise ValueError(f"store: {scheme} found no driver ({problem.name}), {hint}") from problem
    return PostgresStore(settings)


SCHEMES: Mapping[str, Callable[[str, Clock], Store]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    **{scheme: partial(_redis, scheme) for scheme in redis_urls.SCHEMES},
    **{scheme: partial(_postgres, scheme) for scheme in postgres_urls.SCHEMES},
}
"""What opens the rest of a URL after `scheme:`."""
EXPECTED = "memory:, sqlite:////folder/file, redis://host:port or postgresql://host:port/database"
