"""What answers while a store is away, and what the store learns of it afterwards."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from limiter.counters import Acquired, Charge, Correction, Reading
from limiter.stores.contract import LEASE, Clock, Store, StoreError, UnsoundError, wall_clock
from limiter.stores.memory import MemoryStore
from limiter.stores.outages import Tally
from limiter.stores.watched import Watched

OnError = Literal["local", "allow", "deny"]
REMEMBERED_IDS = 100_000
"""Acquires answered in the primary's place that are known by id; of more, the oldest are forgotten."""


class FallbackStore:
    """A `Store` that answers while its primary does not.

    - local: counts in this process, from zero whatever the primary's counters hold.
    - allow: admits everything, with readings that show nothing used.
    - deny: raises `StoreError`, at once while the primary is away.

    When the primary is back, it learns what it missed:

    - in all modes, settlements of exchanges that it had booked. Their holds, and those of exchanges that run, are
      renewed first, so nothing is missing on the counters unless another process reaped a hold, and then only until
      the settlement arrives;
    - in `local` and `allow`, all exchanges that were admitted in its place: what counts at arrival (requests), the hold
      of those that run, and their settlement. That may take counters over their limits.

    What is not exact:

    - Lost, and counted as such: the oldest of more than 100,000 exchanges that wait; one that fails a thousand times
      while the primary takes other bookings, or at once if a key of it holds no counter, or one that cannot grow; what
      still waits `timeout` seconds after `close` was called, unless the primary writes on closing what it was given.
      What waits when the process is killed is lost and counted nowhere.
    - Not carried over: what belongs to a window that is over by then; penalties of refusals by the substitute. An
      anchored window begins when it is carried over, if its length has not passed since.
    - Booked though it was not answered: an acquire that `deny` refused for want of an answer. If it held, the hold ends
      with its lease; the rest stays.
    - Counted twice: what ran into the timeout and was booked all the same, if the primary then was away for longer than
      it remembers ids (`contract.REMEMBERED`).

    Args:
        timeout: seconds that a call may take.
        retry: seconds between two questions whether the primary is back.
    """

    def __init__(
        self,
        primary: Store,
        on_error: OnError,
        clock: Clock = wall_clock,
        timeout: float = 1.0,
        retry: float = 1.0,
    ) -> None:
        self._primary = Watched(primary, on_error, clock, timeout, retry)
        self._on_error = on_error
        self._clock = clock
        self._local = MemoryStore(clock)
        self._substituted: OrderedDict[str, bool] = OrderedDict()
        """Ids whose acquire was answered in the primary's place, oldest first, and whether it is to learn of it."""

    def adjust(self, on_error: OnError, timeout: float) -> None:
        """Other settings, the same counters: nothing that was counted or is owed is forgotten."""
        self._on_error = on_error
        self._primary.adjust(on_error, timeout)

    @property
    def away(self) -> bool:
        """Calls do not go to the primary at present."""
        return self._primary.away

    @property
    def owed(self) -> int:
        """Exchanges that the primary has yet to learn of."""
        return len(self._primary.owed)

    @property
    def tally(self) -> Tally:
        return self._primary.tally

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        if id in self._substituted:
            return await self._substitute(id, charges, lease)
        try:
            return await self._primary.acquire(id, charges, lease)
        except StoreError as problem:
            if self._on_error == "deny":
                raise
            owed = not isinstance(problem, UnsoundError)
        if charges:
            self._remember(id, owed=owed)
        acquired = await self._substitute(id, charges, lease)
        if acquired.admitted and owed:
            self._primary.owed.acquired(id, charges, lease)
        elif acquired.admitted and any(charge.take for charge in charges):
            self.tally.lost += 1
        return acquired

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._local.renew(ids, lease)
        try:
            await self._primary.renew(ids, lease)
        except StoreError:
            if self._on_error == "deny":
                raise

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        """Booked later if the primary does not answer now; `deny` raises `StoreError` all the same."""
        if self._on_error == "local" and id in self._substituted:
            await self._local.settle(id, corrections)
        if not self._substituted.get(id, True):
            # Nothing of its acquire is booked there, nor will be.
            corrections = [item._replace(charge=item.charge._replace(take=0, hold=False)) for item in corrections]
        try:
            await self._primary.settle(id, corrections)
        except StoreError:
            if self._on_error == "deny":
                raise

    async def close(self) -> None:
        await self._primary.close()
        await self._local.close()

    async def _substitute(self, id: str, charges: Sequence[Charge], lease: int) -> Acquired:
        self.tally.substituted += 1
        if self._on_error == "local":
            return await self._local.acquire(id, charges, lease)
        return Acquired(
            True, self._clock(), tuple(Reading(0, 0, 0, item.expires_at, fits=True, known=False) for item in charges)
        )

    def _remember(self, id: str, *, owed: bool) -> None:
        self._substituted[id] = owed
        if len(self._substituted) > REMEMBERED_IDS:
            self._substituted.popitem(last=False)
