"""The arithmetic of counters: what fits, what is booked, what a settlement corrects.

A counter is one whole number under one key that expires. Functions here are pure: they take the counters that a store
holds, the store's own time in milliseconds, and return the answer and the counters that changed. Every store that
cannot run Python repeats this file, and is to be kept in step: `stores/redis.lua` does. One property test drives all of
them with the same histories.

Two kinds of counters:

- with a fixed end (`expires_at` set): the window's start is part of the key, so the key itself names the window;
- anchored (`expires_at` 0): the window starts when the counter is created and lives `ttl` milliseconds.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class Counter(NamedTuple):
    """The state under one key."""

    value: int
    expires_at: int
    """Milliseconds of the store's clock; from then on the counter is absent."""


class Charge(NamedTuple):
    """One limit applied to one request."""

    key: str
    limit: int
    need: int
    """Must be free: admitted when used + need ≤ limit. 1 with take 0: pay after. 0: admit at exactly the limit."""
    take: int
    """Booked now if the whole batch is admitted."""
    ttl: int
    """Milliseconds that an anchored counter lives from its first booking; unused otherwise."""
    expires_at: int = 0
    """Milliseconds; end of the counter's life. 0: anchored."""
    previous: str = ""
    """Sliding windows: the key of the window before. Its value counts by the share that still overlaps."""
    start: int = 0
    """Sliding windows: milliseconds at which the current window began."""
    size: int = 0
    """Sliding windows: length in milliseconds."""
    hold: bool = False
    """The take is a reservation: it is released (down to `keep`) when its lease runs out unsettled."""
    keep: int = 0
    """Part of a held take that stays booked when the hold is reaped: the input was sent whatever happened after. At or
    above `take` there is nothing to reap."""
    penalty: int = 0
    """Booked instead when the batch is refused, for dialects that count refusals."""
    blocks: bool = True
    """False: never refuses (warn and shadow modes), yet is booked."""
    capped: bool = False
    """A settlement is dropped when the counter already exceeds the limit (as Higress does)."""
    until: int = 0
    """Milliseconds up to which the counter is needed: where another program has made it with an earlier end, it gets
    this one. Stores that no other program writes to need not look at it."""


class Reading(NamedTuple):
    """What a charge found: the state at arrival and the takes of the charges before it in its batch, not its own."""

    current: int
    previous: int
    used: int
    """current + the part of previous that still counts, rounded up."""
    expires_at: int
    """Milliseconds; when the counter ends, also of an anchored one that this batch began. 0: anchored, not begun."""
    fits: bool
    """There is room for the need, or the charge does not block."""
    known: bool = True
    """False: the store did not answer, and all the above is assumed."""


class Acquired(NamedTuple):
    """The answer to a batch of charges."""

    admitted: bool
    now: int
    """Milliseconds; the store's clock."""
    readings: tuple[Reading, ...]
    """One for each charge, in their order."""


class Correction(NamedTuple):
    """What one charge must amount to in the end."""

    charge: Charge
    actual: int
    """The true amount, in the limit's unit; may be negative where an upstream gives quota back."""
    anchor: int = 0
    """`Reading.expires_at` after the acquire, for anchored counters: tells whether the window is still the same."""


class Release(NamedTuple):
    """What is taken off a counter when a hold's lease runs out."""

    key: str
    amount: int
    anchor: int
    """For anchored counters as in `Correction.anchor`; 0 for the others."""


class Book(Protocol):
    """Counters by key, as a store holds them; a dictionary is one. Those that are over may be among them."""

    def get(self, key: str, /) -> Counter | None: ...


Changes = dict[str, Counter]


def _find(book: Book, changes: Book, key: str, now: int) -> Counter | None:
    """The live counter under a key, as this call has left it so far."""
    counter = changes.get(key) or book.get(key)
    return counter if counter is not None and counter.expires_at > now else None


def overlap(previous: int, start: int, size: int, now: int) -> int:
    """The part of the previous window's count that a sliding window still sees, rounded up.

    For whole numbers x, n: x + share > n exactly when x + ceil(share) > n, so rounding up loses no precision. Nor does
    the division, which is one of whole numbers: a weight that is a float would err by one unit now and then.
    """
    remaining = size - min(max(now - start, 0), size)
    return -(-previous * remaining // size)


def _read(book: Book, changes: Changes, charge: Charge, counter: Counter | None, now: int) -> Reading:
    current, expires_at = counter or (0, 0)
    previous = 0
    used = current
    if charge.previous and (before := _find(book, changes, charge.previous, now)):
        previous = before.value
        used += overlap(previous, charge.start, charge.size, now)
    fits = used + charge.need <= charge.limit or not charge.blocks
    return Reading(current, previous, used, charge.expires_at or expires_at, fits)


def _book(changes: Changes, charge: Charge, counter: Counter | None, amount: int, now: int) -> None:
    """Adds `amount` to the charge's counter, creating it where needed. A fixed window that is over is left alone."""
    if counter:
        changes[charge.key] = Counter(counter.value + amount, counter.expires_at)
        return
    expires_at = charge.expires_at or now + charge.ttl
    if expires_at > now:
        changes[charge.key] = Counter(amount, expires_at)


def keys(charges: Iterable[Charge]) -> list[str]:
    """Every key that `acquire` or `settle` reads for these charges, each once."""
    found: dict[str, None] = {}
    for charge in charges:
        found[charge.key] = None
        if charge.previous:
            found[charge.previous] = None
    return list(found)


def acquire(book: Book, charges: Sequence[Charge], now: int) -> tuple[Acquired, Changes]:
    """Books every take if every need fits; else books nothing but the penalties.

    Charges are read in order and each sees the takes before it, so two on one key cannot both use its last unit.
    """
    changes: Changes = {}
    readings: list[Reading] = []
    admitted = True
    anchored = False
    for charge in charges:
        counter = _find(book, changes, charge.key, now)
        reading = _read(book, changes, charge, counter, now)
        readings.append(reading)
        if not reading.fits:
            admitted = False
        if charge.take:
            _book(changes, charge, counter, charge.take, now)
        if not charge.expires_at:
            anchored = True
    if not admitted:
        changes = {}
        for charge in charges:
            if charge.penalty:
                _book(changes, charge, _find(book, changes, charge.key, now), charge.penalty, now)
    if anchored:
        readings = [_ending(book, changes, *pair, now) for pair in zip(charges, readings, strict=True)]
    return Acquired(admitted, now, tuple(readings)), changes


def _ending(book: Book, changes: Changes, charge: Charge, reading: Reading, now: int) -> Reading:
    """The reading with the end of an anchored window as the batch leaves it: begun by a take, or not after all."""
    if charge.expires_at:
        return reading
    counter = _find(book, changes, charge.key, now)
    return reading._replace(expires_at=counter.expires_at if counter else 0)


def releases(charges: Sequence[Charge], acquired: Acquired) -> tuple[Release, ...]:
    """What reaping the hold of an admitted batch takes back; empty when the batch holds nothing."""
    return tuple(
        Release(charge.key, charge.take - charge.keep, 0 if charge.expires_at else reading.expires_at)
        for charge, reading in zip(charges, acquired.readings, strict=True)
        # An anchored window that did not begin (its ttl is 0) has booked nothing.
        if charge.hold and charge.take > charge.keep and reading.expires_at
    )


def release(book: Book, reaped: Iterable[Release], now: int) -> Changes:
    """Takes released amounts off counters that still are what they were when the hold was booked."""
    changes: Changes = {}
    for item in reaped:
        counter = _find(book, changes, item.key, now)
        if counter and (not item.anchor or counter.expires_at == item.anchor):
            changes[item.key] = Counter(counter.value - item.amount, counter.expires_at)
    return changes


def settle(book: Book, corrections: Sequence[Correction], now: int, *, held: bool) -> Changes:
    """Makes each charge amount to what was truly consumed; may pass the limit.

    What was booked in a window that is over is left there: nothing is taken off the window that followed, and a
    settlement after an anchored window's end books the whole of `actual` in the next.

    Args:
        held: the batch's hold still stands. When it was reaped, only each charge's `keep` is still booked.
    """
    changes: Changes = {}
    for charge, actual, anchor in corrections:
        counter = _find(book, changes, charge.key, now)
        if counter and charge.capped and counter.value > charge.limit:
            continue
        booked = 0
        if counter and (charge.expires_at or counter.expires_at == anchor):
            booked = min(charge.keep, charge.take) if charge.hold and not held else charge.take
        if actual != booked or (counter is None and charge.capped):
            _book(changes, charge, counter, actual - booked, now)
    return changes
