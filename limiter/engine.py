"""One request from facts to outcome, and one exchange from usage to corrected counters.

This is the only place that awaits a store while a request waits: select → plan → acquire → decide, then, off the
client's path, price → correct → settle.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from weakref import WeakSet

from limiter.bookings import Bookings
from limiter.counters import Charge, Correction, Reading
from limiter.decisions import Admission, Refusal, Unpriced, decide
from limiter.facts import Facts
from limiter.ledgers import Ledger
from limiter.meters import Usage
from limiter.plans import NOTHING_HELD, PREFIX, Held, Plan, Planned, reserves
from limiter.prices import Prices
from limiter.rules import Policy, Rule
from limiter.selection import Selector
from limiter.stores.contract import Store
from limiter.units import is_told
from limiter.usage.forecast import Forecast

Clock = Callable[[], int]
"""Milliseconds since the epoch."""
Measure = Callable[[], Awaitable[Forecast]]
"""Counts the tokens of the request at hand; called only when a limit reserves."""
Count = Callable[[Sequence[Plan]], Awaitable[Mapping[str, int]]]
"""The custom units of the request at hand, by name, that the limits ask for (`Plan.asked`)."""


async def count_nothing(_: Sequence[Plan]) -> Mapping[str, int]:
    """For requests of which no custom unit is known."""
    return {}


UNDER_WAY = 100
"""Milliseconds that a settlement may take to the store: a window that ends so soon is taken for over."""
ATTEMPTS = 3
"""Decisions on one request. A store that takes longer than a window lasts is late each time, and no faster for that."""
CLAIMED = 24 * 60 * 60 * 1000
"""Milliseconds for which a claim stands."""


class Engine:
    """A policy in force, over its stores."""

    def __init__(
        self,
        policy: Policy,
        stores: Mapping[Ledger | None, Store],
        prices: Prices,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        """`stores` has one for each ledger of the policy, and under None the one of the native dialect."""
        self.policy = policy
        self._selector = Selector(policy)
        self._bookings = Bookings(policy, stores, clock)
        self._prices = prices
        self._new_id = new_id
        self.listens = any(is_told(limit.meter) for rule in policy.rules for limit in rule.limits)
        """Whether answers to calls that are free may cost something, as they say so themselves."""
        self._open: WeakSet[Admission] = WeakSet()
        """Not settled yet. Weak, so that an exchange that vanished without a trace is renewed no more."""

    async def admit(
        self, facts: Facts, measure: Measure, count: Count = count_nothing, *, local: bool = False, free: bool = False
    ) -> Admission | Refusal | Unpriced:
        """Decides on a request and books what it takes, in one round trip; without limits that apply, in none.

        Args:
            local: the model runs on a host that costs nothing.
            free: no call of a model: only what the answer itself says that it cost is limited.

        Raises:
            StoreError: the store could not answer and the configuration says to deny then.
        """
        plans = self._selector.select(facts)
        if free:
            plans = [plan for plan in plans if is_told(plan.limit.meter)]
        if not plans:
            arrival = self._bookings.now()
            return Admission(id="", facts=facts, planned=(), readings=(), standings=(), now=arrival, held=False)
        if self._prices.blocks(facts.provider, facts.model, local=local):
            for plan in plans:
                if plan.limit.meter == "cost" and plan.limit.costs is None:
                    return Unpriced(facts=facts, limit=plan.limit)
        held = self._hold(facts, await measure(), local=local) if reserves(plans) else NOTHING_HELD
        if any(plan.asked for plan in plans):
            held = held._replace(asked=await count(plans))
        now = self._bookings.now
        for again in reversed(range(ATTEMPTS)):
            planned = tuple([Planned(plan, plan.charge(facts, held, now(plan.rule))) for plan in plans])
            batch = self._new_id()
            acquired, late = await self._bookings.acquire(batch, planned)
            outcome = decide(batch, facts, planned, acquired)
            # What was booked in a window that ended on the way to the store counts for nothing, so decide again.
            repeated = late and again > 0
            if acquired.admitted and (repeated or isinstance(outcome, Refusal)):
                await self._bookings.give_back(batch, zip(planned, acquired.readings, strict=True))
            if not repeated:
                break
        if isinstance(outcome, Admission):
            self._open.add(outcome)
        return outcome

    async def settle(
        self, admission: Admission, usage: Usage, model: str = "", *, local: bool = False, served: bool = True
    ) -> Usage:
        """Books what an exchange truly consumed, priced; call it once for each admission, however the exchange ended.

        Args:
            model: as the response names it; empty: as the request did.
            served: False: the answer was withheld, so that what the request itself counted for is given back.

        Returns:
            The usage with its cost.

        Raises:
            StoreError: nothing was booked, or it is unknown whether it was.
        """
        priced = self.priced(usage, admission.facts, model, local=local)
        self._open.discard(admission)
        now = self._bookings.now
        corrections = [
            (item.plan.rule, _correction(item, reading, admission.facts, actual, now(item.plan.rule) + UNDER_WAY))
            for item, reading in zip(admission.planned, admission.readings, strict=True)
            if (actual := _outstanding(item, admission.facts, priced, served=served)) is not None
        ]
        if corrections:
            await self._bookings.settle(admission.id, _once(corrections))
        return priced

    async def cancel(self, admission: Admission) -> None:
        """Gives back all that was booked for a request that was never sent.

        Raises:
            StoreError: as `settle`.
        """
        self._open.discard(admission)
        await self._bookings.give_back(admission.id, zip(admission.planned, admission.readings, strict=True))

    async def book(self, facts: Facts, usage: Usage, model: str = "", *, local: bool = False) -> Usage:
        """Books usage that no admission stands for, as work is reported that was begun elsewhere.

        It refuses nothing and counts no request.

        Returns:
            The usage with its cost.

        Raises:
            StoreError: as `settle`.
        """
        priced = self.priced(usage, facts, model, local=local)
        now = self._bookings.now
        corrections = [
            (plan.rule, Correction(plan.bare(facts, now(plan.rule)), actual))
            for plan in self._selector.select(facts)
            if plan.settles and (actual := plan.consumed(facts, priced))
        ]
        if corrections:
            await self._bookings.settle(self._new_id(), _once(corrections))
        return priced

    async def claim(self, work: str) -> bool:
        """Whether this is the first claim on that work within a day, of all proxies on the store.

        Raises:
            StoreError: it is unknown whether it is.
        """
        # A counter that one claim fills: atomic, shared and durable as far as the store is. No limit's name has a `!`
        # in keys.
        charge = Charge(f"{PREFIX}:!once:{work}", limit=1, need=1, take=1, ttl=CLAIMED, size=CLAIMED)
        return (await self._bookings.own.acquire(self._new_id(), [charge])).admitted

    async def renew(self) -> None:
        """Extends the leases of all running exchanges; call it several times within `LEASE`.

        Raises:
            StoreError: no lease is known to be extended.
        """
        await self._bookings.renew([(admission.id, admission.planned) for admission in self._open if admission.held])

    @property
    def running(self) -> int:
        """Exchanges that are not settled."""
        return len(self._open)

    def model(self, provider: str, name: str) -> str:
        """The model that the configuration says stands behind a request's name: its price and its limits count."""
        return self._prices.model(provider, name)

    def priced(self, usage: Usage, facts: Facts, model: str = "", *, local: bool = False) -> Usage:
        """`usage` with its cost in billionths of a dollar.

        Args:
            model: as the response names it; empty: as the request did.
        """
        priced = self._prices.bill(usage, facts, model, local=local, at=self._now())
        return replace(usage, cost=priced.cost, price_source=priced.source)

    def _hold(self, facts: Facts, forecast: Forecast, *, local: bool) -> Held:
        """What the request may consume, priced: what is likely at plain prices, the most at the dearest that apply."""
        scope = forecast.scope

        def priced(completion: int) -> Usage:
            prompt = forecast.prompt_tokens
            usage = Usage(
                prompt_tokens=prompt,
                completion_tokens=completion,
                total_tokens=prompt + completion,
                asked_tier=scope.tier,
                premium=scope.premium,
                units=forecast.units,
            )
            return self.priced(usage, facts, local=local)

        likely = priced(forecast.likely_completion)
        prompt, completion = max(forecast.most_prompt, forecast.prompt_tokens), forecast.max_completion
        at = self._now()
        cost = self._prices.most(prompt, completion, scope, facts, local=local, at=at)
        most = Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            cost=max(cost, likely.cost or 0),
        )
        return Held(priced(0), likely, most)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._bookings.now() / 1000, UTC)


def _outstanding(planned: Planned, facts: Facts, usage: Usage, *, served: bool) -> int | None:
    """What a charge must amount to in the end; None: what is booked already."""
    plan, charge = planned
    if not plan.settles:
        return None if served or not charge.take else 0
    actual = plan.consumed(facts, usage)
    return actual if actual or charge.take else None


def _once(corrections: list[tuple[Rule, Correction]]) -> list[tuple[Rule, Correction]]:
    """What an exchange consumed is booked once on a counter that several limits of a gateway share."""
    if not any(correction.charge.capped for _, correction in corrections[1:]):
        return corrections
    first: dict[object, tuple[Rule, Correction]] = {}
    for rule, correction in corrections:
        place = rule.ledger.place if rule.ledger else ""
        shared = (place, correction.charge.key) if correction.charge.capped else object()
        first.setdefault(shared, (rule, correction))
    return list(first.values())


def _correction(planned: Planned, reading: Reading, facts: Facts, actual: int, now: int) -> Correction:
    plan, charge = planned
    if not 0 < charge.expires_at <= now:
        return Correction(charge, actual, reading.expires_at)
    # The window ended while the exchange ran, and with it what was booked there. What goes beyond that counts in the
    # window that has followed: otherwise whatever crosses a window's end would be free.
    return Correction(plan.bare(facts, now), max(0, actual - charge.take))
