"""Users' Lua functions, as a configuration holds them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from limiter.facts import Facts
from limiter.meters import Usage

LUA = "lua:"
"""First part of the names of units that functions count."""


@dataclass(frozen=True, slots=True)
class Function:
    """Lua that makes a number of a request or of an exchange; what counters hold are whole parts of it."""

    source: str
    scale: int
    """How many parts a unit has."""
    title: str = field(default="", compare=False)
    """The configuration's field, for logs."""
    costs: Callable[[Facts, Usage], int] | None = field(default=None, compare=False, repr=False)
    """What the function is told that an exchange cost, in billionths; None: dollars, by the prices of all."""
    prices: str = ""
    """Tells apart functions of one source that are told costs by different prices."""

    @property
    def name(self) -> str:
        """Of the custom unit that it counts. Equal functions count one unit, so each is called once for a request."""
        told = "\0".join(filter(None, (self.source, self.prices)))
        return f"{LUA}{sha256(told.encode('utf-8', 'replace')).hexdigest()[:16]}:{self.scale}"

    def parts(self, number: float, most: int) -> int:
        """A number of units in parts, rounded; below zero it is 0.

        Args:
            most: parts that are counted at most, as functions see what clients send, and stores have bounds.
        """
        if not number > 0:
            return 0
        scaled = number * self.scale
        return most if scaled >= most else round(scaled)
