"""Holds in memory, found by id and by the end of their lease."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from limiter.counters import Release


class Holds:
    """Reservations under a lease. Instants are milliseconds of the store's clock."""

    def __init__(self) -> None:
        self._standing: dict[str, tuple[int, tuple[Release, ...]]] = {}
        """Deadline and what reaping releases, by id."""
        self._queue: list[tuple[int, str]] = []
        """A heap of deadlines. An entry may be out of date, its hold ended or renewed: that shows when it is due."""

    def __len__(self) -> int:
        return len(self._standing)

    def __iter__(self) -> Iterator[Release]:
        """All that reaping would release, of holds that are overdue too."""
        for _, releases in self._standing.values():
            yield from releases

    def put(self, id: str, deadline: int, releases: tuple[Release, ...]) -> None:
        self._standing[id] = (deadline, releases)
        heappush(self._queue, (deadline, id))
        if len(self._queue) > 2 * len(self._standing) + 64:
            self._queue = [(hold[0], name) for name, hold in self._standing.items()]
            heapify(self._queue)

    def renew(self, id: str, deadline: int) -> None:
        """Moves the deadline of a standing hold; nothing for others."""
        hold = self._standing.get(id)
        if hold is None:
            return
        self._standing[id] = (deadline, hold[1])
        if deadline < hold[0]:
            heappush(self._queue, (deadline, id))

    def end(self, id: str) -> bool:
        """Forgets a hold; whether it stood."""
        return self._standing.pop(id, None) is not None

    def reap(self, now: int) -> Iterator[tuple[Release, ...]]:
        """Ends the holds whose lease ran out and yields what each releases."""
        while self._queue and self._queue[0][0] <= now:
            _, name = heappop(self._queue)
            hold = self._standing.get(name)
            if hold is None:
                continue
            if hold[0] > now:
                heappush(self._queue, (hold[0], name))
                continue
            del self._standing[name]
            yield hold[1]
