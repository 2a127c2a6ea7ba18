"""redis.lua and postgres_step.sql are twins of counters.py: under the same random histories they answer exactly alike.

Numbers are large here and windows up to a century long, where arithmetic that is not exact would show.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from limiter.counters import Acquired, Charge, Correction, overlap
from limiter.stores.contract import Clock, Store
from limiter.stores.memory import MemoryStore
from limiter.stores.redis_script import LARGEST
from tests.contract.backends import NOON, Time
from tests.stores import postgres_backends, redis_backends

TWINS: dict[str, Callable[[Clock], Store]] = {
    "redis": redis_backends.standalone,
    "postgresql": postgres_backends.OwnStore,
}
SIZES = [1000, 60_000, 86_400_000, 604_800_000, 2_678_400_000, 3 * 2**39]
"""Milliseconds; of a second to a century."""
MOST_STEPS = 30
BOUND = LARGEST // (4 * MOST_STEPS)
"""So that no sum of a history passes what is exact in Redis."""

amounts = st.one_of(st.integers(-3, 12), st.integers(-BOUND, BOUND), st.just(BOUND))
takes = st.one_of(st.integers(0, 12), st.integers(0, BOUND))
twin = pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    key = draw(st.sampled_from("abc"))
    size = draw(st.sampled_from(SIZES))
    start = NOON + draw(st.integers(-size, size))
    ends = draw(st.sampled_from([0, start + size, start + 2 * size]))
    return Charge(
        key=f"{key}{ends}" if ends else key,
        limit=draw(st.sampled_from([0, 5, 30, BOUND, LARGEST, 2**62, 2**70, -(2**70)])),
        need=draw(takes),
        take=draw(takes),
        ttl=draw(st.sampled_from([0, *SIZES])),
        expires_at=ends,
        previous=draw(st.sampled_from(["", "a", "b", "c"])),
        start=start,
        size=size,
        hold=draw(st.booleans()),
        keep=draw(takes),
        penalty=draw(st.sampled_from([0, 0, 1, BOUND])),
        blocks=draw(st.sampled_from([True, True, False])),
        capped=draw(st.booleans()),
    )


class Step(NamedTuple):
    """One call about one of a few exchanges; it goes out together with those that follow and are `joined`."""

    exchange: int
    verb: str
    amounts: list[int]
    lease: int
    wait: int
    joined: bool


steps = st.builds(
    Step,
    exchange=st.integers(0, 9),
    verb=st.sampled_from(["acquire", "acquire", "settle", "settle", "renew"]),
    amounts=st.lists(amounts, min_size=4, max_size=4),
    lease=st.sampled_from([0, 500, 5000, 10**9]),
    wait=st.sampled_from([0, 0, 1, 499, 1000]),
    joined=st.booleans(),
)
# A batch of each exchange, and what happens.
batches = st.lists(st.lists(charges(), min_size=1, max_size=4), min_size=10, max_size=10)
histories = st.lists(steps, min_size=5, max_size=MOST_STEPS)


async def _call(store: Store, step: Step, batch: list[Charge], known: Acquired | None) -> Acquired | None:
    name = f"exchange {step.exchange}"
    if step.verb == "acquire":
        return await store.acquire(name, batch, step.lease)
    if step.verb == "renew":
        await store.renew([name, "unknown"], step.lease)
    elif known and known.admitted:
        corrections = [
            Correction(charge, amount, reading.expires_at)
            for charge, amount, reading in zip(batch, step.amounts, known.readings, strict=False)
            if amount != 1
        ]
        await store.settle(name, corrections)
    return None


async def _play(stores: list[Store], clock: Time, batch_of: list[list[Charge]], history: list[Step]) -> None:
    answers: dict[int, Acquired] = {}
    turn: list[Step] = []
    for step in history:
        turn.append(step)
        # A settlement needs the answer to its acquire, so those of a turn are about what earlier turns acquired.
        if step.joined:
            continue
        if len(turn) > 1:
            # Those of a transaction happen at one instant, after what was overdue by then was reaped.
            turn = [one._replace(lease=one.lease or 1) for one in turn]
        clock.advance(step.wait)
        found = [
            await asyncio.gather(
                *(_call(store, one, batch_of[one.exchange], answers.get(one.exchange)) for one in turn)
            )
            for store in stores
        ]
        assert found[0] == found[1]
        answers |= {one.exchange: answer for one, answer in zip(turn, found[0], strict=True) if answer}
        turn = []


@twin
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batch_of=batches, history=histories)
def test_the_twins_agree(twin: Callable[[Clock], Store], batch_of: list[list[Charge]], history: list[Step]) -> None:
    """Also when several calls share a round trip."""

    async def run() -> None:
        clock = Time(NOON)
        stores: list[Store] = [MemoryStore(clock), twin(clock)]
        try:
            await _play(stores, clock, batch_of, history)
        finally:
            for store in stores:
                await store.close()

    asyncio.run(run())


cases_of_shares = st.tuples(st.integers(-LARGEST, LARGEST), st.sampled_from(SIZES), st.floats(-0.1, 1.1)).map(
    lambda case: (case[0], case[1], int(case[1] * case[2]))
)


@twin
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(cases=st.lists(cases_of_shares, min_size=40, max_size=40))
@example(cases=[(LARGEST, 3 * 2**39, 1), (LARGEST - 1, 604_800_000, 604_799_999), (-LARGEST, 604_800_000, 12_345_679)])
# One more than a multiple of the size, just beyond 2^53, where a product of floats is even.
@example(cases=[(88_552_043, 2_678_400_000, 2_510_620_093), (112_969_489, 2_678_400_000, 2_435_288_591)])
def test_shares_of_sliding_windows_are_equal(twin: Callable[[Clock], Store], cases: list[tuple[int, int, int]]) -> None:
    """Previous count, size, milliseconds since the start."""

    async def share(store: Store, number: int, previous: int, size: int, elapsed: int) -> None:
        end, start = NOON + 2 * size, NOON - elapsed
        await store.settle(f"s{number}", [Correction(Charge(f"w{number}", 0, 0, 0, 0, end), previous)])
        charge = Charge(f"now{number}", 0, 0, 0, 0, end, f"w{number}", start, size, blocks=False)
        reading = (await store.acquire(f"a{number}", [charge])).readings[0]
        assert (reading.previous, reading.used) == (previous, overlap(previous, start, size, NOON))

    async def run() -> None:
        store = twin(Time(NOON))
        try:
            await asyncio.gather(*(share(store, number, *case) for number, case in enumerate(cases)))
        finally:
            await store.close()

    asyncio.run(run())


async def test_a_settlement_may_overtake_its_acquire() -> None:
    """It is booked whole, and once; what comes too late is a booking of its own."""
    clock = Time(NOON)
    charge = Charge("key", 100, 5, 5, 0, NOON + 1000)
    for store in (MemoryStore(clock), *(twin(clock) for twin in TWINS.values())):
        await store.settle("a", [Correction(charge._replace(take=0), 7)])
        for _ in range(2):
            assert (await store.acquire("a", [charge])).readings[0].current == 7
            await store.settle("a", [Correction(charge, 50)])
        assert (await store.acquire("b", [charge])).readings[0].current == 12
        await store.close()
