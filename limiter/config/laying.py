"""How a limit's window lies on the time line when its document does not say, and which wishes cannot be."""

from typing import get_args

from limiter.config.explain import one_of
from limiter.config.notices import MisfitError
from limiter.windows import Kind, Unit, Window

UTC = "UTC"
ROLLING: tuple[Unit, ...] = ("week", "month", "year")
"""Calendar unless told otherwise: a week counted from 1970 begins on a Thursday, months and years vary in length."""
CLOCKED: tuple[Unit, ...] = ("second", "minute", "hour")
"""Shorter than a day: no calendar divides them."""


class ContradictionError(MisfitError):
    """A wish that cannot be."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(expected)
        self.field = field


def lay(count: int, unit: Unit, kind: Kind | None, own_zone: str | None, default_zone: str) -> Window:
    """The window of `count` units.

    Args:
        own_zone: the limit's `time_zone`, which must have an effect.
        default_zone: its document's, for windows that follow a calendar.

    Raises:
        ContradictionError: the wishes contradict each other.
    """
    zone = own_zone or default_zone
    kind = kind or _usual(unit, zone)
    if kind == "calendar" and unit in CLOCKED:
        others = one_of(kind for kind in get_args(Kind) if kind != "calendar")
        raise ContradictionError("window", f"{others}: a calendar is made of days, weeks, months and years")
    if kind != "calendar" and unit in ("month", "year"):
        raise ContradictionError("window", f"calendar, as a {unit} has no fixed length; or an amount per so many days")
    if kind != "calendar" and own_zone not in (None, UTC):
        cure = "an amount per day" if unit in CLOCKED else "window: calendar"
        raise ContradictionError("time_zone", f"none, as a window that is {kind} follows no calendar; or write {cure}")
    return Window(kind, count, unit, zone if kind == "calendar" else UTC)


def _usual(unit: Unit, zone: str) -> Kind:
    if unit in ROLLING or (unit == "day" and zone != UTC):
        return "calendar"
    return "fixed"
