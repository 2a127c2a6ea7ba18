"""What happens while a store is away.

One call pays the timeout. From then on the store counts as away: calls go to the substitute at once, a task asks the
store again every second with a call that books nothing, and when that is answered the store counts as back.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from limiter.counters import Acquired, Charge, Correction, Reading
from limiter.stores.contract import LEASE, Clock, Store, StoreError, wall_clock
from limiter.stores.memory import MemoryStore

OnError = Literal["local", "allow", "deny"]
REMEMBERED_IDS = 100_000
"""Substituted exchanges that are known by id until they settle; of more, the oldest are forgotten."""
SILENCE = 60_000
"""Milliseconds between two warnings."""

log = logging.getLogger(__name__)


class FallbackStore:
    """A `Store` that answers while its primary does not.

    - local: counts in this process. What was counted is not carried over to the primary when it is back, and the local
      counters start from zero whatever the primary's hold.
    - allow: admits everything, with readings that show nothing used.
    - deny: raises `StoreError`, at once while the primary is away.

    A call that ran into the timeout may have been booked all the same: its holds end with their lease, the rest stays.

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
        self._primary = primary
        self._on_error = on_error
        self._clock = clock
        self._timeout = timeout
        self._retry = retry
        self._local = MemoryStore(clock)
        self._substituted: OrderedDict[str, None] = OrderedDict()
        """Ids whose acquire the primary has not seen, oldest first."""
        self._away = False
        self._problem: StoreError | None = None
        """Why it was found to be away."""
        self._watch: asyncio.Task[None] | None = None
        self._warned: int | None = None
        self.failures = 0
        """Calls that the primary did not answer."""
        self.substituted = 0
        """Acquires that were answered in its place."""
        self.lost = 0
        """Settlements of exchanges that the primary has booked and will not learn the true amount of."""

    @property
    def away(self) -> bool:
        """Calls do not go to the primary at present."""
        return self._away

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        if id not in self._substituted:
            try:
                return await self._ask(self._primary.acquire, id, charges, lease)
            except StoreError:
                if self._on_error == "deny":
                    raise
                self._remember(id)
        self.substituted += 1
        if self._on_error == "local":
            return await self._local.acquire(id, charges, lease)
        return Acquired(True, self._clock(), tuple(Reading(0, 0, 0, item.expires_at, fits=True) for item in charges))

    async def renew(self, ids: Sequence[str], lease: int = LEASE) -> None:
        await self._local.renew([name for name in ids if name in self._substituted], lease)
        booked = [name for name in ids if name not in self._substituted]
        if booked:
            try:
                await self._ask(self._primary.renew, booked, lease)
            except StoreError:
                if self._on_error == "deny":
                    raise

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        """To the store that booked the exchange. What was admitted without being booked is not booked now either."""
        if id in self._substituted:
            if self._on_error == "local":
                await self._local.settle(id, corrections)
            return
        try:
            await self._ask(self._primary.settle, id, corrections)
        except StoreError:
            self.lost += 1
            if self._on_error == "deny":
                raise

    async def close(self) -> None:
        if self._watch:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._primary.close()
        await self._local.close()

    async def _ask[**Arguments, Answer](
        self, call: Callable[Arguments, Awaitable[Answer]], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Answer:
        """The primary's answer.

        Raises:
            StoreError: it failed, took too long, or is known to be away.
        """
        if self._away:
            self._keep_watch()
            raise StoreError(f"away: {self._problem}")
        try:
            async with asyncio.timeout(self._timeout):
                return await call(*args, **kwargs)
        except TimeoutError as problem:
            error = StoreError(f"no answer within {self._timeout} s")
            self._failed(error)
            raise error from problem
        except StoreError as problem:
            self._failed(problem)
            raise

    def _failed(self, problem: StoreError) -> None:
        self.failures += 1
        self._problem = problem
        self._away = True
        self._keep_watch()
        now = self._clock()
        if self._warned is None or not 0 <= now - self._warned < SILENCE:
            self._warned = now
            log.warning(
                "the store does not answer (%s); until it does: %s; so far %d failures, %d substituted, %d lost",
                problem, self._on_error, self.failures, self.substituted, self.lost,
            )  # fmt: skip

    def _keep_watch(self) -> None:
        # A task of its own: no call is held up by asking, and none that is cancelled takes the asking with it.
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._until_back())

    async def _until_back(self) -> None:
        while self._away:
            await asyncio.sleep(self._retry)
            try:
                async with asyncio.timeout(self._timeout):
                    await self._primary.acquire("", ())
            except (StoreError, TimeoutError):
                continue
            self._away = False
            log.info("the store answers again")

    def _remember(self, id: str) -> None:
        self._substituted[id] = None
        if len(self._substituted) > REMEMBERED_IDS:
            self._substituted.popitem(last=False)
