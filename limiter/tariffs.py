"""What a model's tokens cost: the arithmetic of prices, exact and in whole numbers.

A price list gives a price for each kind of token, and kinds contain one another (cached tokens are input tokens).
A tariff resolves that once: every token of a `Usage` belongs to exactly one kind, and each kind has a rate of its own.
Pricing is then a dozen multiplications of integers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple, Protocol

from limiter.meters import Scope, Usage

YOCTO = 10**24
"""Rates are in 10⁻²⁴ dollars: a price for a million tokens, of up to 18 decimals, is whole for one token."""
_PER_NANO = YOCTO // 10**9
_MILLION = 1_000_000


class Tier(Protocol):
    """A price that holds for the whole request once its input is longer than `start` tokens."""

    @property
    def start(self) -> int: ...
    @property
    def price(self) -> Decimal: ...


class Tiered(Protocol):
    """A price that depends on the length of the input."""

    @property
    def base(self) -> Decimal: ...
    @property
    def tiers(self) -> Sequence[Tier]: ...


PriceTable = Mapping[str, Decimal | Tiered | None]
"""Prices in dollars by the keys of genai-prices: `input_mtok`, `cache_read_mtok` …"""


class Rates(NamedTuple):
    """Yoctodollars for one token (search, request, unit) of each kind. Kinds do not overlap."""

    input: int = 0
    cached: int = 0
    write: int = 0
    write_1h: int = 0
    audio: int = 0
    audio_cached: int = 0
    image: int = 0
    image_cached: int = 0
    output: int = 0
    reasoning: int = 0
    output_audio: int = 0
    output_image: int = 0
    search: int = 0
    request: int = 0


SECONDS = "audio_seconds"
OTHER_UNITS: Mapping[str, tuple[tuple[str, int], ...]] = {
    SECONDS: (("audio_hours", 3600), ("input_audio_hours", 3600)),
    "pages": (("input_document_kpages", 1000),),
    "searches": (("rerank_searches_kcount", 1000), ("web_searches_kcount", 1000)),
    "input_characters": (("input_mchars", _MILLION),),
}
"""Custom units that have list prices → keys of the price, of which the first that is there counts, and how many units
it buys. Names of units are those of `usage.formats`."""

BILLED_INPUT = "billed_input_tokens"
BILLED_OUTPUT = "billed_output_tokens"
"""Cohere: what of the tokens is charged; its own preamble, for one, is not."""


class Tariff(NamedTuple):
    """The rates of one model at one time in one service tier."""

    levels: tuple[tuple[int, Rates], ...]
    """(input tokens that must be exceeded, rates), the highest first; the last one's bound is -1."""
    units: tuple[tuple[str, int], ...] = ()
    """Custom unit → yoctodollars."""

    def cost(self, usage: Usage, premium: int = 0) -> int:
        """Billionths of a dollar, rounded up.

        Parts that exceed their whole are cut to it: providers do send such counts.

        Args:
            premium: hundredths that tokens cost more.
        """
        if usage.units:
            usage = self._billed(usage)
        completion = max(0, usage.completion_tokens)
        prompt = max(0, usage.prompt_tokens or usage.total_tokens - completion)
        # Whether a prompt is long is asked of each request; of sums the mean is all that is known.
        rates = next(rates for start, rates in self.levels if prompt > start * usage.requests)
        total = prompt * rates.input + completion * rates.output
        if usage.cached_tokens or usage.cache_creation_tokens or usage.prompt_audio_tokens or usage.prompt_image_tokens:
            total += _input_parts(usage, prompt, rates)
        if usage.reasoning_tokens or usage.completion_audio_tokens or usage.completion_image_tokens:
            audio = min(usage.completion_audio_tokens, completion)
            image = min(usage.completion_image_tokens, completion - audio)
            reasoning = min(usage.reasoning_tokens, completion - audio - image)
            total += audio * (rates.output_audio - rates.output) + image * (rates.output_image - rates.output)
            total += reasoning * (rates.reasoning - rates.output)
        if premium:
            total += -(-total * premium // 100)
        total += usage.web_searches * rates.search + usage.requests * rates.request
        for name, rate in self.units:
            total += usage.units.get(name, 0) * rate
        return -(-total // _PER_NANO)

    def _billed(self, usage: Usage) -> Usage:
        """The tokens that are paid by the token."""
        units = usage.units
        completion = usage.completion_tokens
        prompt = usage.prompt_tokens or max(0, usage.total_tokens - completion)
        if BILLED_INPUT in units or BILLED_OUTPUT in units:
            prompt, completion = units.get(BILLED_INPUT, 0), units.get(BILLED_OUTPUT, 0)
        audio = usage.prompt_audio_tokens
        if units.get(SECONDS) and any(name == SECONDS for name, _ in self.units):
            # Speech that is paid by the second is not paid by the token again.
            prompt, audio = max(0, prompt - audio), 0
        return replace(
            usage,
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            prompt_audio_tokens=audio,
        )

    def most(self, prompt: int, completion: int, scope: Scope, premium: int = 0) -> int:
        """Billionths of a dollar that no usage of one request costs more than, if it keeps within the bounds.

        Args:
            prompt, completion: tokens at most.
            premium: as `cost`.
        """
        # A shorter prompt may fall on another level, and nobody promises that this one is cheaper.
        total = max(_most(rates, prompt, completion, scope) for start, rates in self.levels if start < max(prompt, 1))
        if premium:  # Of searches, too, which is more than they cost.
            total += -(-total * premium // 100)
        for name, rate in self.units:
            total += scope.units.get(name, 0) * rate
        return -(-total // _PER_NANO)

    def covers(self, other: "Tariff") -> bool:
        """Whether no usage costs more by `other`."""
        starts = {start for tariff in (self, other) for start, _ in tariff.levels}
        pairs = ((self._above(start), other._above(start)) for start in starts)
        rates = all(mine >= theirs for pair in pairs for mine, theirs in zip(*pair, strict=True))
        units = dict(self.units)
        return rates and all(units.get(name, 0) >= rate for name, rate in other.units)

    def _above(self, tokens: int) -> Rates:
        return next(rates for start, rates in self.levels if tokens >= start)


def _input_parts(usage: Usage, prompt: int, rates: Rates) -> int:
    """What the special kinds of input cost more (or less) than plain input.

    Which tokens were cached is reported without their modality. Text is taken to be cached first: it saves the least.
    Media that cost what text costs are counted as text. Nobody lists a price for writing other media to a cache.
    """
    plain = rates.input
    audio = image = 0
    if (rates.audio, rates.audio_cached) != (plain, rates.cached):
        audio = min(usage.prompt_audio_tokens, prompt)
    if (rates.image, rates.image_cached) != (plain, rates.cached):
        image = min(usage.prompt_image_tokens, prompt - audio)
    text = prompt - audio - image
    cached = min(usage.cached_tokens, prompt)
    cached_text = min(cached, text)
    cached_image = min(cached - cached_text, image)
    cached_audio = cached - cached_text - cached_image
    written = min(usage.cache_creation_tokens, text - cached_text)
    hour = min(usage.cache_creation_1h_tokens, written)
    return (
        cached_text * (rates.cached - plain)
        + (written - hour) * (rates.write - plain)
        + hour * (rates.write_1h - plain)
        + cached_audio * (rates.audio_cached - plain)
        + (audio - cached_audio) * (rates.audio - plain)
        + cached_image * (rates.image_cached - plain)
        + (image - cached_image) * (rates.image - plain)
    )


def _most(rates: Rates, prompt: int, completion: int, scope: Scope) -> int:
    text = max(rates.input, rates.cached)
    if scope.writes:
        text = max(text, rates.write, rates.write_1h if scope.writes == "1h" else 0)
    audio = max(text, rates.audio, rates.audio_cached)
    image = max(text, rates.image, rates.image_cached)
    output = max(rates.output, rates.reasoning)
    if scope.speaks:
        output = max(output, rates.output_audio)
    if scope.draws:
        output = max(output, rates.output_image)
    return (
        prompt * text
        + min(scope.audio, prompt) * (audio - text)
        + min(scope.images, prompt) * (image - text)
        + completion * output
        + scope.searches * rates.search
        + rates.request
    )


def compiled(prices: PriceTable) -> Tariff:
    """The tariff of listed prices."""
    known = {key: price for key, price in prices.items() if price is not None}
    starts = {tier.start for price in known.values() if not isinstance(price, Decimal) for tier in price.tiers}
    levels = [(start, _rates({key: _price_above(price, start) for key, price in known.items()})) for start in starts]
    levels.append((-1, _rates({key: _price_above(price, -1) for key, price in known.items()})))
    units = [
        (name, next(((known[key], per) for key, per in keys if key in known), None))
        for name, keys in OTHER_UNITS.items()
    ]
    return Tariff(
        tuple(sorted(levels, key=lambda level: level[0], reverse=True)),
        tuple((name, _rate(_price_above(found[0], -1), found[1])) for name, found in units if found is not None),
    )


def _price_above(price: Decimal | Tiered, start: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    reached = [tier for tier in price.tiers if tier.start <= start]
    return max(reached, key=lambda tier: tier.start).price if reached else price.base


def _rates(prices: Mapping[str, Decimal]) -> Rates:
    def rate(key: str, otherwise: int) -> int:
        return _rate(prices[key], _MILLION) if key in prices else otherwise

    plain = rate("input_mtok", 0)
    output = rate("output_mtok", 0)
    cached = rate("cache_read_mtok", plain)
    write = rate("cache_write_5m_mtok", rate("cache_write_mtok", plain))
    audio = rate("input_audio_mtok", plain)
    image = rate("input_image_mtok", plain)
    return Rates(
        input=plain,
        cached=cached,
        write=write,
        write_1h=rate("cache_write_1h_mtok", write),
        audio=audio,
        # Without a price of its own, cached audio is as dear as audio where audio is priced apart from text.
        audio_cached=rate("cache_audio_read_mtok", audio if "input_audio_mtok" in prices else cached),
        image=image,
        image_cached=rate("cache_image_read_mtok", image if "input_image_mtok" in prices else cached),
        output=output,
        reasoning=rate("output_reasoning_mtok", output),
        output_audio=rate("output_audio_mtok", output),
        output_image=rate("output_image_mtok", output),
        search=_rate(prices.get("web_searches_kcount", Decimal(0)), 1000),
        request=_rate(prices.get("requests_kcount", Decimal(0)), 1000),
    )


def _rate(price: Decimal, per: int) -> int:
    return int((price * YOCTO / per).to_integral_value(ROUND_CEILING))


def dearest(tariffs: Iterable[Tariff]) -> tuple[Tariff, ...]:
    """Those tariffs of which, for some usage, one is the dearest."""
    front: list[Tariff] = []
    for tariff in tariffs:
        if not any(other.covers(tariff) for other in front):
            front = [other for other in front if not tariff.covers(other)]
            front.append(tariff)
    return tuple(front)
