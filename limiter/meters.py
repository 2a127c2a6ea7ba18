"""What can be counted: the usage of one exchange, and the meters that read a whole number off it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

NANO = 1_000_000_000
"""Money is counted in billionths of a dollar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one exchange consumed, in the canonical form: whole tokens, parts contained in their whole."""

    prompt_tokens: int = 0
    """All input tokens processed, cache reads and cache writes included."""
    completion_tokens: int = 0
    """All output tokens, reasoning included."""
    total_tokens: int = 0
    """As reported, else prompt + completion."""
    cached_tokens: int = 0
    """Part of the prompt that was read from a cache."""
    cache_creation_tokens: int = 0
    """Part of the prompt that was written to a cache, whatever its lifetime."""
    cache_creation_1h_tokens: int = 0
    """Part of `cache_creation_tokens` that was written for an hour (dearer at Anthropic)."""
    reasoning_tokens: int = 0
    """Part of the completion that was reasoning."""
    apart_tokens: int = 0
    """Parts of prompt and completion that the provider's own two numbers leave out: caches at Anthropic, thoughts and
    tool prompts at Gemini."""
    prompt_audio_tokens: int = 0
    completion_audio_tokens: int = 0
    prompt_image_tokens: int = 0
    completion_image_tokens: int = 0
    web_searches: int = 0
    """Server-side searches, billed apiece."""
    cost: int | None = None
    """Billionths of a dollar; None while it is not known. A cost that the provider reported is set by the tap."""
    price_source: str = ""
    """Where the price of a settled exchange is from: `reported`, `override`, `genai-prices` … (see `prices.Source`)."""
    estimated: bool = False
    """True when any number is our estimate and not the provider's word."""
    service_tier: str = ""
    """The tier that served the request where the provider names one: `flex`, `priority`, `batch` …"""
    asked_tier: str = ""
    """The tier that the request asked for, where the provider names none. The standard one may have served it: the
    dearer of the two counts, so that no client's word makes anything cheaper."""
    premium: int = 0
    """Hundredths of the list price that its tokens cost more, as the provider says how it served them."""
    requests: int = 1
    """How many requests these are the sums of: a batch's results come in one answer."""
    units: Mapping[str, int] = MappingProxyType({})
    """Custom units by name."""
    others: Mapping[str, "Usage"] = MappingProxyType({})
    """Parts of the above that other models consumed than the one that answered, by model: their prices differ."""


class Scope(NamedTuple):
    """What an exchange may consume beside plain tokens: bounds, for a price that no usage within them passes.

    How many tokens there are at most is said apart. Any of them may turn out to be of any kind that is named here, read
    from a cache, or thought.
    """

    audio: int = 0
    """Of the prompt's tokens, how many may be sound."""
    images: int = 0
    """Of the prompt's tokens, how many may be pictures."""
    writes: Literal["", "5m", "1h"] = ""
    """Whether, and for how long, the prompt may be written to a cache."""
    speaks: bool = False
    """The output may be sound."""
    draws: bool = False
    """The output may be pictures."""
    searches: int = 0
    """Searches that are billed apiece."""
    units: Mapping[str, int] = MappingProxyType({})
    """Custom units by name."""
    tier: str = ""
    """The service tier that was asked for. The standard one may serve all the same."""
    premium: int = 0
    """As that of `Usage`."""


NOTHING_ELSE = Scope()
Meter = Callable[[Usage], int]


def _weighted(usage: Usage) -> int:
    """All tokens, those of caches at what they cost beside fresh input at most providers: a read is a tenth, a write
    five quarters, and one that stays for an hour two. Rounded up."""
    twentieths = 20 * (usage.prompt_tokens + usage.completion_tokens) - 18 * usage.cached_tokens
    return -(-(twentieths + 5 * usage.cache_creation_tokens + 15 * usage.cache_creation_1h_tokens) // 20)


METERS: Mapping[str, Meter] = MappingProxyType(
    {
        "requests": lambda _: 1,
        "prompt_tokens": lambda usage: usage.prompt_tokens,
        "completion_tokens": lambda usage: usage.completion_tokens,
        "total_tokens": lambda usage: usage.total_tokens,
        "cost": lambda usage: usage.cost or 0,
        # The sum of the provider's own two numbers, as gateways count.
        "io_tokens": lambda usage: usage.prompt_tokens + usage.completion_tokens - usage.apart_tokens,
        "weighted_tokens": _weighted,
    }
)
"""Each reads a whole number that is not negative: tokens, requests, or billionths of a dollar."""


UNIT = "unit:"
"""First part of the names of meters that read a custom unit: `unit:videos`."""
ASKED = "asked:"
"""First part of the names of meters whose number is known when a request arrives, so that it is booked at once."""


def meter(name: str) -> Meter:
    """The meter of a name: one of `METERS`, or `unit:NAME` and `asked:NAME`, which read `Usage.units` by `NAME`.

    A number of `unit:NAME` may be negative, where an upstream gives quota back.

    Raises:
        KeyError: no such meter.
    """
    if name.startswith((UNIT, ASKED)):
        _, _, unit = name.partition(":")
        return lambda usage: usage.units.get(unit, 0)
    return METERS[name]
