"""Random histories with random clocks: every store gives the oracle's answers, so all give the same."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limiter.counters import Charge, Correction
from limiter.stores.contract import Store
from tests.contract.backends import BACKENDS, NOON, Time
from tests.contract.oracle import Oracle

DIFFERENT = [backend for backend in BACKENDS if not backend.name.startswith("redis-")]
"""Redis runs the same script in all its forms."""
SIZE = 4000
"""Milliseconds of the windows. A whole history is shorter than `REMEMBERED`, so that no id is forgotten on the way."""


class Limit(NamedTuple):
    """From which charges are made at any moment."""

    key: str
    kind: str
    limit: int
    need: int
    take: int
    keep: int
    penalty: int
    hold: bool
    blocks: bool
    capped: bool

    def charge(self, now: int) -> Charge:
        start = now - now % SIZE
        # A key names one window, so windows of different kinds have different keys.
        key, previous, end = f"{self.key}:{self.kind}", "", 0
        if self.kind == "sliding":
            previous, end = f"{key}:{start - SIZE}", start + 2 * SIZE
        if self.kind == "fixed":
            end = start + SIZE
        if self.kind != "anchored":
            key = f"{key}:{start}"
        return Charge(
            key, self.limit, self.need, self.take, SIZE, end, previous, start, SIZE,
            self.hold, self.keep, self.penalty, self.blocks, self.capped,
        )  # fmt: skip


class Step(NamedTuple):
    """One call; `pick` chooses among the exchanges so far."""

    verb: str
    limits: list[int]
    amounts: list[int]
    pick: int
    lease: int
    wait: int
    """Milliseconds that pass before."""
    lag: int
    """Milliseconds by which the caller's clock is behind."""


limits = st.builds(
    Limit,
    key=st.sampled_from(["a", "b'\n\0"]),
    kind=st.sampled_from(["fixed", "sliding", "anchored"]),
    # Mostly ample, as only what is admitted can be settled and reaped.
    limit=st.sampled_from([0, 7, 30, 200, 2**53]),
    need=st.sampled_from([0, 1, 5]),
    take=st.sampled_from([0, 1, 5, 12]),
    keep=st.sampled_from([0, 0, 3, 8]),
    penalty=st.sampled_from([0, 0, 1, 3]),
    hold=st.sampled_from([True, True, False]),
    blocks=st.sampled_from([True, True, True, False]),
    capped=st.sampled_from([False, False, True]),
)
waits = st.sampled_from([0, 1, 100, 500, 1000, 2000, 4001])
steps = st.builds(
    Step,
    verb=st.sampled_from(["acquire", "acquire", "acquire", "settle", "settle", "settle", "renew", "repeat"]),
    limits=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    # No sum of a history passes 2**53, where some stores stop.
    amounts=st.lists(st.one_of(st.integers(-5, 25), st.sampled_from([0, 0, 2**45])), min_size=4, max_size=4),
    pick=st.integers(0, 5),
    lease=st.sampled_from([0, 100, 600, 1000, 5000]),
    wait=waits,
    lag=st.sampled_from([0, 0, 0, 1, 600]),
)


async def _replay(stores: Sequence[Store], clock: Time, known: Sequence[Limit], history: Sequence[Step]) -> None:
    oracle = Oracle()
    made: list[tuple[str, list[Charge]]] = []
    for number, step in enumerate(history):
        clock.advance(step.wait)
        now = clock.now
        name, charges = made[-1 - step.pick % len(made)] if made else ("unknown", [])
        match step.verb:
            case "acquire" | "repeat":
                if step.verb == "acquire" or not made:
                    name = f"exchange {number}"
                    charges = [known[index % len(known)].charge(now - step.lag) for index in step.limits]
                    made.append((name, charges))
                expected = oracle.acquire(name, charges, step.lease, now)
                for store in stores:
                    assert await store.acquire(name, charges, step.lease) == expected, type(store)
            case "settle":
                answer = oracle.answers.get(name)
                if answer is None or not answer.admitted:
                    continue
                corrections = [
                    (index, Correction(charge, step.amounts[index], reading.expires_at))
                    for index, (charge, reading) in enumerate(zip(charges, answer.readings, strict=True))
                    if step.amounts[index] != 1
                ]
                oracle.settle(name, corrections, now)
                for store in stores:
                    await store.settle(name, [correction for _, correction in corrections])
            case "renew":
                ids = [made_name for made_name, _ in made[: step.pick]]
                oracle.renew(ids, step.lease, now)
                for store in stores:
                    await store.renew(ids, step.lease)
    peeks = [Charge(key, 0, 0, 0, 0, window.end, blocks=False) for key, window in sorted(oracle.windows.items())]
    if peeks:
        expected = oracle.acquire("the end", peeks, 0, clock.now)
        for store in stores:
            assert await store.acquire("the end", peeks) == expected, type(store)


@pytest.mark.xdist_group("redis")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(known=st.lists(limits, min_size=1, max_size=4), history=st.lists(steps, min_size=15, max_size=29))
def test_every_store_answers_as_the_oracle(known: list[Limit], history: list[Step]) -> None:
    async def run() -> None:
        clock = Time(NOON)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stores = [backend.open(folder, clock) for backend in DIFFERENT]
            try:
                await _replay(stores, clock, known, history)
            finally:
                for store in stores:
                    await store.close()

    asyncio.run(run())
