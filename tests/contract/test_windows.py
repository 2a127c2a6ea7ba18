"""Counters in windows: what fits, what is booked, when it is over."""

from fractions import Fraction
from math import ceil

import pytest

from limiter.counters import Charge, Correction
from limiter.stores.contract import Store
from tests.contract.backends import NOON, Time

DAY = 86_400_000


def fixed(key: str, limit: int, need: int = 1, take: int = 1, **more: object) -> Charge:
    return Charge(key, limit, need, take, ttl=0, expires_at=NOON + DAY)._replace(**more)


def anchored(key: str, limit: int, need: int = 1, take: int = 1, ttl: int = 60_000, **more: object) -> Charge:
    return Charge(key, limit, need, take, ttl)._replace(**more)


async def used(store: Store, charge: Charge) -> int:
    """What the charge's counter holds."""
    acquired = await store.acquire("", [charge._replace(need=0, take=0, penalty=0, blocks=False, hold=False)])
    return acquired.readings[0].used


@pytest.fixture(autouse=True)
def _peeks_are_not_repeats(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """`used` gives every peek an id of its own."""
    count = iter(range(10**9))
    acquire = store.acquire

    async def numbered(id: str, *args: object, **kwargs: object) -> object:
        return await acquire(id or f"peek {next(count)}", *args, **kwargs)

    monkeypatch.setattr(store, "acquire", numbered)


async def test_a_batch_books_all_or_none(store: Store) -> None:
    """One charge that does not fit keeps every other from being booked, whatever their windows and units."""
    requests, cents = fixed("requests", 2), anchored("cents", 10**10, 10**9, 10**9)
    tokens = fixed("tokens", 100, 40, 40, expires_at=NOON + 1000)
    for number in range(2):
        assert (await store.acquire(f"a{number}", [requests, cents, tokens])).admitted
    refused = await store.acquire("b", [cents, tokens, requests])
    assert not refused.admitted
    assert [reading.fits for reading in refused.readings] == [True, False, False]
    assert [await used(store, charge) for charge in (requests, cents, tokens)] == [2, 2 * 10**9, 80]


async def test_an_answer_shows_the_store_and_its_time(store: Store, clock: Time) -> None:
    await store.acquire("a", [fixed("key", 10, 3, 3)])
    clock.advance(5)
    acquired = await store.acquire("b", [fixed("key", 10, 3, 3)])
    assert acquired.now == NOON + 5
    assert acquired.readings[0]._asdict() == {
        "current": 3, "previous": 0, "used": 3, "expires_at": NOON + DAY, "fits": True, "known": True,
    }  # fmt: skip


async def test_no_charges_answer_with_the_time(store: Store, clock: Time) -> None:
    """A clock can be read again and again under one id."""
    assert await store.acquire("a", []) == (True, NOON, ())
    clock.advance(1)
    assert await store.acquire("a", []) == (True, NOON + 1, ())


@pytest.mark.parametrize(
    ("need", "take", "admitted", "left"),
    [
        pytest.param(1, 1, 5, 5, id="counted at arrival"),
        pytest.param(1, 0, 9, 0, id="paid after"),
        pytest.param(0, 0, 9, 0, id="peek"),
        pytest.param(2, 2, 2, 4, id="reserved"),
        pytest.param(5, 2, 1, 2, id="needs more than it takes"),
        pytest.param(0, 3, 2, 6, id="takes without need"),
        pytest.param(6, 1, 0, 0, id="never fits"),
    ],
)
async def test_need_must_be_free_and_take_is_booked(
    store: Store, need: int, take: int, admitted: int, left: int
) -> None:
    charge = fixed("key", 5, need, take)
    answers = [(await store.acquire(str(number), [charge])).admitted for number in range(9)]
    assert sum(answers) == admitted
    assert answers == sorted(answers, reverse=True)
    assert await used(store, charge) == left


async def test_pay_after_refuses_at_the_limit_and_peek_past_it(store: Store) -> None:
    charge = fixed("key", 5, 1, 0)
    await store.settle("a", [Correction(charge, 5)])
    assert not (await store.acquire("b", [charge])).admitted
    assert (await store.acquire("c", [charge._replace(need=0)])).admitted
    await store.settle("d", [Correction(charge, 1)])
    assert not (await store.acquire("e", [charge._replace(need=0)])).admitted


async def test_a_charge_that_does_not_block_books_past_the_limit(store: Store) -> None:
    charge = fixed("key", 1, 4, 4, blocks=False)
    for number in range(3):
        assert (await store.acquire(str(number), [charge])).admitted
    assert await used(store, charge) == 12


async def test_a_refusal_books_the_penalty_of_every_charge(store: Store) -> None:
    """Counted as often as it is refused, on all counters of the batch that ask for it, and past the limit."""
    full, other, silent = fixed("full", 0, penalty=1), anchored("other", 9, penalty=2), fixed("silent", 9)
    for number in range(3):
        refused = await store.acquire(str(number), [silent, other, full])
        assert not refused.admitted
    assert refused.readings[1].expires_at == NOON + 60_000
    assert [await used(store, charge) for charge in (full, other, silent)] == [3, 6, 0]


async def test_two_charges_on_one_key_share_it(store: Store) -> None:
    """The second sees what the first took, so the last unit is not given twice."""
    charge = fixed("key", 3)
    first = await store.acquire("a", [charge, charge])
    assert [reading.current for reading in first.readings] == [0, 1]
    assert not (await store.acquire("b", [charge, charge])).admitted
    assert await used(store, charge) == 2
    assert (await store.acquire("c", [charge])).admitted


async def test_a_fixed_window_ends_on_the_millisecond(store: Store, clock: Time) -> None:
    charge = fixed("key", 1, expires_at=NOON + 1000)
    await store.acquire("a", [charge])
    clock.advance(999)
    assert not (await store.acquire("b", [charge])).admitted
    clock.advance(1)
    assert await used(store, charge) == 0
    # Nothing can be booked in a window that is over.
    assert (await store.acquire("c", [charge])).admitted
    await store.settle("c", [Correction(charge, 7)])
    assert await used(store, charge) == 0


@pytest.mark.parametrize("previous", [1, 3, 7, 49, 1000, 999_983, 2**53 - 1, 2**53])
async def test_a_sliding_window_sees_the_exact_share_of_the_one_before(
    store: Store, clock: Time, previous: int
) -> None:
    """Rounded up from the true fraction, at every kind of moment: none of it is lost to floating point."""
    size = 49_000
    before = Charge("w0", 2**60, 0, previous, 0, NOON + 2 * size)
    await store.acquire("before", [before])
    charge = Charge("w1", 2**60, 0, 0, 0, NOON + 3 * size, previous="w0", start=NOON + size, size=size)
    for elapsed in (-5, 0, 1, 1000, 7000, 16_333, 24_500, 48_000, 48_999):
        clock.now = NOON + size + elapsed
        reading = (await store.acquire("", [charge])).readings[0]
        share = Fraction(previous * (size - max(elapsed, 0)), size)
        assert (reading.current, reading.previous, reading.used) == (0, previous, ceil(share))
    clock.now = NOON + 2 * size
    assert await used(store, charge) == 0


async def test_a_sliding_window_admits_by_both_windows(store: Store, clock: Time) -> None:
    await store.acquire("before", [Charge("w0", 100, 0, 40, 0, NOON + 20_000)])
    charge = Charge("w1", 30, 1, 1, 0, NOON + 30_000, previous="w0", start=NOON + 10_000, size=10_000)
    clock.now = NOON + 15_000
    answers = [(await store.acquire(str(number), [charge])).admitted for number in range(15)]
    assert answers == [True] * 10 + [False] * 5
    clock.advance(250)
    assert (await store.acquire("later", [charge])).admitted


async def test_an_anchored_window_starts_at_the_first_booking(store: Store, clock: Time) -> None:
    charge = anchored("key", 2)
    assert (await store.acquire("", [charge._replace(take=0)])).readings[0].expires_at == 0
    clock.advance(100)
    assert (await store.acquire("a", [charge])).readings[0].expires_at == NOON + 60_100
    clock.advance(50)
    assert (await store.acquire("b", [charge])).readings[0].expires_at == NOON + 60_100
    clock.now = NOON + 60_099
    assert not (await store.acquire("c", [charge])).admitted
    clock.now = NOON + 60_100
    assert (await store.acquire("d", [charge])).readings[0].expires_at == NOON + 120_100
    assert await used(store, charge) == 1


async def test_a_refused_batch_begins_no_anchored_window(store: Store) -> None:
    """Not even in the reading of a second charge on its key."""
    charge = anchored("key", 1)
    refused = await store.acquire("a", [charge, charge])
    assert [reading.expires_at for reading in refused.readings] == [0, 0]
    assert await used(store, charge) == 0


async def test_a_take_of_an_ended_anchored_window_is_not_taken_off_the_next(store: Store, clock: Time) -> None:
    charge = anchored("key", 100, 10, 10)
    end = (await store.acquire("a", [charge])).readings[0].expires_at
    clock.now = end
    await store.acquire("b", [charge])
    await store.settle("a", [Correction(charge, 3, anchor=end)])
    assert await used(store, charge) == 13


async def test_a_settlement_begins_an_anchored_window(store: Store, clock: Time) -> None:
    charge = anchored("key", 100, 0, 0)
    await store.settle("a", [Correction(charge, 7)])
    clock.advance(59_999)
    assert await used(store, charge) == 7
    clock.advance(1)
    assert await used(store, charge) == 0


@pytest.mark.parametrize("value", [2**31, 2**53 - 1, 2**53, -(2**53)])
async def test_large_values_are_exact(store: Store, value: int) -> None:
    charge = fixed("key", 2**53, 0, 0)
    await store.settle("a", [Correction(charge, value)])
    assert await used(store, charge) == value
    assert (await store.acquire("b", [charge._replace(need=2**53 - value)])).admitted
    assert not (await store.acquire("c", [charge._replace(need=2**53 - value + 1)])).admitted


KEYS = (
    "", " ", "\0", "a\0b", "a\0c", "it's", 'say "so"', "a\nb", "a\rb", "semi;colon--", "%s ? :1", "ключ", "鍵",
    "e\u0301", "\xe9", "🔑", "\udc80", "\ud83d", "a{b}c", "[*]", "\\", "\x7f", "\ufeff", "x" * 5000,
)  # fmt: skip


async def test_any_text_is_a_key_and_an_id(store: Store, clock: Time) -> None:
    """And no two of them are the same one."""
    for number, key in enumerate(KEYS, 1):
        charge = fixed(key, 100, number, number, hold=True, keep=1)
        assert (await store.acquire(f"id {key}", [charge])).admitted
        assert (await store.acquire(f"id {key}", [charge])).readings[0].current == 0
    assert [await used(store, fixed(key, 100)) for key in KEYS] == [*range(1, len(KEYS) + 1)]
    await store.renew([f"id {key}" for key in KEYS[:12]], 10**6)
    clock.advance(120_000)
    expected = [*range(1, 13)] + [1] * (len(KEYS) - 12)
    assert [await used(store, fixed(key, 100)) for key in KEYS] == expected
    for key in KEYS:
        await store.settle(f"id {key}", [])


async def test_ended_counters_leave_the_store(store: Store, clock: Time, size: object) -> None:
    """While traffic goes on, the dead never outnumber a small multiple of the living."""
    most = 0
    for second in range(120):
        for number in range(5):
            end = clock.now + 2000
            charges = [Charge(f"{kind}:{second}:{number}", 9, 1, 1, 0, end) for kind in "abc"]
            await store.acquire(f"{second}:{number}", [*charges, anchored(f"d:{second}:{number}", 9, ttl=1500)])
        clock.advance(1000)
        most = max(most, size())
    assert most < 200


async def test_a_clock_that_steps_back_breaks_nothing(store: Store, clock: Time) -> None:
    charge = fixed("key", 3, expires_at=NOON + 10**7)
    clock.advance(10**6)
    await store.acquire("a", [charge])
    clock.now = NOON - 10**6
    assert (await store.acquire("b", [charge])).now == NOON - 10**6
    await store.settle("b", [Correction(charge, 2)])
    assert await used(store, charge) == 3
