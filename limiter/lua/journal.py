"""What functions get wrong and what they log, in our log: bounded, and without the secrets of requests."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from limiter.lua.function import LuaFunction
from limiter.lua.outcomes import Count
from limiter.lua.request import LuaRequest

MINUTE = 60.0
"""Seconds in which one function's mistakes are told once."""
MOST_LINES = 60
"""Lines of its own that a function may log in them."""
LEVELS = {
    "emerg": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "crit": logging.CRITICAL,
    "err": logging.ERROR,
    "warn": logging.WARNING,
    "deprecation": logging.WARNING,
    "notice": logging.INFO,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
"""Of Kong's levels."""
_SECRET = re.compile(r"auth|key|token|secret|cookie|password|credential|signature", re.IGNORECASE)
_SHORTEST = 4
"""Characters from which on a value is looked for in texts."""
_ARGUMENT = re.compile(r"[?&]([^=&]*)=([^&]*)")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Minute:
    ends: float
    told: bool = False
    mistakes: int = 0
    """Those that were not told."""
    lines: int = 0


class Journal:
    """Args: clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._minutes: dict[str, _Minute] = {}

    def mistake(self, function: LuaFunction, count: Count, request: LuaRequest) -> None:
        """Tells of a mistake, once per function and minute."""
        minute = self._minute(function)
        if minute.told:
            minute.mistakes += 1
            return
        minute.told = True
        more = f" ({minute.mistakes} times more before)" if minute.mistakes else ""
        minute.mistakes = 0
        detail = redacted(count.detail, request)
        log.warning("Lua function %s: %s: %s; it counts as 0%s", function.name, count.mistake, detail, more)

    def lines(self, function: LuaFunction, lines: Iterable[tuple[str, bytes]], request: LuaRequest) -> None:
        """Passes on what a function logged."""
        for level, text in lines:
            minute = self._minute(function)
            minute.lines += 1
            if minute.lines < MOST_LINES:
                shown = redacted(text.decode("utf-8", "replace"), request)
                log.log(LEVELS.get(level, logging.INFO), "Lua function %s: %s", function.name, shown)
            elif minute.lines == MOST_LINES:
                log.warning("Lua function %s logs too much; the rest of this minute is left out", function.name)

    def _minute(self, function: LuaFunction) -> _Minute:
        now = self._clock()
        minute = self._minutes.get(function.name)
        if minute is None or now >= minute.ends:
            left = minute.mistakes if minute else 0
            minute = self._minutes[function.name] = _Minute(now + MINUTE, mistakes=left)
        return minute


def redacted(text: str, request: LuaRequest) -> str:
    """A text without the values of the request that look like secrets by their names. On one line."""
    pairs = (*request.headers, *_ARGUMENT.findall(request.target))
    for name, value in pairs:
        if _SECRET.search(name):
            for part in (value, *value.split()):
                if len(part) >= _SHORTEST:
                    text = text.replace(part, "[redacted]")
    return text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
