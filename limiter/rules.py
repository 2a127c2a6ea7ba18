"""The compiled policy: what every dialect compiles to, and what the limits of a request are selected from."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from limiter.facts import reader
from limiter.windows import Window

Mode = Literal["enforce", "warn", "shadow"]
Reserve = Literal["none", "estimate", "maximum"]
Dialect = Literal["native"]


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one meter over one window, kept per value of its dimensions."""

    name: str
    """Unique in its policy; part of the counters' keys, so renaming it starts new counters."""
    meter: str
    """A key of `meters.METERS`."""
    amount: int
    """Requests, tokens, or billionths of a dollar."""
    window: Window
    per: tuple[str, ...] = ()
    """Dimensions (`facts.reader`); one counter for each combination of their values. None: one for all."""
    mode: Mode = "enforce"
    reserve: Reserve = "none"
    status: int | None = None
    """HTTP status of a refusal; None: what suits the calling client best."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One dimension must have one of several values.

    An absent value is the empty text: only that text and patterns that match it accept it.
    """

    dimension: str
    values: frozenset[str] = frozenset()
    """Accepted as they are."""
    patterns: tuple[str, ...] = ()
    """Shell patterns: `*`, `?`, `[…]`; case matters."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """For `ip`."""

    @classmethod
    def parse(cls, dimension: str, accepted: Iterable[str]) -> "Condition":
        """A condition from the texts of a configuration.

        Patterns are those with `*`, `?` or `[`; networks those with `/` on `ip`.

        Raises:
            ValueError: unknown dimension, or a network that is none.
        """
        reader(dimension)
        exact: set[str] = set()
        patterns: list[str] = []
        networks: list[IPv4Network | IPv6Network] = []
        for text in accepted:
            if dimension == "ip" and "/" in text:
                networks.append(ip_network(text))
            elif any(mark in text for mark in "*?["):
                patterns.append(text)
            else:
                exact.add(str(ip_address(text)) if dimension == "ip" else text)
        return cls(dimension, frozenset(exact), tuple(patterns), tuple(networks))


@dataclass(frozen=True, slots=True)
class Rule:
    """Limits that apply to requests which meet every condition."""

    limits: tuple[Limit, ...]
    conditions: tuple[Condition, ...] = ()
    dialect: Dialect = "native"
    """Whose refusals and headers the rule speaks."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, in the order of their documents."""

    rules: tuple[Rule, ...] = ()
