"""The compiled policy: what every dialect compiles to, and what the limits of a request are selected from."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, NamedTuple, Protocol

from limiter.dimensions import reader
from limiter.facts import Facts
from limiter.ledgers import Ledger
from limiter.meters import Usage
from limiter.voices import Voice
from limiter.windows import Window

Mode = Literal["enforce", "warn", "shadow"]
Reserve = Literal["none", "prompt", "estimate", "maximum"]


class Costs(Protocol):
    """Prices of a configuration of its own."""

    def __call__(self, facts: Facts, usage: Usage) -> int:
        """What an exchange costs, in the unit of the limit's amount; not negative."""
        ...


class KeyLayout(NamedTuple):
    """The keys of a foreign gateway's counters, byte for byte, so that both share them.

    Values of the dimensions stand in them as they are, joined by colons.
    """

    head: str
    """Before the values."""
    dated: tuple[str, str] | None = None
    """Before and after the window's start, in milliseconds, which follows the values; None: there is none."""
    digested: bool = False
    """The values' digests stand for them, and nothing is shared."""
    lives: int = 0
    """Milliseconds that a counter lives from its first booking on, whatever its window is; 0: to the window's end. What
    an exchange consumed is booked in the window of its arrival then, over or not."""


class Choice(NamedTuple):
    """An alternative: of all rules that share `of`, those apply whose option is that of the first one that matches."""

    of: str
    option: int


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one meter over one window, kept per value of its dimensions."""

    name: str
    """Unique in its policy; part of the counters' keys, so renaming it starts new counters."""
    meter: str
    """See `meters.meter`."""
    amount: int
    """Requests, tokens, billionths of a dollar, or parts of a custom unit (see `scale`)."""
    window: Window
    per: tuple[str, ...] = ()
    """Dimensions (`facts.reader`); one counter for each combination of their values. None: one for all."""
    mode: Mode = "enforce"
    reserve: Reserve = "none"
    status: int | None = None
    """HTTP status of a refusal; None: what suits the calling client best."""
    scale: int = 1
    """How many of the amount's units make one that people are shown, where the meter does not say so itself."""
    key: KeyLayout | None = None
    """None: keys of our own."""
    admits_full: bool = False
    """A request passes when exactly the whole amount is used."""
    capped: bool = False
    """What an exchange consumed is dropped when more than the amount is used already."""
    penalty: bool = False
    """A refused request is counted all the same."""
    only: "Condition | None" = None
    """Exchanges that are counted; the limit is checked for all to which the rule applies."""
    checked: bool = True
    """False: it is counted, and shown where the voice does, but refuses nothing on arrival."""
    closes_at_zero: bool = False
    """Refuses when exactly nothing is left on arrival; a negative rest passes."""
    costs: Costs | None = None
    """For the meter `cost`: None: dollars, by the prices of all."""


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
    regexes: tuple[str, ...] = ()
    """Expressions of RE2 (`expressions`), of which a match anywhere in the value is enough."""

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


class Predicate(Protocol):
    """Tells requests apart by more than one dimension. Hashable, and never fails; `str` is what it tests."""

    def __call__(self, facts: Facts) -> bool: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Limits that apply to requests which meet every condition. Without limits it can still claim a choice."""

    limits: tuple[Limit, ...]
    conditions: tuple[Condition, ...] = ()
    choices: tuple[Choice, ...] = ()
    """The outer ones first: an option is only claimed by a rule that applies as far as the choices before say."""
    voice: Voice | None = None
    """Whose refusals and headers the rule speaks; None: the native dialect's."""
    ledger: Ledger | None = None
    """Where its counters are; None: where those of the native dialect are."""
    when: Predicate | None = None
    """Has to be met as well; tested after the conditions."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, in the order of their documents."""

    rules: tuple[Rule, ...] = ()
