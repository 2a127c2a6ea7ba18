"""What functions get wrong and what they log, in our log: bounded, and without the secrets of requests."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from limiter.lua.function import LuaFunction
from limiter.lua.messages import LONGEST_DETAIL, LONGEST_LINE, encoded
from limiter.lua.outcomes import Count
from limiter.lua.redaction import Secrets
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
        self._minutes: dict[tuple[str, bytes], _Minute] = {}

    def mistake(self, function: LuaFunction, count: Count, request: LuaRequest) -> None:
        """Tells of a mistake, once per function and minute."""
        minute = self._minute(function)
        if minute.told:
            minute.mistakes += 1
            return
        minute.told = True
        more = f" ({minute.mistakes} times more before)" if minute.mistakes else ""
        minute.mistakes = 0
        text = encoded(count.detail)
        detail = Secrets(request).redacted(text, cut=len(text) >= LONGEST_DETAIL)
        log.warning("Lua function %s: %s: %s; it counts as 0%s", _label(function), count.mistake, detail, more)

    def lines(self, function: LuaFunction, lines: Iterable[tuple[str, bytes]], request: LuaRequest) -> None:
        """Passes on what a function logged."""
        label, secrets = _label(function), None
        for level, text in lines:
            minute = self._minute(function)
            minute.lines += 1
            if minute.lines < MOST_LINES:
                secrets = secrets or Secrets(request)
                shown = secrets.redacted(text, cut=len(text) >= LONGEST_LINE)
                log.log(LEVELS.get(level, logging.INFO), "Lua function %s: %s", label, shown)
            elif minute.lines == MOST_LINES:
                log.warning("Lua function %s logs too much; the rest of this minute is left out", label)

    def _minute(self, function: LuaFunction) -> _Minute:
        now = self._clock()
        key = function.name, function.digest
        minute = self._minutes.get(key)
        if minute is None or now >= minute.ends:
            left = minute.mistakes if minute else 0
            minute = self._minutes[key] = _Minute(now + MINUTE, mistakes=left)
        return minute


def _label(function: LuaFunction) -> str:
    """Its place in the configuration, and the beginning of its digest: an edited one is another."""
    return f"{function.name} ({function.digest.hex()[:8]})"
