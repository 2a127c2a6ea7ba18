"""One response being read: JSON texts in, and at the end what they said about usage.

Most events of a stream carry a few words of text and nothing else that matters here. They are recognised by what they
do not contain, kept as they came, and looked into together later, if ever.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from limiter.meters import Usage
from limiter.usage import counts
from limiter.usage.framing import DONE
from limiter.usage.jsonpeek import Path, dig, dig_all, gather, has, load, opened, text
from limiter.usage.reader import Reader
from limiter.usage.readers import READERS, SNIFF, sniffed

type CountTokens = Callable[[str], int]

MOST_LATER = 64 * 1024
"""Bytes of events that wait to be looked into."""
MOST_TEXT = 64 * 1024
"""Characters of output text that wait to be counted: most streams report their usage before so much has come."""
OPENING = 4
"""Events that are read in full until the model is known."""


@cache
def _loud(name: str) -> re.Pattern[bytes]:
    """Matches the events that must be read at once; roughly, as one too many costs but microseconds."""
    reader = READERS[name]
    usages = {path[-1] for path in reader.usage if path}
    patterns = [rf'"(?:{_any(usages)})"\s*:\s*[{{\[]'] if usages else []
    if () in reader.usage:
        patterns.append(rf'"(?:{_any(reader.counts.members)})"\s*:')
    if reader.ends:
        patterns.append(rf'"(?:{_any(value for _, values in reader.ends for value in values)})"')
    if reader.stops:
        patterns.append(rf'"(?:{_any(_leaves(reader.stops))})"\s*:\s*["{{\d]')
    return re.compile("|".join(patterns).encode())


def _any(names: Any) -> str:
    return "|".join(map(re.escape, sorted(names)))


def _leaves(branch: Mapping[str, Any]) -> set[str]:
    return {leaf for name, below in branch.items() for leaf in (_leaves(below) or {name})}


class Reading:
    """Follows the events of one response, or of one WebSocket exchange. Raises nothing, holds little."""

    def __init__(
        self, reader: str, count_tokens: CountTokens, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.model = ""
        self.response_id = ""
        self.pending = False
        self.background: bool | None = None
        self._done = False
        """The end marker was seen."""
        self._stopped = False
        self._reader: Reader | None = None
        self._members: frozenset[str] = frozenset()
        self._loud: re.Pattern[bytes] | None = None
        self._headers = headers
        self._native: dict[str, Any] = {}
        self._sum: Usage | None = None
        self._tier = ""
        self._seen = 0
        self._count_tokens = count_tokens
        self._later: list[bytes] = []
        self._later_size = 0
        self._texts: list[str] = []
        self._texts_size = 0
        self._counted = 0
        if reader != SNIFF:
            self._settle_on(READERS[reader])
            self._loud = _loud(reader)

    def read(self, event: bytes) -> bool:
        """One event of a stream, as JSON text; whether it could be read."""
        if event == DONE:
            self._done = True
            return True
        if self._loud is not None and (self.model or self._seen >= OPENING) and not self._loud.search(event):
            self._later.append(event)
            self._later_size += len(event)
            if self._later_size > MOST_LATER:
                self._look_into_later()
            return True
        decoded = load(event)
        if not isinstance(decoded, dict):
            return False
        self.event(decoded)
        return True

    def document(self, body: bytes) -> bool:
        """A whole body, one JSON text or several, one a line; whether it could be read."""
        event = load(body)
        if isinstance(event, dict):
            self.event(event, whole=True)
            return True
        lines = [stripped for line in body.split(b"\n") if (stripped := line.strip())]
        return len(lines) > 1 and sum(self.read(line) for line in lines) == len(lines)

    def event(self, event: dict[str, Any], *, whole: bool = False) -> None:
        """A decoded event, or a whole body."""
        reader = self._reader or self._settle_on(sniffed(event))
        self._seen += 1
        kind = text(event.get("type"))
        if not reader.only or kind in reader.only:
            self._take_usage(reader, event)
        if not self.model:
            self.model = _first_text(event, reader.model)
        if not self.response_id:
            self.response_id = _first_text(event, reader.id)
        self._tier = _first_text(event, reader.tier) or self._tier
        for path in reader.background:
            if path[0] in event and isinstance(told := dig(event, path), bool):
                self.background = told
        for path, values in reader.ends:
            if path[0] in event and text(dig(event, path)) in values:
                self._done = True
        self._stopped = self._stopped or (not whole and bool(reader.stops) and has(event, reader.stops))
        if whole:
            self._done = True
            self.pending = any(text(dig(event, path)) in values for path, values in reader.pending)
        if not (whole and self._native):
            self._take_text(reader, event)

    @property
    def complete(self) -> bool:
        """Whether the end was seen. Files of results have none: every line stands for itself."""
        if self._reader is not None and self._reader.sums:
            return True
        return self._done or (self._stopped and self.reported() is not None)

    def visible_tokens(self) -> int:
        """Tokens of the output text so far, counted by us."""
        self._look_into_later()
        self._count()
        return self._counted

    def reported(self) -> Usage | None:
        """What the provider said so far."""
        if self._sum is not None or self._reader is None:
            return self._sum
        return counts.read(self._reader.counts, self._native, self._tier or self._reader.service_tier)

    def _settle_on(self, reader: Reader) -> Reader:
        self._reader = reader
        self._members = reader.counts.members
        for header, member in reader.headers.items():
            value = self._headers.get(header, "")
            if value.isascii() and value.isdecimal() and len(value) < 13:
                self._native[member] = int(value)
        return reader

    def _take_usage(self, reader: Reader, event: dict[str, Any]) -> None:
        for path in reader.usage:
            if path and path[0] not in event:
                continue
            for found in dig_all(event, path) if path else (event,):
                if not isinstance(found, dict):
                    continue
                taken = {
                    name: member
                    for name, value in found.items()
                    if name in self._members and (member := opened(value)) is not None
                }
                if not reader.sums:
                    self._native |= taken
                elif (usage := counts.read(reader.counts, taken, reader.service_tier)) is not None:
                    self._sum = usage if self._sum is None else counts.add(self._sum, usage)

    def _take_text(self, reader: Reader, event: dict[str, Any]) -> None:
        if not reader.text or text(event.get("type")) in reader.mute:
            return
        if reader.part and reader.part in event:
            event = {reader.part: event[reader.part]}
        before = len(self._texts)
        gather(event, reader.text, self._texts)
        self._texts_size += sum(map(len, self._texts[before:]))
        if self._texts_size > MOST_TEXT:
            self._count()

    def _look_into_later(self) -> None:
        later, self._later, self._later_size = self._later, [], 0
        for event in later:
            decoded = load(event)
            if self._reader is not None and isinstance(decoded, dict):
                self._take_text(self._reader, decoded)

    def _count(self) -> None:
        if self._texts:
            self._counted += self._count_tokens("".join(self._texts))
            self._texts.clear()
            self._texts_size = 0


def _first_text(event: dict[str, Any], paths: tuple[Path, ...]) -> str:
    return next((found for path in paths if path[0] in event and (found := text(dig(event, path)))), "")
