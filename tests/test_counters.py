"""The arithmetic of counters, as pure functions. What stores make of it is in `contract/`."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter import counters
from limiter.counters import Acquired, Charge, Correction, Counter, Release

NOW = 1_700_000_000_000
END = NOW + 1000

amounts = st.integers(-(2**53), 2**53)
books = st.dictionaries(
    st.sampled_from("abcd"), st.builds(Counter, st.integers(-5, 30), st.sampled_from([NOW - 1, NOW, NOW + 1, END]))
)
charges = st.lists(
    st.builds(
        Charge,
        key=st.sampled_from("abc"),
        limit=st.integers(0, 30),
        need=st.integers(0, 9),
        take=st.integers(0, 9),
        ttl=st.just(500),
        expires_at=st.sampled_from([0, END]),
        previous=st.sampled_from(["", "d"]),
        start=st.sampled_from([NOW - 300, NOW]),
        size=st.just(1000),
        hold=st.booleans(),
        keep=st.integers(0, 9),
        penalty=st.integers(0, 2),
        blocks=st.booleans(),
        capped=st.just(False),
    ),
    max_size=5,
)


def plain(**fields: int | bool) -> Charge:
    return Charge("key", 10, 1, 1, 500, END)._replace(**fields)


@given(previous=amounts, size=st.integers(1, 2**42), elapsed=st.integers(-(10**6), 2**42))
def test_an_overlap_is_the_true_share_rounded_up(previous: int, size: int, elapsed: int) -> None:
    share = Fraction(size - min(max(elapsed, 0), size), size)
    assert counters.overlap(previous, NOW, size, NOW + elapsed) == ceil(previous * share)


@pytest.mark.parametrize(
    ("elapsed", "expected"), [(-1, 7), (0, 7), (1, 7), (500, 4), (858, 1), (999, 1), (1000, 0), (5000, 0)]
)
def test_an_overlap_shrinks_over_the_window(elapsed: int, expected: int) -> None:
    assert counters.overlap(7, NOW, 1000, NOW + elapsed) == expected


def test_no_charges_are_admitted() -> None:
    assert counters.acquire({}, [], NOW) == (Acquired(True, NOW, ()), {})


def test_an_acquire_changes_only_what_it_takes_from() -> None:
    book = {"key": Counter(3, END), "other": Counter(1, END)}
    acquired, changes = counters.acquire(book, [plain(), plain(take=0)._replace(key="other")], NOW)
    assert acquired.admitted
    assert changes == {"key": Counter(4, END)}
    assert book == {"key": Counter(3, END), "other": Counter(1, END)}


def test_a_counter_that_is_over_is_absent() -> None:
    acquired, changes = counters.acquire({"key": Counter(10, NOW)}, [plain()], NOW)
    assert acquired.readings[0].current == 0
    assert changes == {"key": Counter(1, END)}


def test_an_anchored_window_keeps_the_end_it_began_with() -> None:
    charge = plain(expires_at=0)
    first, changes = counters.acquire({}, [charge], NOW)
    second, _ = counters.acquire(changes, [charge], NOW + 100)
    assert first.readings[0].expires_at == second.readings[0].expires_at == NOW + 500


def test_keys_names_each_once_and_the_windows_before() -> None:
    batch = [plain(), plain()._replace(key="b", previous="a"), plain()._replace(key="a")]
    assert counters.keys(batch) == ["key", "b", "a"]


@given(book=books, batch=charges)
def test_an_acquire_is_all_or_nothing(book: dict[str, Counter], batch: list[Charge]) -> None:
    acquired, changes = counters.acquire(book, batch, NOW)
    assert acquired.admitted == all(reading.fits for reading in acquired.readings)
    assert len(acquired.readings) == len(batch)

    def value(state: dict[str, Counter], key: str) -> int:
        counter = state.get(key)
        return counter.value if counter and counter.expires_at > NOW else 0

    for key in {charge.key for charge in batch}:
        added = sum(charge.take if acquired.admitted else charge.penalty for charge in batch if charge.key == key)
        assert value(book | changes, key) - value(book, key) == added
    assert set(changes) <= {charge.key for charge in batch}


@given(book=books, batch=charges)
def test_a_hold_settled_at_its_keep_is_a_hold_reaped(book: dict[str, Counter], batch: list[Charge]) -> None:
    """And a settlement comes to the same before and after the reaping."""
    acquired, changes = counters.acquire(book, batch, NOW)
    if not acquired.admitted:
        return
    booked = book | changes
    reaped = booked | counters.release(booked, counters.releases(batch, acquired), NOW)
    pairs = list(zip(batch, acquired.readings, strict=True))
    kept = [
        Correction(charge, min(charge.keep, charge.take) if charge.hold else charge.take, reading.expires_at)
        for charge, reading in pairs
    ]
    assert booked | counters.settle(booked, kept, NOW, held=True) == reaped
    actual = [Correction(charge, index * 7 - 3, reading.expires_at) for index, (charge, reading) in enumerate(pairs)]
    early = booked | counters.settle(booked, actual, NOW, held=True)
    assert early == reaped | counters.settle(reaped, actual, NOW, held=False)


@given(book=books, batch=charges)
def test_a_settlement_of_nothing_undoes_an_acquire(book: dict[str, Counter], batch: list[Charge]) -> None:
    acquired, changes = counters.acquire(book, batch, NOW)
    if not acquired.admitted:
        return
    booked = book | changes
    pairs = zip(batch, acquired.readings, strict=True)
    undone = booked | counters.settle(booked, [Correction(c, 0, r.expires_at) for c, r in pairs], NOW, held=True)
    for key, counter in undone.items():
        before = book.get(key)
        assert counter.value == (before.value if before and before.expires_at > NOW else 0) or counter == before


def test_releases_are_what_a_hold_has_above_its_keep() -> None:
    batch = [
        plain(take=5),
        plain(take=5, hold=True, keep=2),
        plain(take=5, hold=True, keep=5),
        plain(take=5, hold=True, expires_at=0)._replace(key="anchored"),
        plain(take=5, hold=True, expires_at=0, ttl=0)._replace(key="never"),
    ]
    acquired, _ = counters.acquire({}, [charge._replace(limit=99) for charge in batch], NOW)
    assert counters.releases(batch, acquired) == (Release("key", 3, 0), Release("anchored", 5, NOW + 500))


def test_a_release_leaves_the_dead_and_the_followers_alone() -> None:
    book = {"dead": Counter(9, NOW), "next": Counter(9, END + 1), "same": Counter(9, END)}
    reaped = [Release("dead", 1, 0), Release("next", 2, END), Release("same", 3, END), Release("same", 4, END)]
    assert counters.release(book, [*reaped, Release("absent", 5, 0)], NOW) == {"same": Counter(2, END)}


@pytest.mark.parametrize(
    ("charge", "value", "held", "actual", "expected"),
    [
        pytest.param(plain(take=4), 6, True, 9, 11, id="more than was taken"),
        pytest.param(plain(take=4), 6, True, 4, None, id="just what was taken"),
        pytest.param(plain(take=4), 6, True, -1, 1, id="given back"),
        pytest.param(plain(take=4, hold=True, keep=1), 3, False, 4, 6, id="after reaping"),
        pytest.param(plain(take=4, hold=True, keep=9), 6, False, 4, None, id="after no reaping: all is kept"),
        pytest.param(plain(take=0, capped=True), 10, True, 5, 15, id="capped, at the limit"),
        pytest.param(plain(take=0, capped=True), 11, True, 5, None, id="capped, past the limit"),
        pytest.param(plain(take=4), None, True, 9, 9, id="the counter is gone"),
        pytest.param(plain(take=0), None, True, 0, None, id="nothing of nothing"),
        pytest.param(plain(take=0, capped=True), None, True, 0, 0, id="capped: nothing begins the window"),
        pytest.param(plain(take=4, expires_at=NOW), None, True, 9, None, id="the window is over"),
    ],
)
def test_settle(charge: Charge, value: int | None, held: bool, actual: int, expected: int | None) -> None:
    book = {} if value is None else {"key": Counter(value, END)}
    changes = counters.settle(book, [Correction(charge, actual)], NOW, held=held)
    assert changes == ({} if expected is None else {"key": Counter(expected, END)})
