"""A plugin's configuration, as its document says it: parsed, checked, and still without settings."""

from dataclasses import dataclass
from typing import Literal

from limiter.config.notices import Steps
from limiter.settings import Network
from limiter.windows import Unit

Kind = Literal[
    "limit_by_header",
    "limit_by_param",
    "limit_by_cookie",
    "limit_by_per_header",
    "limit_by_per_param",
    "limit_by_per_cookie",
    "limit_by_consumer",
    "limit_by_per_consumer",
    "limit_by_per_ip",
]
CONSUMERS: tuple[Kind, ...] = ("limit_by_consumer", "limit_by_per_consumer")
CONSUMER_HEADER = "x-mse-consumer"
"""In which the gateway's own authentication names the consumer."""
STATUS = 429
MESSAGE = "Too many requests"
ANY = "*"
EXPRESSION = "regexp:"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Tokens for each stretch of time."""

    amount: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Key:
    """One of `limit_keys`."""

    text: str
    """As written: a value, `*`, `regexp:…`, an address or a network."""
    threshold: Threshold
    path: Steps
    networks: tuple[Network, ...] = ()
    """What addresses it takes."""


@dataclass(frozen=True, slots=True)
class Item:
    """One of `rule_items`."""

    kind: Kind
    name: str
    """Of the header, parameter or cookie; for addresses where they are read from."""
    keys: tuple[Key, ...]
    path: Steps

    @property
    def per(self) -> bool:
        """Keys are `*` or expressions."""
        return self.kind.startswith("limit_by_per_") and self.kind != "limit_by_per_ip"

    @property
    def sort(self) -> str:
        """What is read: `header`, `param`, `cookie`, `ip` or `consumer`, also where a header holds the consumer."""
        sort = self.kind.rpartition("_")[2]
        return "consumer" if sort == "header" and self.name.lower() == CONSUMER_HEADER else sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """`redis`: which server, and how long it is waited for."""

    service_name: str
    port: int
    path: Steps
    username: str = ""
    password: str = ""
    timeout: int = 1000
    """Milliseconds."""
    database: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One configuration of the plugin."""

    rule_name: str
    redis: Redis
    path: Steps
    overlay: bool = False
    """Every item that matches counts, instead of the first (generation C)."""
    whole: Threshold | None = None
    """`global_threshold`."""
    items: tuple[Item, ...] = ()
    status: int = STATUS
    message: str = MESSAGE
    shows_quota: bool = False
