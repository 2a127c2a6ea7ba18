"""Calls that run at once."""

import asyncio

import pytest

from limiter.counters import Correction
from limiter.stores.contract import LEASE, Store, StoreError
from tests.contract.backends import Time
from tests.contract.test_windows import _peeks_are_not_repeats, anchored, fixed, used  # noqa: F401


async def test_a_hundred_at_once_share_five(store: Store) -> None:
    charge = fixed("key", 5)
    answers = await asyncio.gather(*(store.acquire(str(number), [charge]) for number in range(100)))
    assert sum(answer.admitted for answer in answers) == 5
    assert sorted(answer.readings[0].current for answer in answers) == [0, 1, 2, 3, 4] + [5] * 95


async def test_a_hundred_at_once_share_several_limits(store: Store, clock: Time) -> None:
    """All or none under load: what was refused on one counter is on no other, holds among them."""
    few, many = fixed("few", 5), fixed("many", 1000, 10, 10, hold=True, keep=4)
    soon = anchored("soon", 77, 7, 7, hold=True)
    answers = await asyncio.gather(*(store.acquire(str(number), [many, few, soon]) for number in range(100)))
    assert sum(answer.admitted for answer in answers) == 5
    assert [await used(store, charge) for charge in (few, many, soon)] == [5, 50, 35]
    clock.advance(LEASE)
    assert [await used(store, charge) for charge in (few, many, soon)] == [5, 20, 0]


async def test_one_id_at_once_is_booked_once(store: Store) -> None:
    charge = fixed("key", 500, 2, 2, hold=True)
    answers = await asyncio.gather(*(store.acquire("same", [charge]) for _ in range(50)))
    assert set(answers) == {answers[0]}
    await asyncio.gather(*(store.settle("same", [Correction(charge, 9)]) for _ in range(50)))
    assert await used(store, charge) == 9


async def test_whole_exchanges_at_once_add_up(store: Store) -> None:
    charges = [fixed("requests", 10**6), fixed("tokens", 10**6, 50, 50, hold=True, keep=5)]

    async def exchange(number: int) -> None:
        await store.acquire(str(number), charges)
        await store.renew([str(number)])
        await store.settle(str(number), [Correction(charges[1], number)])

    await asyncio.gather(*map(exchange, range(200)))
    assert [await used(store, charge) for charge in charges] == [200, sum(range(200))]


async def test_a_cancelled_call_leaves_the_store_whole(store: Store) -> None:
    charge = fixed("key", 10**6)
    tasks = [asyncio.create_task(store.acquire(str(number), [charge])) for number in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    answered = sum(not isinstance(answer, BaseException) for answer in done)
    assert 25 <= answered <= await used(store, charge) <= 50


async def test_calls_after_the_end_are_errors(store: Store) -> None:
    charge = fixed("key", 10**6)
    waiting = [asyncio.create_task(store.acquire(str(number), [charge])) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(store.close(), store.close())
    assert all(answer.admitted for answer in await asyncio.gather(*waiting))
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.acquire("a", [charge])
    with pytest.raises(StoreError, match="closed"):
        await store.settle("a", [])
    with pytest.raises(StoreError, match="closed"):
        await store.renew(["a"])
