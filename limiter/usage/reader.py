"""What must be known of a wire format to read usage off it: where the counts, the text and the end are."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from limiter.usage.counts import Counts
from limiter.usage.jsonpeek import Path, Tree


def tree(*paths: str) -> Tree:
    """`a.b`, `a.c` → `{a: {b: {}, c: {}}}`."""
    grown: dict[str, Any] = {}
    for path in paths:
        branch = grown
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    return grown


def path(dotted: str) -> Path:
    return tuple(dotted.split(".")) if dotted else ()


def paths(*dotted: str) -> tuple[Path, ...]:
    return tuple(map(path, dotted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    counts: Counts
    usage: tuple[Path, ...]
    """Where usage objects are; the empty path is the event itself. All that are found merge, member by
    member, the later over the earlier; null is nothing."""
    model: tuple[Path, ...] = paths("model")
    id: tuple[Path, ...] = paths("id")
    tier: tuple[Path, ...] = ()
    """Beside those that `counts` knows inside the usage."""
    text: Tree = MappingProxyType({})
    """What the user sees or is billed for as output, in stream events and in whole documents."""
    part: str = ""
    """Events with this member are parts of an answer, of which only the text below it counts: the last of them repeats
    all that came before."""
    mute: frozenset[str] = frozenset()
    """Values of `type` whose events hold no text: audio in base64."""
    ends: tuple[tuple[Path, frozenset[str]], ...] = ()
    """Member and values that end the stream."""
    stops: Tree = MappingProxyType({})
    """Anything here says that generation stopped; with usage seen, nothing of importance follows."""
    pending: tuple[tuple[Path, frozenset[str]], ...] = ()
    """Member and values that say: still being worked on, ask again by id."""
    background: tuple[Path, ...] = ()
    """Where the response says whether it was made in the background, so that polls are the first to show its usage."""
    sums: bool = False
    """Every usage object is another exchange: they add up."""
    only: frozenset[str] = frozenset()
    """Values of `type` whose usage counts; empty: of all."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Response headers that hold counts, and the usage members that they stand for."""
    service_tier: str = ""
    """When the response names none."""
