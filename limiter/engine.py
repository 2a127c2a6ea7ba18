"""One request from facts to outcome, and one exchange from usage to corrected counters.

This is the only place that awaits a store while a request waits: select → plan → acquire → decide, then, off the
client's path, price → correct → settle.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from weakref import WeakSet

from limiter.counters import Charge, Correction
from limiter.decisions import Admission, Refusal, Unpriced, decide
from limiter.facts import Facts
from limiter.meters import METERS, Usage
from limiter.plans import NOTHING_HELD, Held, Planned, charges, reserves
from limiter.prices import Prices
from limiter.rules import Policy, Selector
from limiter.stores.contract import LEASE, Store
from limiter.usage.forecast import Forecast

Clock = Callable[[], int]
"""Milliseconds since the epoch."""
Measure = Callable[[], Awaitable[Forecast]]
"""Counts the tokens of the request at hand; called only when a limit reserves."""

_UNSENT = Usage()


class Engine:
    """A policy in force, over one store."""

    def __init__(self, policy: Policy, store: Store, prices: Prices, clock: Clock, new_id: Callable[[], str]) -> None:
        self.policy = policy
        self._selector = Selector(policy)
        self._store = store
        self._prices = prices
        self._clock = clock
        self._new_id = new_id
        self._offset = 0
        """Milliseconds that the store's clock is ahead of ours, as of its last answer."""
        self._open: WeakSet[Admission] = WeakSet()
        """Not settled yet. Weak, so that an exchange that vanished without a trace is renewed no more."""

    async def admit(self, facts: Facts, measure: Measure, *, local: bool = False) -> Admission | Refusal | Unpriced:
        """Decides on a request and books what it takes, in one round trip; without limits that apply, in none.

        Args:
            local: the model runs on a host that costs nothing.

        Raises:
            StoreError: the store could not answer and the configuration says to deny then.
        """
        selected = self._selector.select(facts)
        if not selected:
            return Admission(
                id="", facts=facts, planned=(), readings=(), standings=(), now=self._clock() + self._offset, held=False
            )
        counts_cost = next((item.limit for item in selected if item.limit.meter == "cost"), None)
        if counts_cost and self._prices.blocks(facts.provider, facts.model, local=local):
            return Unpriced(facts=facts, limit=counts_cost)
        held = self._hold(facts, await measure(), local=local) if reserves(selected) else NOTHING_HELD
        while True:
            now = self._clock() + self._offset
            planned = charges(selected, facts, held, now)
            batch = self._new_id()
            acquired = await self._store.acquire(batch, [item.charge for item in planned])
            self._offset = acquired.now - self._clock()
            outcome = decide(batch, facts, planned, acquired)
            if not any(_over(item.charge, acquired.now) for item in planned):
                break
            # A window ended on the way to the store: what was booked there counts for nothing, so decide again.
            if isinstance(outcome, Admission):
                await self.cancel(outcome)
        if isinstance(outcome, Admission):
            self._open.add(outcome)
        return outcome

    async def settle(self, admission: Admission, usage: Usage, model: str = "", *, local: bool = False) -> Usage:
        """Books what an exchange truly consumed, priced; call it once for each admission, however the exchange ended.

        Args:
            model: as the response names it; empty: as the request did.

        Returns:
            The usage with its cost.

        Raises:
            StoreError: nothing was booked, or it is unknown whether it was.
        """
        priced = self.priced(usage, admission.facts, model, local=local)
        await self._correct(admission, priced, keep_requests=True)
        return priced

    async def cancel(self, admission: Admission) -> None:
        """Gives back all that was booked for a request that was never sent.

        Raises:
            StoreError: as `settle`.
        """
        await self._correct(admission, _UNSENT, keep_requests=False)

    async def renew(self) -> None:
        """Extends the leases of all running exchanges; call it several times within `LEASE`.

        Raises:
            StoreError: no lease is known to be extended.
        """
        if ids := [admission.id for admission in self._open if admission.held]:
            await self._store.renew(ids, LEASE)

    @property
    def running(self) -> int:
        """Exchanges that are not settled."""
        return len(self._open)

    def priced(self, usage: Usage, facts: Facts, model: str = "", *, local: bool = False) -> Usage:
        """`usage` with its cost in billionths of a dollar.

        The answer names the dated model that served it; where nobody knows that one's price, the request's name counts.
        """
        named = model if model and self._prices.is_known(facts.provider, model) else facts.model
        at = datetime.fromtimestamp((self._clock() + self._offset) / 1000, UTC)
        priced = self._prices.price(
            usage, facts.provider, named, host=facts.host, local=local, tier=usage.service_tier, at=at
        )
        return replace(usage, cost=priced.cost)

    def _hold(self, facts: Facts, forecast: Forecast, *, local: bool) -> Held:
        def priced(completion: int) -> Usage:
            prompt = forecast.prompt_tokens
            usage = Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
            return self.priced(usage, facts, local=local)

        return Held(priced(0), priced(forecast.likely_completion), priced(forecast.max_completion))

    async def _correct(self, admission: Admission, usage: Usage, *, keep_requests: bool) -> None:
        self._open.discard(admission)
        corrections = [
            Correction(item.charge, METERS[item.limit.meter](usage) if keep_requests else 0, reading.expires_at)
            for item, reading in zip(admission.planned, admission.readings, strict=True)
            if not (keep_requests and _counted_at_arrival(item))
        ]
        if corrections:
            await self._store.settle(admission.id, corrections)


def _over(charge: Charge, now: int) -> bool:
    return 0 < charge.expires_at <= now


def _counted_at_arrival(planned: Planned) -> bool:
    return planned.limit.meter == "requests"
