"""Counters that others keep too, as one of them sees them, and what it has to tell the others.

A value is what all had booked when the shared store was last heard, and what was booked here since.
"""

from collections.abc import Iterable
from typing import NamedTuple

from limiter.counters import Changes, Charge, Correction, Counter, Reading, Release
from limiter.stores.book import Expiring


class Part(NamedTuple):
    """One counter of an exchange with the shared store."""

    key: str
    end: int
    """Milliseconds; of the window that the amounts are for."""
    amount: int
    """Booked there for good; may be negative."""
    held: int
    """Reserved there for as long as this node renews it."""

    @property
    def charges(self) -> list[Charge]:
        """What books the amounts, refusing nothing; the first of them reads the counter as it was before.

        An end is always given, so that no window is begun there that is over here.
        """
        if not self.amount and not self.held:
            return [peek(self.key)]
        charge = Charge(self.key, 0, 0, 0, 0, self.end, blocks=False)
        booked = [charge._replace(take=self.amount)] if self.amount else []
        return [*booked, charge._replace(take=self.held, hold=True)] if self.held else booked

    @property
    def release(self) -> Correction:
        """What takes the reservation back."""
        return Correction(self.charges[-1], 0)


def peek(key: str) -> Charge:
    """Reads a counter of any kind, and where it ends, without beginning a window."""
    return Charge(key, 0, 0, 0, 0, blocks=False)


class View(Expiring):
    """A `counters.Book` that remembers how its counters were moved here.

    It also knows how fresh they are: one is fresh if the shared store was asked about it in the present round or in the
    exchange before. Rounds are counted by the caller.
    """

    def __init__(self) -> None:
        super().__init__()
        self.round = 0
        self._learned = Expiring()
        """The round in which the shared store was last asked about a counter."""
        self._touched = Expiring()
        """Differences to tell, by key; 0 for counters that were only looked at."""

    def put(self, changes: Changes, now: int) -> None:
        """Writes counters that were moved here."""
        moved: Changes = {}
        for key, (value, end) in changes.items():
            before, known = self.get(key), self._touched.get(key)
            difference = value - before.value if before and before.expires_at > now else value
            # What is left of an anchored window that is over belongs to nobody any more.
            moved[key] = Counter(difference + (known.value if known and known.expires_at == end else 0), end)
        self._touched.put(moved, now)
        super().put(changes, now)

    def is_fresh(self, key: str) -> bool:
        learned = self._learned.get(key)
        return learned is not None and learned.value >= self.round

    def touch(self, key: str, end: int, now: int) -> None:
        """The next exchange is to ask about a counter."""
        if self._touched.get(key) is None:
            self._touched.put({key: Counter(0, end)}, now)

    def learn(self, part: Part, reading: Reading, now: int, lag: int = 0) -> None:
        """The shared store's word on a counter, before it booked the part.

        Args:
            lag: rounds that begin before this is in force.
        """
        local, touched = self.get(part.key), self._touched.get(part.key)
        alive = local is not None and local.expires_at > now
        if alive and local and local.expires_at != part.end and (part.amount or part.held):
            return  # Another window has begun here.
        end = local.expires_at if alive and local else reading.expires_at
        since = touched.value if touched and touched.expires_at == end else 0
        if end > now:
            super().put({part.key: Counter(reading.current + part.amount + part.held + since, end)}, now)
        self._learned.put({part.key: Counter(self.round + lag, max(end, part.end))}, now)

    def leave(self, part: Part, now: int, lag: int = 0) -> None:
        """The shared store cannot use a counter: it is counted here alone, and asked about again in a later round.

        What the part reserves is told again with the next exchange, until it is settled.

        Args:
            lag: as in `learn`.
        """
        touched = self._touched.get(part.key)
        if part.held and (touched is None or touched.expires_at == part.end):
            self._touched.put({part.key: Counter(part.held + (touched.value if touched else 0), part.end)}, now)
        self._learned.put({part.key: Counter(self.round + lag, part.end)}, now)

    def take(self, held: Iterable[Release], reserved: Iterable[Part], now: int) -> list[Part]:
        """What is to be told and asked, once.

        Args:
            held: reservations that stand here.
            reserved: those that the shared store has of this node, which are taken back there before.
        """
        withdrawn = {(part.key, part.end): part.held for part in reserved}
        touched, self._touched = self._touched, Expiring()
        holds: dict[str, int] = {}
        for key, amount, anchor in held:
            counter = self.get(key)
            if counter and counter.expires_at > now and anchor in (0, counter.expires_at):
                holds[key] = holds.get(key, 0) + amount
        parts = []
        for key in dict.fromkeys([*touched, *holds, *(key for key, _ in withdrawn)]):
            counter, moved = self.get(key), touched.get(key)
            if counter is None or counter.expires_at <= now:
                if moved and moved.expires_at > now:
                    parts.append(Part(key, moved.expires_at, 0, 0))
                continue
            told = moved.value if moved and moved.expires_at == counter.expires_at else 0
            kept = holds.get(key, 0)
            given_up = withdrawn.get((key, counter.expires_at), 0)
            parts.append(Part(key, counter.expires_at, told + given_up - kept, kept))
        return parts

    @property
    def moved(self) -> set[str]:
        """Counters that were moved here since the last exchange."""
        return {key for key in self._touched if (touched := self._touched.get(key)) and touched.value}
