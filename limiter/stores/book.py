"""Counters in memory that leave it some time after their end, without a scan.

Made for millions: state is one integer for each key, which takes a third of the memory of a tuple of two and is
nothing that the garbage collector would have to visit.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

from limiter.counters import Changes, Counter

_END_BITS = 64
_END = (1 << _END_BITS) - 1
_SLOT_BITS = 10
"""Counters are dropped in groups that end within the same 2**10 milliseconds, so that many share one list."""


class Expiring:
    """A `counters.Book`."""

    def __init__(self) -> None:
        self._packed: dict[str, int] = {}
        """value << 64 | expires_at. The shift keeps the sign of a value below 0."""
        self._slots: dict[int, list[str]] = {}
        """Keys by the slot that their counter ends in; a key that was created anew stands in several."""
        self._ends: list[int] = []
        """The slots' numbers as a heap."""

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[str]:
        """All keys, of the dead that were not dropped yet too."""
        return iter(self._packed)

    def get(self, key: str, /) -> Counter | None:
        """The counter as it was written last; it may be over."""
        packed = self._packed.get(key)
        return None if packed is None else Counter(packed >> _END_BITS, packed & _END)

    def put(self, changes: Changes, now: int) -> None:
        """Writes counters, and drops more of the dead than there are new ones, so that the dead cannot pile up."""
        for key, (value, expires_at) in changes.items():
            before = self._packed.get(key)
            self._packed[key] = value << _END_BITS | expires_at
            if before is None or before & _END != expires_at:
                self._enlist(key, expires_at >> _SLOT_BITS)
        if self._ends and self._ends[0] < now >> _SLOT_BITS:
            self._drop(2 * len(changes) + 2, now)

    def _enlist(self, key: str, slot: int) -> None:
        keys = self._slots.get(slot)
        if keys is None:
            self._slots[slot] = [key]
            heappush(self._ends, slot)
        else:
            keys.append(key)

    def _drop(self, count: int, now: int) -> None:
        for _ in range(count):
            if not self._ends or self._ends[0] >= now >> _SLOT_BITS:
                return
            keys = self._slots[self._ends[0]]
            key = keys.pop()
            if not keys:
                del self._slots[heappop(self._ends)]
            packed = self._packed.get(key)
            if packed is not None and packed & _END <= now:
                del self._packed[key]
