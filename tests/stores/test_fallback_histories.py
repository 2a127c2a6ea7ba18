"""After any outages the counters are as if there had been none."""

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import StoreError
from limiter.stores.fallback import FallbackStore, OnError
from limiter.stores.memory import MemoryStore
from tests.contract.backends import Time
from tests.stores.faulty import AFTER, CHARGE, HELD, MODES, Primary, even, settle

BATCH = (
    CHARGE._replace(limit=12),
    HELD._replace(limit=400),
    AFTER._replace(limit=500),
    Charge("anchored", 100, 7, 7, 10**9, hold=True, keep=3),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["acquire"] * 4 + ["settle"] * 4 + ["cancel", "renew", "failing", "forgetful", "well", "even", ""]
        ),
        st.integers(0, 19),
        st.integers(-5, 90),
    ),
    min_size=30,
    max_size=80,
)
"""What is done, by or to which exchange or for how many turns of the loop, and the true amount."""


@given(on_error=st.sampled_from(MODES), steps=STEPS)
def test_after_outages_the_counters_are_as_without(on_error: OnError, steps: list[tuple[str, int, int]]) -> None:
    """Those of all exchanges that were admitted, by whomever."""
    asyncio.run(compare_with_no_outage(on_error, steps))


async def compare_with_no_outage(on_error: OnError, steps: list[tuple[str, int, int]]) -> None:
    clock = Time()
    primary, without = Primary(MemoryStore(clock)), Primary(MemoryStore(clock))
    store = FallbackStore(primary, on_error, clock, timeout=10, retry=0)
    admitted: dict[int, tuple[Acquired, Acquired]] = {}
    for step, number, amount in steps:
        match step:
            case "acquire" if number not in admitted:
                with suppress(StoreError):
                    acquired = await store.acquire(str(number), BATCH)
                    if acquired.admitted:
                        forced = [charge._replace(blocks=False) for charge in BATCH]
                        admitted[number] = acquired, await without.acquire(str(number), forced)
            case "cancel" | "settle" if number in admitted:
                actual = amount if step == "settle" else None
                told, expected = admitted[number]
                await settle(store, str(number), *corrections(told, actual))
                await without.settle(str(number), corrections(expected, actual))
            case "renew":
                with suppress(StoreError):
                    await store.renew([str(number)])
            case "failing" | "forgetful" | "well":
                # What `deny` refuses for want of an answer may be booked.
                primary.forgetful = step == "forgetful" and on_error != "deny"
                primary.failing = step != "well" and not primary.forgetful
            case "even" if not (primary.failing or primary.forgetful):
                await even(store)
            case _:
                for _ in range(number):
                    await asyncio.sleep(0)
    primary.failing = primary.forgetful = False
    await even(store)
    assert [await primary.used(charge) for charge in BATCH] == [await without.used(charge) for charge in BATCH]
    assert store.tally.lost == 0
    await store.close()


def corrections(acquired: Acquired, amount: int | None) -> list[Correction]:
    """Of a batch; without an amount all of it is taken back, as of a request that was never sent."""
    pairs = zip(BATCH, acquired.readings, strict=True)
    return [
        Correction(charge, amount or 0, reading.expires_at)
        for charge, reading in pairs
        if amount is None or charge.key != CHARGE.key
    ]
