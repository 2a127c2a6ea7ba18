"""The contract once more, written to be obvious: every window remembers each booking by who made it.

Independent of `limiter.counters`: a settlement replaces the booking that it corrects instead of adding a difference,
and shares of sliding windows are fractions.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from limiter.counters import Acquired, Charge, Correction, Reading

Booking = tuple[str, int]
"""Id of the exchange and the position of its charge."""


@dataclass
class Window:
    """What is booked under one key until its end."""

    end: int
    bookings: dict[Booking, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.bookings.values())


@dataclass
class Oracle:
    """A store without a clock of its own."""

    windows: dict[str, Window] = field(default_factory=dict)
    answers: dict[str, Acquired] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    holds: dict[str, tuple[int, list[Charge]]] = field(default_factory=dict)
    """Deadline and charges of what is held."""
    penalties: int = 0

    def acquire(self, id: str, charges: list[Charge], lease: int, now: int) -> Acquired:
        self.reap(now)
        if not charges:
            return Acquired(True, now, ())
        if id in self.answers:
            return self.answers[id]
        readings = []
        undo = {key: Window(window.end, dict(window.bookings)) for key, window in self.windows.items()}
        for index, charge in enumerate(charges):
            readings.append(self.read(charge, now))
            if charge.take:
                self.book(charge, (id, index), charge.take, now)
        admitted = all(reading.fits for reading in readings)
        if not admitted:
            self.windows = undo
            for index, charge in enumerate(charges):
                if charge.penalty:
                    self.book(charge, (f"penalty {id}", index), charge.penalty, now)
        for index, charge in enumerate(charges):
            if not charge.expires_at:
                window = self.live(charge.key, now)
                readings[index] = readings[index]._replace(expires_at=window.end if window else 0)
        if admitted and any(charge.hold and charge.take > charge.keep for charge in charges):
            self.holds[id] = (now + lease, charges)
        self.answers[id] = Acquired(admitted, now, tuple(readings))
        return self.answers[id]

    def renew(self, ids: list[str], lease: int, now: int) -> None:
        for name in ids:
            if name in self.holds:
                self.holds[name] = (now + lease, self.holds[name][1])

    def settle(self, id: str, corrections: list[tuple[int, Correction]], now: int) -> None:
        """Args: corrections with the positions of their charges."""
        if id in self.settled:
            return
        self.settled.add(id)
        self.holds.pop(id, None)
        for index, correction in corrections:
            charge = correction.charge
            window = self.live(charge.key, now)
            if window and charge.capped and window.total > charge.limit:
                continue
            if window and (id, index) in window.bookings:
                window.bookings[id, index] = correction.actual
            elif correction.actual or (charge.capped and not window):
                self.book(charge, (id, index), correction.actual, now)

    def reap(self, now: int) -> None:
        for name, (deadline, charges) in list(self.holds.items()):
            if deadline > now:
                continue
            del self.holds[name]
            for index, charge in enumerate(charges):
                window = self.live(charge.key, now)
                if charge.hold and charge.take > charge.keep and window and (name, index) in window.bookings:
                    window.bookings[name, index] = charge.keep

    def live(self, key: str, now: int) -> Window | None:
        window = self.windows.get(key)
        return window if window and now < window.end else None

    def read(self, charge: Charge, now: int) -> Reading:
        window = self.live(charge.key, now)
        current = window.total if window else 0
        before = self.live(charge.previous, now) if charge.previous else None
        previous = before.total if before else 0
        share = Fraction(0)
        if charge.previous:
            share = max(Fraction(0), min(Fraction(1), 1 - Fraction(now - charge.start, charge.size)))
        used = current + ceil(previous * share)
        fits = not charge.blocks or charge.limit - used >= charge.need
        return Reading(current, previous, used, charge.expires_at or (window.end if window else 0), fits)

    def book(self, charge: Charge, booking: Booking, amount: int, now: int) -> None:
        window = self.live(charge.key, now)
        if not window:
            window = Window(charge.expires_at or now + charge.ttl)
            if window.end <= now:
                return
            self.windows[charge.key] = window
        window.bookings[booking] = amount
