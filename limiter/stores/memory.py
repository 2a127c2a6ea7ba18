"""Counters in this process: the fastest store, and gone with the process.

No call awaits anything, so the event loop makes each atomic. What is over leaves in small steps, a few entries a call,
and never by a scan. The clock may step back; what was dropped by then stays dropped.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from limiter import counters
from limiter.counters import Acquired, Charge, Correction, Release
from limiter.stores.book import Expiring
from limiter.stores.contract import LEASE, REMEMBERED, Clock, StoreError, wall_clock
from limiter.stores.holds import Holds


class MemoryStore:
    """A `Store` in dictionaries. For one thread; never raises before it is closed.

    Args:
        book: where the counters are, for who wants to see them change.
    """

    def __init__(self, clock: Clock = wall_clock, book: Expiring | None = None) -> None:
        self._clock = clock
        self._book = Expiring() if book is None else book
        self._holds = Holds()
        self._answers: Recent[Acquired] = Recent()
        self._settled: Recent[None] = Recent()
        self._closed = False

    @property
    def size(self) -> int:
        """Counters that take up memory, the dead that were not dropped yet among them."""
        return len(self._book)

    @property
    def held(self) -> Iterator[Release]:
        """What the standing holds would release."""
        return iter(self._holds)

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        now = self._now()
        book = self._book
        for reaped in self._holds.reap(now):
            book.put(counters.release(book, reaped, now), now)
        if not charges:
            return Acquired(True, now, ())
        if known := self._answers.get(id):
            return known
        acquired, changes = counters.acquire(book, charges, now)
        book.put(changes, now)
        if acquired.admitted and (releases := counters.releases(charges, acquired)):
            self._holds.put(id, now + lease, releases)
        self._answers.put(id, acquired, now)
        return acquired

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        deadline = self._now() + lease
        for name in ids:
            self._holds.renew(name, deadline)

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        now = self._now()
        if id in self._settled:
            return
        held = self._holds.end(id)
        self._book.put(counters.settle(self._book, corrections, now, held=held), now)
        self._settled.put(id, None, now)

    async def close(self) -> None:
        self._closed = True

    def _now(self) -> int:
        if self._closed:
            raise StoreError("the memory store is closed")
        return self._clock()


class Recent[Value]:
    """Values by id, for `REMEMBERED` milliseconds."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._order: deque[tuple[int, str]] = deque()

    def __contains__(self, id: str) -> bool:
        return id in self._values

    def get(self, id: str) -> Value | None:
        return self._values.get(id)

    def put(self, id: str, value: Value, now: int) -> None:
        """Remembers a new id, and forgets up to two old ones."""
        self._values[id] = value
        self._order.append((now, id))
        for _ in range(2):
            # From the future, too: after the clock was set back, nothing is kept for longer than it should.
            if abs(now - self._order[0][0]) < REMEMBERED:
                return
            del self._values[self._order.popleft()[1]]
