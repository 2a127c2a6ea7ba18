"""The schema of Kong's plugin response-ratelimiting (kong/plugins/response-ratelimiting/schema.lua)."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from limiter.config.kong.redis import COMMUNITY
from limiter.config.kong.schema import Fields, Flag, Number, Table, Text, Wrong

PERIODS = ("second", "minute", "hour", "day", "month", "year")
"""From the shortest to the longest."""
SHORTHANDS = (
    "redis_host",
    "redis_port",
    "redis_username",
    "redis_password",
    "redis_database",
    "redis_timeout",
    "redis_ssl",
    "redis_ssl_verify",
    "redis_server_name",
)
"""Deprecated names of the fields of `redis`."""


def _periods(limits: Mapping[str, Any]) -> Iterator[Wrong]:
    if not any(limits[period] is not None for period in PERIODS):
        names = ", ".join(f"'{period}'" for period in PERIODS)
        yield Wrong((), f"at least one of these fields must be non-empty: {names}", entity=True)


def _whole(config: Mapping[str, Any]) -> Iterator[Wrong]:
    for name, limits in (config["limits"] or {}).items():
        yield from _ordered(name, limits or {})
    if config["policy"] == "redis" and config["redis"] and config["redis"]["host"] is None:
        yield Wrong(("redis", "host"), "required field missing")


def _ordered(name: str, limits: Mapping[str, Any]) -> Iterator[Wrong]:
    """The first two periods of which the longer one has less."""
    for short, long in combinations([period for period in PERIODS if limits.get(period) is not None], 2):
        if limits[long] < limits[short]:
            text = (
                f"the limit for {long}({float(limits[long]):.1f}) cannot be lower than "
                f"the limit for {short}({float(limits[short]):.1f})"
            )
            yield Wrong(("limits", name, long), text, told=("limits",))
            return


SCHEMA = Fields(
    filled=True,
    check=_whole,
    fields={
        "header_name": Text(default="x-kong-limit"),
        "limit_by": Text(default="consumer", one_of=("consumer", "credential", "ip")),
        "policy": Text(default="local", one_of=("local", "cluster", "redis")),
        "fault_tolerant": Flag(default=True),
        "block_on_first_violation": Flag(default=False),
        "hide_client_headers": Flag(default=False),
        "limits": Table(
            required=True,
            shortest=1,
            of=Fields(check=_periods, fields={period: Number(above=0) for period in PERIODS}),
        ),
        "redis": COMMUNITY,
    },
)


def shorthands(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each deprecated name that is used, and a contradiction of it with its successor or the empty text."""
    redis = config.get("redis")
    for old in SHORTHANDS:
        if config.get(old) is not None:
            new = old.removeprefix("redis_")
            other = redis.get(new) if isinstance(redis, dict) else None
            differs = other is not None and other != config[old]
            shown = "" if not differs else _mismatch(old, config[old], new, other)
            yield old, shown


def _mismatch(old: str, old_value: object, new: str, value: object) -> str:
    # Kong tells the values; a secret is better not told.
    values = ("", "") if new == "password" else (f" = {old_value}", f" = {value}")
    return (
        f"both deprecated and new field are used but their values mismatch: {old}{values[0]} vs redis.{new}{values[1]}"
    )


def renewed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration as documents hold it, with the deprecated names moved into `redis`."""
    moved = {old.removeprefix("redis_"): config[old] for old in SHORTHANDS if config.get(old) is not None}
    rest = {name: value for name, value in config.items() if name not in SHORTHANDS}
    redis = rest.get("redis")
    if not moved or not isinstance(redis, dict | None):
        return rest
    return {**rest, "redis": {**moved, **{name: value for name, value in (redis or {}).items() if value is not None}}}
