"""From a provider's own usage object to `Usage`, by tables.

A field of `Usage` is filled by the first of its alternatives that the object has. An alternative is a sum: `a + b.c`
adds up the members `a` and `b.c`, of which at least one must be there. That one line is where providers differ most:
whether the prompt includes what came from a cache, and the completion what was thought.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from limiter.meters import NANO, Usage
from limiter.usage.jsonpeek import Path, count, dig, text

MOST_DOLLARS = 1_000_000
"""One exchange cannot cost more; a larger number is garbage."""

type Sums = tuple[tuple[Path, ...], ...]


_PARTS = (
    "cached", "cache_creation", "cache_creation_1h", "reasoning", "apart", "prompt_audio", "completion_audio",
    "prompt_image", "completion_image", "web_searches",
)  # fmt: skip
"""Fields of `Counts` that name a part of the prompt or the completion, or what is billed beside them."""


def sums(*alternatives: str) -> Sums:
    return tuple(tuple(tuple(term.strip().split(".")) for term in one.split("+")) for one in alternatives)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The table of one usage format. Every field is an output of `sums`."""

    prompt: Sums
    completion: Sums = ()
    total: Sums = ()
    cached: Sums = ()
    cache_creation: Sums = ()
    cache_creation_1h: Sums = ()
    reasoning: Sums = ()
    apart: Sums = ()
    """What of the above stands beside the format's own two numbers of input and output. So does what only the total
    shows, by itself."""
    prompt_audio: Sums = ()
    completion_audio: Sums = ()
    prompt_image: Sums = ()
    completion_image: Sums = ()
    web_searches: Sums = ()
    units: Mapping[str, Sums] | None = None
    """What is billed beside these tokens: pages, searches, seconds. Left out where zero."""
    tier: tuple[Path, ...] = ()
    premiums: tuple[tuple[Path, str, int], ...] = ()
    """Member, its value, and the hundredths of the list price that it adds."""
    dollars: tuple[tuple[str, float], ...] = ()
    """Where the provider says what it cost: path, and nano-dollars of one there. The first that is there counts."""
    largest: bool = False
    """Prompt and completion are the largest of their alternatives: several reports of the same work were merged."""
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Rewrites the object first."""
    others: Callable[[Mapping[str, Any]], Iterable[tuple[str, Mapping[str, Any]]]] | None = None
    """Finds parts that other models consumed, each with its model, in the object as it came."""
    also: tuple[str, ...] = ()
    """Members that only `prepare` and `others` read."""

    @cached_property
    def members(self) -> frozenset[str]:
        """Names of the outermost members that the table reads."""
        counted = (self.prompt, self.completion, self.total, *(getattr(self, name) for name in _PARTS))
        every = [*counted, *(self.units or {}).values()]
        paths = [path for alternatives in every for terms in alternatives for path in terms]
        dollars = (where.split(".")[0] for where, _ in self.dollars)
        paths += [path for path, _, _ in self.premiums]
        return frozenset((*(path[0] for path in (*paths, *self.tier)), *dollars, *self.also))


def _sum(native: Mapping[str, Any], terms: tuple[Path, ...]) -> int | None:
    # Most alternatives are of other formats: their members are not even there.
    found = [number for path in terms if path[0] in native and (number := count(dig(native, path))) is not None]
    return sum(found) if found else None


def _first(native: Mapping[str, Any], alternatives: Sums) -> int | None:
    return next((number for terms in alternatives if (number := _sum(native, terms)) is not None), None)


def _largest(native: Mapping[str, Any], alternatives: Sums) -> int | None:
    found = [number for terms in alternatives if (number := _sum(native, terms)) is not None]
    return max(found) if found else None


def read(table: Counts, native: Mapping[str, Any], tier: str = "") -> Usage | None:
    """The usage that `native` reports; None when it reports nothing at all."""
    others = () if table.others is None else table.others(native)
    if table.prepare is not None:
        native = table.prepare(native)
    pick = _largest if table.largest else _first
    prompt = pick(native, table.prompt)
    completion = pick(native, table.completion)
    total = _first(native, table.total)
    cost = _cost(native, table.dollars)
    units = {
        name: number for name, alternatives in (table.units or {}).items() if (number := _first(native, alternatives))
    }
    if prompt is completion is total is cost is None and not units:
        return None
    audio = _first(native, table.prompt_audio) or 0
    told = None if prompt is completion is None else (prompt or 0) + (completion or 0)
    prompt, completion, total = _whole(prompt, completion, total, audio)
    hidden = 0 if told is None else prompt + completion - told
    creation = min(_first(native, table.cache_creation) or 0, prompt)
    tier = next((name for path in table.tier if (name := text(dig(native, path)))), tier)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        # Azure's Grok reports more tokens read from the cache than there are in the prompt.
        cached_tokens=min(_first(native, table.cached) or 0, prompt),
        cache_creation_tokens=creation,
        cache_creation_1h_tokens=min(_first(native, table.cache_creation_1h) or 0, creation),
        reasoning_tokens=min(_first(native, table.reasoning) or 0, completion),
        apart_tokens=min((_first(native, table.apart) or 0) + hidden, prompt + completion),
        prompt_audio_tokens=min(audio, prompt),
        completion_audio_tokens=min(_first(native, table.completion_audio) or 0, completion),
        prompt_image_tokens=min(_first(native, table.prompt_image) or 0, prompt),
        completion_image_tokens=min(_first(native, table.completion_image) or 0, completion),
        web_searches=_first(native, table.web_searches) or 0,
        cost=cost,
        service_tier=tier,
        premium=sum(added for path, value, added in table.premiums if text(dig(native, path)) == value),
        units=units,
        others=_of_others(table, others, tier),
    )


def _of_others(table: Counts, others: Iterable[tuple[str, Mapping[str, Any]]], tier: str) -> Mapping[str, Usage]:
    found: Mapping[str, Usage] = {}
    for model, part in others:
        if (usage := read(table, part, tier)) is not None:
            found = _together(found, {model: usage})
    return found


def _whole(prompt: int | None, completion: int | None, total: int | None, audio: int) -> tuple[int, int, int]:
    """Prompt, completion and total that agree: what only the total shows belongs to one of its parts."""
    if total is None:
        prompt, completion = prompt or 0, completion or 0
        return prompt, completion, prompt + completion
    if prompt is None and completion is None:
        return total, 0, total  # Voyage: embeddings and rankings report nothing but their total.
    prompt, completion = prompt or 0, completion or 0
    hidden = total - prompt - completion
    if hidden > 0 and hidden == audio:
        prompt += audio  # Mistral's prompt_tokens leave out the audio that it lists beside them.
    elif hidden > 0:
        completion += hidden  # xAI, and Gemini's OpenAI-compatible API: the thinking is in no count but the total.
    # Zero beside counts that are not is no total; otherwise the provider's word stands.
    return prompt, completion, total or prompt + completion


def _cost(native: Mapping[str, Any], dollars: tuple[tuple[str, float], ...]) -> int | None:
    """Billionths of a dollar, rounded up."""
    for where, scale in dollars:
        amount = dig(native, tuple(where.split(".")))
        if (
            isinstance(amount, int | float)
            and not isinstance(amount, bool)
            and 0 <= amount <= MOST_DOLLARS * NANO / scale
        ):
            return math.ceil(round(amount * scale, 6))  # Rounded first: 1466250 × 0.1 is not quite 146625.
    return None


_ADDED = tuple(
    each.name for each in fields(Usage) if each.name.endswith("_tokens") or each.name in ("web_searches", "requests")
)


def add(one: Usage, other: Usage) -> Usage:
    """The usage of both together; the tier of the first that names one."""
    costs = [cost for cost in (one.cost, other.cost) if cost is not None]
    return replace(
        one,
        **{name: getattr(one, name) + getattr(other, name) for name in _ADDED},
        cost=sum(costs) if costs else None,
        estimated=one.estimated or other.estimated,
        service_tier=one.service_tier or other.service_tier,
        premium=max(one.premium, other.premium),
        units={name: one.units.get(name, 0) + other.units.get(name, 0) for name in (*one.units, *other.units)},
        others=_together(one.others, other.others),
    )


def _together(one: Mapping[str, Usage], other: Mapping[str, Usage]) -> Mapping[str, Usage]:
    return {**one, **{model: add(one[model], part) if model in one else part for model, part in other.items()}}
