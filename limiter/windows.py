"""Windows of time over which an amount may be spent: when the current one began and when it ends.

All instants are milliseconds since the Unix epoch. Nothing here reads a clock.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

Kind = Literal["fixed", "sliding", "anchored", "calendar"]
Unit = Literal["second", "minute", "hour", "day", "week", "month", "year"]

SECONDS: dict[Unit, int] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
"""Units of a fixed length."""
UNITS: tuple[Unit, ...] = ("second", "minute", "hour", "day", "week", "month", "year")
_FIRST_DAYS: dict[Unit, int] = {"week": 7, "month": 31}
"""Days on which a calendar window may begin, where it need not begin on the first."""
LOCAL = "local"
"""The time zone of the machine, in place of an IANA name."""


class Span(NamedTuple):
    """One concrete window: [start, end) in milliseconds."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """`count` × `unit`, laid on the time line in one of four ways.

    - fixed: multiples of its length since the epoch;
    - sliding: as fixed, and the window before counts by the share that still overlaps;
    - anchored: begins with the first booking;
    - calendar: days, weeks, months and years as a clock on the wall of `zone` shows them.
    """

    kind: Kind
    count: int
    unit: Unit
    zone: str = "UTC"
    first_day: int = 1
    """On which calendar weeks (1: Monday) or months begin; in a month that is too short for it, on its last day."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a window lasts at least one {self.unit}, found {self.count}")
        if self.kind != "calendar" and self.unit not in SECONDS:
            raise ValueError(f"a {self.unit} has no fixed length, so its window is calendar, not {self.kind}")
        if self.kind == "calendar" and self.unit in ("second", "minute", "hour"):
            raise ValueError(f"a calendar window is made of days, weeks, months or years, found {self.unit}")
        days = _FIRST_DAYS.get(self.unit, 1) if self.kind == "calendar" else 1
        if not 1 <= self.first_day <= days:
            raise ValueError(f"a {self.kind} {self.unit} begins on a day from 1 to {days}, found {self.first_day}")
        zone_of(self.zone)

    @property
    def size(self) -> int:
        """Milliseconds; 0 for months and years, whose length varies."""
        return self.count * SECONDS.get(self.unit, 0) * 1000

    @property
    def label(self) -> str:
        """Short, unique for windows that may not share a counter: `1d`, `2mo`, `1d@Europe/Berlin`, `60s~`."""
        short = "mo" if self.unit == "month" else self.unit[0]
        day = f"+{self.first_day - 1}" if self.first_day > 1 else ""
        mark = {"fixed": "", "sliding": "~", "anchored": "!", "calendar": f"@{self.zone}{day}"}[self.kind]
        return f"{self.count}{short}{mark}"

    def __str__(self) -> str:
        return self.unit if self.count == 1 else f"{self.count} {self.unit}s"

    def span(self, now: int) -> Span:
        """The window that `now` lies in. For an anchored window: the one that would begin now."""
        if self.kind == "calendar":
            return _calendar_span(self, now)
        if self.kind == "anchored":
            return Span(now, now + self.size)
        start = now - now % self.size
        return Span(start, start + self.size)


def zone_of(name: str) -> tzinfo | None:
    """The time zone of an IANA name; None for the machine's own.

    Raises:
        ValueError: no such zone.
    """
    if name == LOCAL:
        return None
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as problem:
        raise ValueError(f"unknown time zone {name!r}, expected an IANA name such as Europe/Berlin") from problem


def _calendar_span(window: Window, now: int) -> Span:
    zone = zone_of(window.zone)
    today = datetime.fromtimestamp(now / 1000, zone)
    first, after = _dates(window, today)
    span = Span(_midnight(first, zone), _midnight(after, zone))
    # Clocks have been set back over midnight, and forward: for that hour the date on the wall is not yet, or no longer,
    # the one whose window `now` lies in.
    if now >= span.end:
        return Span(span.end, _midnight(_dates(window, after)[1], zone))
    if now < span.start:
        return Span(_midnight(_dates(window, first - timedelta(days=1))[0], zone), span.start)
    return span


def _dates(window: Window, day: datetime) -> tuple[datetime, datetime]:
    """First day of the window that `day` lies in and of the next, as naive midnights.

    Counted windows are counted from the first day of year 1, a Monday.
    """
    match window.unit:
        case "year":
            first = (day.year - 1) // window.count * window.count + 1
            return datetime(first, 1, 1), datetime(first + window.count, 1, 1)  # noqa: DTZ001 made aware by _midnight
        case "month":
            index = (day.year - 1) * 12 + day.month - 1
            if day.day < _month(index, window.first_day).day:
                index -= 1
            index = index // window.count * window.count
            return _month(index, window.first_day), _month(index + window.count, window.first_day)
        case _:
            days = window.count * (7 if window.unit == "week" else 1)
            start = datetime.fromordinal((day.toordinal() - window.first_day) // days * days + window.first_day)
            return start, start + timedelta(days=days)


def _month(index: int, day: int) -> datetime:
    year, month = index // 12 + 1, index % 12 + 1
    return datetime(year, month, min(day, monthrange(year, month)[1]))  # noqa: DTZ001 made aware by _midnight


def _midnight(day: datetime, zone: tzinfo | None) -> int:
    """Milliseconds of the day's first instant. Where clocks skip midnight, the instant they skip to."""
    aware = day.replace(tzinfo=zone) if zone else day
    return int(aware.timestamp() * 1000)
