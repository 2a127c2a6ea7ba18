"""What clients are told of limits of ai-rate-limiting-advanced: its response headers and its refusals."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from limiter.decisions import Refusal, Standing, opens_at
from limiter.kong.airla.names import theirs
from limiter.kong.numbers import tostring
from limiter.voices import Answer, Fields

PREFIX = "X-AI-RateLimit"
RESOURCE_EXHAUSTED = "8"
"""https://grpc.io/docs/guides/status-codes/"""
_READABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
"""What a gRPC message holds as it is; the rest is percent-encoded."""


class Label(NamedTuple):
    """How a limit is shown."""

    window: str
    """`minute`, `300`."""
    provider: str
    """As in the configuration; `policy-1` for those of the first policy."""
    limit: Decimal
    """As configured."""
    asks: bool = False
    """What it counts is known when a request arrives (`requestPrompt`)."""

    @property
    def suffix(self) -> str:
        """Of header names; limits of one window and provider share it."""
        return f"{self.window}-{self.provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AirlaVoice:
    """Of one plugin instance."""

    labels: Mapping[str, Label] = field(hash=False, repr=False)
    """By the name of the limit."""
    status: int = 429
    message: str = "AI token rate limit exceeded for provider(s): "
    names_providers: bool = True
    by_policy: bool = False
    """The labels are not of providers."""
    hides: bool = False
    """What is left is not shown."""
    jitter: int = 0
    """Seconds that are added to the time to wait, at most."""
    plain: bool = False
    """A `Retry-After` without prefix is sent, too."""

    def __str__(self) -> str:
        return f"Kong's ai-rate-limiting-advanced: {self.status} {self.message!r}"

    def refuse(self, refusal: Refusal, *, streaming: bool) -> Answer:  # noqa: ARG002 a refusal is never streamed
        """An answer with all header fields of this instance."""
        ours = [standing for standing in refusal.standings if standing.rule.voice == self]
        over = [standing for standing in ours if standing.over]
        told = (*self.fields(ours, refusal.now), *self._waits(refusal, over))
        message = self.message + (", ".join(self._exhausted(refusal, over)) if self.names_providers else "")
        if refusal.facts.headers.get("content-type", "").lower().startswith("application/grpc"):
            text = quote(message, safe=_READABLE)
            status = (("content-type", "application/grpc"), ("grpc-status", RESOURCE_EXHAUSTED), ("grpc-message", text))
            return Answer(200, (*status, *told), b"")
        # Kong's encoder escapes slashes.
        body = json.dumps({"message": message}, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        content_type = ("content-type", "application/json; charset=utf-8")
        return Answer(self.status, (content_type, *told), body.encode("utf-8", "replace"))

    def fields(self, standings: Sequence[Standing], now: int) -> Fields:  # noqa: ARG002 as others have it
        """What there was on arrival; of limits that are named alike, that of the tightest."""
        if self.hides:
            return ()
        found: dict[str, str] = {}
        least: dict[str, Fraction] = {}
        for standing in standings:
            label = self.labels[standing.limit.name]
            remaining = _remaining(standing, label)
            if remaining < least.get(label.suffix, remaining + 1):
                least[label.suffix] = remaining
                found[f"{PREFIX}-Limit-{label.suffix}"] = tostring(Fraction(label.limit))
                found[f"{PREFIX}-Remaining-{label.suffix}"] = tostring(remaining)
            if label.asks:
                found[f"{PREFIX}-Query-Cost"] = tostring(Fraction(standing.charge.need, standing.limit.scale))
        return tuple(found.items())

    def asks(self, standings: Sequence[Standing], now: int) -> Fields:  # noqa: ARG002 as above
        """Nothing: the upstream is not told."""
        return ()

    def _waits(self, refusal: Refusal, over: Sequence[Standing]) -> Fields:
        now = refusal.now
        jitter = _jitter(refusal, self.jitter)
        resets: dict[str, int] = {}
        for standing in over:
            suffix = f"-{self.labels[standing.limit.name].suffix}"
            reset = _seconds(opens_at(standing.charge, standing.reading, now) - now)
            resets[suffix] = max(reset, resets.get(suffix, 0))
        resets[""] = max(resets.values(), default=refusal.retry_after)
        told: list[tuple[str, str]] = []
        for suffix, reset in resets.items():
            told += [
                (f"{PREFIX}-Reset{suffix}", str(reset)),
                (f"{PREFIX}-Retry-After{suffix}", str(reset + jitter)),
            ]
        if self.plain:
            told.append(("Retry-After", str(resets[""] + jitter)))
        return tuple(told)

    def _exhausted(self, refusal: Refusal, over: Sequence[Standing]) -> Sequence[str]:
        if self.by_policy:
            return (theirs(refusal.facts.provider),)
        return tuple(dict.fromkeys(self.labels[standing.limit.name].provider for standing in over))


def _remaining(standing: Standing, label: Label) -> Fraction:
    if standing.over:
        return Fraction(0)
    return max(Fraction(0), Fraction(label.limit) - Fraction(standing.used, standing.limit.scale))


def _seconds(milliseconds: int) -> int:
    return max(1, math.ceil(milliseconds / 1000))


def _jitter(refusal: Refusal, most: int) -> int:
    """Seconds from 0 to `most`, all alike likely. Derived, as a voice is pure: clients that were refused in the same
    moment get different ones."""
    if not most:
        return 0
    facts = refusal.facts
    parts = (refusal.limit.name, str(refusal.now), str(refusal.used), facts.credential, facts.ip, facts.session)
    drawn = sha256("\0".join(parts).encode("utf-8", "replace")).digest()
    return int.from_bytes(drawn[:8]) % (most + 1)
