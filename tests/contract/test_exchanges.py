"""Settlements, holds, and calls that are repeated."""

from limiter.counters import Acquired, Correction
from limiter.stores.contract import LEASE, REMEMBERED, Store
from tests.contract.backends import Time
from tests.contract.test_windows import _peeks_are_not_repeats, anchored, fixed, used  # noqa: F401

HELD = fixed("held", 100, 30, 30, hold=True, keep=10)


async def test_a_settlement_may_pass_the_limit(store: Store) -> None:
    charge = fixed("key", 10, 5, 5)
    await store.acquire("a", [charge])
    await store.settle("a", [Correction(charge, 500)])
    assert await used(store, charge) == 500


async def test_a_settlement_may_give_all_back_and_more(store: Store) -> None:
    charge = fixed("key", 10, 5, 5)
    for name, actual in (("a", 0), ("b", -3)):
        await store.acquire(name, [charge])
        await store.settle(name, [Correction(charge, actual)])
    assert await used(store, charge) == -3
    assert (await store.acquire("c", [charge._replace(need=13)])).admitted


async def test_a_settlement_after_the_windows_end_is_dropped(store: Store, clock: Time) -> None:
    charge = fixed("key", 10, 5, 5, expires_at=clock.now + 1000)
    await store.acquire("a", [charge])
    clock.advance(1000)
    await store.settle("a", [Correction(charge, 9)])
    assert await used(store, charge) == 0


async def test_a_settlement_corrects_several_charges_at_once(store: Store) -> None:
    charges = [fixed("one", 10, 1, 1), anchored("two", 100, 50, 50), fixed("three", 9, 0, 0), fixed("one", 10, 2, 2)]
    acquired = await store.acquire("a", charges)
    pairs = zip(charges, (1, 20, 30, 5), acquired.readings, strict=True)
    await store.settle("a", [Correction(charge, actual, reading.expires_at) for charge, actual, reading in pairs])
    assert [await used(store, charge) for charge in charges] == [6, 20, 30, 6]


async def test_a_capped_counter_drops_settlements_once_past_the_limit(store: Store) -> None:
    charge = anchored("key", 10, 0, 0, capped=True)
    for name, actual in (("a", 10), ("b", 5), ("c", 7), ("d", 1)):
        await store.settle(name, [Correction(charge, actual)])
    assert await used(store, charge) == 15


async def test_a_capped_settlement_of_nothing_begins_the_window(store: Store, clock: Time) -> None:
    """As the gateway does; others leave no trace."""
    capped, plain = anchored("capped", 10, 0, 0, capped=True), anchored("plain", 10, 0, 0)
    await store.settle("a", [Correction(capped, 0), Correction(plain, 0)])
    readings = (await store.acquire("b", [capped, plain])).readings
    assert [reading.expires_at for reading in readings] == [clock.now + 60_000, 0]


async def test_an_admission_repeated_is_answered_alike_and_booked_once(store: Store, clock: Time) -> None:
    charges = [fixed("key", 10, 4, 4), anchored("other", 10)]
    first = await store.acquire("a", charges)
    clock.advance(REMEMBERED - 1)
    again = await store.acquire("a", charges)
    assert again == first
    assert isinstance(again, Acquired)
    assert await used(store, charges[0]) == 4


async def test_a_refusal_repeated_is_answered_alike_and_punished_once(store: Store) -> None:
    """Even if there is room by then."""
    charge = fixed("key", 1, 2, 2, penalty=1)
    first = await store.acquire("a", [charge])
    assert not first.admitted
    await store.settle("refund", [Correction(charge._replace(take=0), -1)])
    assert await store.acquire("a", [charge]) == first
    assert await used(store, charge) == 0


async def test_a_settlement_repeated_is_booked_once(store: Store) -> None:
    charge = fixed("key", 10, 5, 5)
    first = await store.acquire("a", [charge])
    for _ in range(3):
        await store.settle("a", [Correction(charge, 7)])
        assert await store.acquire("a", [charge]) == first
    assert await used(store, charge) == 7


async def test_a_hold_is_reaped_down_to_what_is_kept(store: Store, clock: Time) -> None:
    """By an acquire at the lease's end, before that acquire looks whether it fits. Charges that are no hold stay."""
    plain = fixed("plain", 100, 5, 5)
    await store.acquire("a", [HELD, plain, anchored("gone", 9, 9, 9, ttl=1000, hold=True)])
    clock.advance(LEASE - 1)
    assert not (await store.acquire("b", [HELD._replace(need=71, take=0)])).admitted
    clock.advance(1)
    acquired = await store.acquire("c", [HELD._replace(need=90, take=0)])
    assert acquired.admitted
    assert acquired.readings[0].current == 10
    assert await used(store, plain) == 5


async def test_a_hold_that_keeps_all_is_never_reaped(store: Store, clock: Time) -> None:
    """Also if more than all is to be kept: what is settled later starts from what was really booked."""
    charges = [fixed("all", 100, 30, 30, hold=True, keep=30), fixed("more", 100, 30, 30, hold=True, keep=50)]
    await store.acquire("a", [*charges, HELD])
    clock.advance(LEASE)
    assert [await used(store, charge) for charge in (*charges, HELD)] == [30, 30, 10]
    await store.settle("a", [Correction(charge, 35) for charge in (*charges, HELD)])
    assert [await used(store, charge) for charge in (*charges, HELD)] == [35, 35, 35]


async def test_a_renewed_hold_stands(store: Store, clock: Time) -> None:
    await store.acquire("a", [HELD], 1000)
    for _ in range(5):
        clock.advance(900)
        await store.renew(["unknown", "a"], 1000)
        assert await used(store, HELD) == 30
    clock.advance(1000)
    assert await used(store, HELD) == 10
    await store.renew(["a"], 1000)
    assert await used(store, HELD) == 10


async def test_a_hold_can_be_renewed_until_it_is_reaped(store: Store, clock: Time) -> None:
    await store.acquire("a", [HELD], 1000)
    clock.advance(5000)
    await store.renew(["a"], 1000)
    assert await used(store, HELD) == 30


async def test_a_lease_can_be_shortened(store: Store, clock: Time) -> None:
    await store.acquire("a", [HELD], 10_000)
    await store.renew(["a"], 100)
    clock.advance(100)
    assert await used(store, HELD) == 10


async def test_a_settlement_is_exact_before_and_after_reaping(store: Store, clock: Time) -> None:
    for name in ("early", "overdue", "late"):
        await store.acquire(name, [HELD], 1000)
    await store.settle("early", [Correction(HELD, 1)])
    clock.advance(1000)
    await store.settle("overdue", [Correction(HELD, 2)])
    assert await used(store, HELD) == 1 + 2 + 10
    await store.settle("late", [Correction(HELD, 4)])
    assert await used(store, HELD) == 1 + 2 + 4


async def test_a_settled_hold_is_never_reaped(store: Store, clock: Time) -> None:
    """Also when the settlement corrects nothing, which leaves the takes booked."""
    other = fixed("other", 100, 30, 30, hold=True)
    await store.acquire("a", [HELD])
    await store.acquire("b", [other])
    await store.settle("a", [Correction(HELD, 25)])
    await store.settle("b", [])
    await store.renew(["a", "b"], 1)
    clock.advance(2 * LEASE)
    assert [await used(store, charge) for charge in (HELD, other)] == [25, 30]


async def test_a_refused_batch_holds_nothing(store: Store, clock: Time) -> None:
    await store.acquire("a", [HELD])
    assert not (await store.acquire("b", [HELD, HELD, HELD])).admitted
    await store.settle("a", [Correction(HELD, 30)])
    clock.advance(LEASE)
    assert await used(store, HELD) == 30


async def test_reaping_spares_the_anchored_window_that_followed(store: Store, clock: Time) -> None:
    charge = anchored("key", 100, 30, 30, ttl=1000, hold=True)
    await store.acquire("a", [charge], 5000)
    clock.advance(1000)
    await store.acquire("b", [charge], 10**6)
    clock.advance(999)
    await store.renew(["a"], 0)
    assert await used(store, charge) == 30


async def test_an_anchored_window_that_cannot_begin_releases_nothing(store: Store, clock: Time) -> None:
    charge = anchored("key", 100, 30, 30, ttl=0, hold=True)
    assert (await store.acquire("a", [charge], 1000)).admitted
    await store.acquire("b", [charge._replace(ttl=10**6)], 10**6)
    clock.advance(1000)
    assert await used(store, charge) == 30


async def test_many_holds_are_reaped_at_once(store: Store, clock: Time) -> None:
    charge = fixed("key", 10**6, 2, 2, hold=True, keep=1)
    for number in range(300):
        await store.acquire(str(number), [charge])
    clock.advance(LEASE)
    assert await used(store, charge) == 300


async def test_an_id_is_forgotten_in_time(store: Store, clock: Time) -> None:
    """So that stores do not grow with all the exchanges there ever were."""
    charge = fixed("key", 10**6)
    await store.acquire("a", [charge])
    clock.advance(REMEMBERED)
    for number in range(200):
        await store.acquire(f"other {number}", [charge._replace(take=0)])
    await store.acquire("a", [charge])
    assert await used(store, charge) == 2
