"""Windows: every instant lies in exactly one, and calendar windows follow the clock on the wall."""

import time
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limiter.windows import LOCAL, SECONDS, UNITS, Kind, Span, Unit, Window, zone_of

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",  # skipped midnight
    "America/Havana",  # repeats the hour after midnight
    "America/St_Johns",  # was set back from 00:01 to 23:01
    "America/Nuuk",  # skips the hour before midnight
    "Australia/Lord_Howe",  # moves by half an hour
    "Asia/Kathmandu",  # 5:45
    "Pacific/Apia",  # left out 2011-12-30
    "Asia/Manila",
    "Africa/Cairo",
)
FIRST = int(datetime(1971, 1, 1, tzinfo=UTC).timestamp() * 1000)
LAST = int(datetime(2099, 12, 31, tzinfo=UTC).timestamp() * 1000)
instants = st.integers(FIRST, LAST)
FIXED: tuple[Unit, ...] = tuple(SECONDS)
CALENDAR: tuple[Unit, ...] = ("day", "week", "month", "year")

fixed_windows = st.builds(Window, st.sampled_from(["fixed", "sliding"]), st.integers(1, 400), st.sampled_from(FIXED))
calendar_windows = st.builds(
    Window, st.just("calendar"), st.integers(1, 10), st.sampled_from(CALENDAR), st.sampled_from(ZONES)
)

shifted_windows = st.sampled_from([("week", 7), ("month", 31)]).flatmap(
    lambda pair: st.builds(
        Window,
        st.just("calendar"),
        st.integers(1, 4),
        st.just(pair[0]),
        st.sampled_from(ZONES),
        first_day=st.integers(1, pair[1]),
    )
)


def at(zone: str, *moment: int) -> int:
    """Milliseconds of a time on the wall."""
    return int(datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[misc]


def check_tiling(window: Window, now: int) -> Span:
    """Around `now`, windows follow each other without gap or overlap."""
    span = window.span(now)
    assert span.start <= now < span.end
    assert window.span(span.start) == span
    assert window.span(span.end - 1) == span
    assert window.span(span.end).start == span.end
    assert window.span(span.start - 1).end == span.start
    return span


@given(fixed_windows, instants)
def test_fixed_windows_tile_the_time_line(window: Window, now: int) -> None:
    """Fixed windows are multiples of their length since the epoch."""
    span = check_tiling(window, now)

    assert span.end - span.start == window.size
    assert span.start % window.size == 0


@given(calendar_windows, instants)
@example(Window("calendar", 1, "day", "America/St_Johns"), at("UTC", 2010, 11, 7, 2, 45))
@example(Window("calendar", 1, "day", "America/Sao_Paulo"), at("UTC", 2018, 11, 4, 3))
@example(Window("calendar", 1, "day", "Pacific/Apia"), at("UTC", 2011, 12, 30, 10) - 1)
def test_calendar_windows_tile_the_time_line(window: Window, now: int) -> None:
    """Whatever clocks do, no instant is in two windows or in none, and each begins with a new day on the wall."""
    span = check_tiling(window, now)
    zone = zone_of(window.zone)
    before = datetime.fromtimestamp((span.start - 1) / 1000, zone)
    first = datetime.fromtimestamp(span.start / 1000, zone)

    assert before.date() < first.date()


@given(shifted_windows, instants)
@example(Window("calendar", 1, "month", "UTC", first_day=31), at("UTC", 2024, 2, 28, 23, 59, 59))
@example(Window("calendar", 1, "month", "UTC", first_day=31), at("UTC", 2024, 2, 29))
@example(Window("calendar", 1, "month", "America/Sao_Paulo", first_day=4), at("UTC", 2018, 11, 4, 3))
def test_windows_that_begin_on_another_day_tile_the_time_line(window: Window, now: int) -> None:
    """Also where a month lacks the day, and each begins on that day or on the last of a short month."""
    span = check_tiling(window, now)
    # Where clocks skip a whole day, a window begins on the day after it.
    first = datetime.fromtimestamp(span.start / 1000, zone_of(window.zone))
    apia = first.date() == date(2011, 12, 31) and window.zone == "Pacific/Apia"
    if window.unit == "week":
        assert first.isoweekday() == window.first_day or apia
    else:
        assert first.day == min(window.first_day, monthrange(first.year, first.month)[1]) or apia


@pytest.mark.parametrize(
    ("window", "first", "after"),
    [
        (Window("calendar", 1, "month", "Europe/Berlin", first_day=15), (2024, 2, 15), (2024, 3, 15)),
        (Window("calendar", 1, "month", "Europe/Berlin", first_day=30), (2024, 2, 29), (2024, 3, 30)),
        (Window("calendar", 1, "month", "Europe/Berlin", first_day=31), (2024, 2, 29), (2024, 3, 31)),
        (Window("calendar", 1, "week", "Europe/Berlin", first_day=4), (2024, 2, 29), (2024, 3, 7)),
        (Window("calendar", 1, "week", "Europe/Berlin", first_day=7), (2024, 2, 25), (2024, 3, 3)),
    ],
)
def test_spans_that_begin_on_another_day(
    window: Window, first: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    assert window.span(at("Europe/Berlin", 2024, 2, 29, 17)) == (
        at("Europe/Berlin", *first),
        at("Europe/Berlin", *after),
    )


@given(st.sampled_from(ZONES), st.integers(0, 86_400_000 * 3))
def test_calendar_windows_tile_around_changes_of_the_clock(zone: str, offset: int) -> None:
    """Days in which clocks change are no exception."""
    for day in ((2010, 11, 6), (2018, 11, 3), (2024, 3, 30), (2024, 10, 5), (2024, 10, 26), (2024, 11, 2)):
        check_tiling(Window("calendar", 1, "day", zone), at("UTC", *day) + offset)


@given(st.integers(1, 1000), st.sampled_from(FIXED), instants)
def test_an_anchored_window_begins_now(count: int, unit: Unit, now: int) -> None:
    """An anchored window starts with what is booked first."""
    window = Window("anchored", count, unit)

    assert window.span(now) == (now, now + window.size)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", (2024, 3, 31), 23),
        ("Europe/Berlin", (2024, 10, 27), 25),
        ("America/Sao_Paulo", (2018, 11, 4), 23),
        ("Australia/Lord_Howe", (2024, 4, 7), 24.5),
        ("Australia/Lord_Howe", (2024, 10, 6), 23.5),
        ("America/Havana", (2024, 11, 3), 25),
        ("Asia/Kathmandu", (2024, 10, 27), 24),
    ],
)
def test_length_of_days(zone: str, day: tuple[int, int, int], hours: float) -> None:
    """A calendar day lasts as long as the day on the wall."""
    start, end = Window("calendar", 1, "day", zone).span(at(zone, *day, 12))

    assert (end - start) / 3_600_000 == hours


@pytest.mark.parametrize(
    ("count", "unit", "first", "after"),
    [
        (1, "day", (2024, 2, 29), (2024, 3, 1)),
        (1, "week", (2024, 2, 26), (2024, 3, 4)),
        (1, "month", (2024, 2, 1), (2024, 3, 1)),
        (3, "month", (2024, 1, 1), (2024, 4, 1)),
        (6, "month", (2024, 1, 1), (2024, 7, 1)),
        (1, "year", (2024, 1, 1), (2025, 1, 1)),
        (2, "year", (2023, 1, 1), (2025, 1, 1)),
    ],
)
def test_spans_of_the_calendar(
    count: int, unit: Unit, first: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    """Weeks begin on Monday, quarters with January, April, July and October."""
    window = Window("calendar", count, unit, "Europe/Berlin")

    assert window.span(at("Europe/Berlin", 2024, 2, 29, 17)) == (
        at("Europe/Berlin", *first),
        at("Europe/Berlin", *after),
    )


@pytest.fixture(name="local_zone")
def _local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine stands in São Paulo."""
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    time.tzset()
    yield "America/Sao_Paulo"
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("unit", CALENDAR)
def test_local_windows_follow_the_machine(local_zone: str, unit: Unit) -> None:
    """`local` is the same as the machine's zone by its name."""
    local, named = (Window("calendar", 1, unit, zone) for zone in (LOCAL, local_zone))
    begin = datetime(2018, 10, 20, tzinfo=UTC)
    for hours in range(0, 24 * 150, 7):
        now = int((begin + timedelta(hours=hours)).timestamp() * 1000)

        assert local.span(now) == named.span(now)


@pytest.mark.parametrize(
    ("kind", "unit"),
    [("fixed", "month"), ("sliding", "year"), ("anchored", "month"), ("calendar", "hour"), ("calendar", "second")],
)
def test_impossible_windows_are_refused(kind: Kind, unit: Unit) -> None:
    """Months have no fixed length, and hours no calendar."""
    with pytest.raises(ValueError, match="calendar"):
        Window(kind, 1, unit)


@pytest.mark.parametrize(
    ("kind", "unit", "day"), [("calendar", "week", 8), ("calendar", "day", 2), ("fixed", "day", 2)]
)
def test_impossible_first_days_are_refused(kind: Kind, unit: Unit, day: int) -> None:
    """Only calendar weeks and months can begin on another day."""
    with pytest.raises(ValueError, match="begins on a day from 1 to"):
        Window(kind, 1, unit, first_day=day)


def test_no_window_is_empty() -> None:
    """A window of nothing is none."""
    with pytest.raises(ValueError, match="at least one"):
        Window("fixed", 0, "day")


@pytest.mark.parametrize("zone", ["Europe/Bonn", "../etc/passwd", "", "Europe"])
def test_unknown_zones_are_refused(zone: str) -> None:
    """Only IANA names and `local` are zones."""
    with pytest.raises(ValueError, match="unknown time zone"):
        Window("calendar", 1, "day", zone)


def test_labels_differ() -> None:
    """Windows that may not share a counter have different labels."""
    kinds: tuple[Kind, ...] = ("fixed", "sliding", "anchored")
    windows = [Window(kind, count, unit) for kind in kinds for count in (1, 11) for unit in FIXED]
    windows += [
        Window("calendar", count, unit, zone) for count in (1, 11) for unit in CALENDAR for zone in ("UTC", LOCAL)
    ]
    windows += [Window("calendar", 1, unit, first_day=day) for unit in CALENDAR[1:3] for day in (2, 7)]

    assert len({window.label for window in windows}) == len(windows)


def test_units_are_ordered() -> None:
    """From the shortest to the longest, those of fixed length first."""
    assert UNITS[: len(FIXED)] == FIXED
