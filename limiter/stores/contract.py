"""What every store promises.

A store keeps counters (`limiter.counters`) and holds. Its clock is the only one that moves windows: each answer carries
its time. All calls of one store may run at once; each is atomic.

`id` makes calls safe to repeat: a second `acquire` with an id that was admitted or refused before returns the first
answer, and a second `settle` does nothing, for at least `REMEMBERED` milliseconds. Nothing is remembered of a call that
ended in `StoreError`, so it can be repeated with its id. One id names one exchange: its acquire, hold and settlement.

A hold stands until it is settled or reaped, and only an acquire reaps. So a lease that ran out a moment ago can still
be renewed, and a settlement is exact whether it comes before or after the reaping.
"""

from collections.abc import Callable, Sequence
from time import time_ns
from typing import Protocol

from limiter.counters import Acquired, Charge, Correction

REMEMBERED = 120_000
"""Milliseconds for which an id is known."""

LEASE = 120_000
"""Milliseconds for which a hold stands without being renewed. A killed proxy's reservations are gone after this."""

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""


def wall_clock() -> int:
    """The machine's time, for stores that have no clock of their own."""
    return time_ns() // 1_000_000


class StoreError(Exception):
    """The store could not answer: unreachable, too slow, full, damaged. Whether anything was booked is unknown."""


class UnsoundError(StoreError):
    """The store works and has booked nothing: a key holds what is no counter, or what cannot grow any more."""


class Store(Protocol):
    """Where counters live."""

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        """Books all takes if all needs fit, else nothing (bar penalties).

        Holds whose lease ran out are released first. If admitted, charges with `hold` are put under a lease of `lease`
        milliseconds that bears `id`. No charges: answers admitted and the store's time, and `id` is not remembered.

        Raises:
            StoreError: no answer.
        """
        ...

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        """Lets the holds of `ids` stand for `lease` milliseconds from now. Ids without a standing hold are passed over.

        Raises:
            StoreError: no answer.
        """
        ...

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        """Ends the hold of `id`, if any stands, and makes every charge amount to its `actual`.

        Forced: may pass limits. Charges of the batch without a correction keep what is booked, also what was held.

        Raises:
            StoreError: no answer.
        """
        ...

    async def close(self) -> None:
        """Writes what is waiting and frees what is held open. Repeated calls do nothing; other calls are an error then.

        Raises:
            StoreError: never; of the others, after this.
        """
        ...
