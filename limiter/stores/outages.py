"""Times in which a store does not answer: what came of them, and what is said about them."""

import logging
from dataclasses import dataclass, fields

from limiter.stores.contract import Clock, StoreError

SILENCE = 60_000
"""Milliseconds between two warnings."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """What came of outages so far."""

    failures: int = 0
    """Calls that the store did not answer."""
    substituted: int = 0
    """Acquires that were answered in its place."""
    replayed: int = 0
    """Bookings that it learned of later."""
    lost: int = 0
    """Bookings that it will never learn the whole of."""

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, item.name)} {item.name}" for item in fields(self))


class Outage:
    """Whether a store is away. Said once a minute, and once when it is over.

    Args:
        instead: what is done while it is away, for the log.
    """

    def __init__(self, instead: str, clock: Clock) -> None:
        self.instead = instead
        self.tally = Tally()
        self.away = False
        self.problem: StoreError | None = None
        """Why it was found to be away."""
        self._clock = clock
        self._warned: int | None = None
        self._complained: int | None = None
        self._announce = False
        """To be said when it is over."""

    def failed(self, problem: StoreError) -> None:
        """The store is away."""
        self.problem = problem
        self.away = True
        now = self._clock()
        if _long_ago(self._warned, now):
            self._warned = now
            self._announce = True
            log.warning(
                "the store does not answer (%s); until it does: %s; so far %s", problem, self.instead, str(self.tally)
            )

    def unsound(self, problem: StoreError) -> None:
        """A call failed by what it is about, and others will not: the store is there."""
        now = self._clock()
        if _long_ago(self._complained, now):
            self._complained = now
            log.warning("a counter cannot be used (%s); for its requests: %s", problem, self.instead)

    def announce(self) -> None:
        """Says that it is over, if it is and that it had begun was said."""
        if self._announce and not self.away:
            self._announce = False
            log.info("the store answers again; so far %s", str(self.tally))


def _long_ago(before: int | None, now: int) -> bool:
    return before is None or not 0 <= now - before < SILENCE
