"""A shared store as one node calls it: under ids of its own, and by the store's clock."""

import secrets
from collections.abc import Sequence

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import LEASE, Clock, Store


class Line:
    """Calls of one node.

    Args:
        clock: the node's own.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._node = secrets.token_hex(8)
        self._calls = 0
        self._ahead: int | None = None
        """Milliseconds by which the store's clock is ahead; None: unknown."""

    @property
    def was_heard(self) -> bool:
        """The store has answered once."""
        return self._ahead is not None

    def now(self) -> int:
        """Milliseconds of the store's clock, as of its last answer."""
        return self._clock() + (self._ahead or 0)

    def new_id(self) -> str:
        """An id that no other node will ever use."""
        self._calls += 1
        return f"sync {self._node} {self._calls}"

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        """Raises: StoreError: no answer."""
        acquired = await self._store.acquire(id, charges, lease)
        self._ahead = acquired.now - self._clock()
        return acquired

    async def ask(self, charges: Sequence[Charge]) -> Acquired:
        """An acquire that books nothing. Without charges: whether it answers.

        Raises:
            StoreError: no answer.
        """
        return await self.acquire(self.new_id(), charges)

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        """Raises: StoreError: no answer."""
        await self._store.settle(id, corrections)
