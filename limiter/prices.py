"""What an exchange cost. The first of these that knows: the provider's answer, the user's prices, the built-in list.

What nobody knows is never free by accident: it costs the dearest price that the provider is known to ask.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import translate
from typing import Literal, NamedTuple

from limiter.meters import Usage
from limiter.model_names import spellings
from limiter.price_list import Listed, builtin
from limiter.settings import OnUnknownPrice, Price
from limiter.tariffs import Tariff, compiled

Source = Literal["reported", "override", "genai-prices", "dearest", "free", "local", "unknown"]

_REMEMBERED = 4096
"""Models whose prices are kept at hand. Names come from clients, so there must be an end."""


class Priced(NamedTuple):
    """A cost and where it is from."""

    cost: int
    """Billionths of a dollar, rounded up."""
    source: Source
    detail: str
    """The pattern of the user's price, or `provider/model` of the list. Empty where neither set the price."""


class _Override(NamedTuple):
    model: re.Pattern[str]
    provider: re.Pattern[str]
    tariff: Tariff
    detail: str


@dataclass(frozen=True, slots=True)
class _Quote:
    """What is known of one model's price."""

    override: _Override | None
    listed: tuple[Listed, ...]


class Prices:
    """Prices exchanges. Safe to call from several threads."""

    def __init__(self, overrides: Sequence[Price] = (), on_unknown: OnUnknownPrice = "dearest") -> None:
        """Of several overrides that match a model, the first counts."""
        self._overrides = tuple(map(_compile, overrides))
        self._on_unknown = on_unknown
        self._quotes: dict[tuple[str, str, str, str], _Quote] = {}

    def warm(self) -> None:
        """Loads the built-in list, which the first priced exchange would wait for."""
        builtin()

    def price(  # noqa: PLR0913 each is a fact of its own
        self,
        usage: Usage,
        provider: str,
        model: str,
        *,
        host: str = "",
        local: bool = False,
        tier: str = "",
        at: datetime | None = None,
    ) -> Priced:
        """The cost of one exchange.

        Under `on_unknown="block"` an unknown model costs the dearest price too, marked `unknown`: such a request is
        refused beforehand (`blocks`), but an answer may name another model than the request did.

        Args:
            provider: our name of it; a host that it is reached by may help where the price list knows no such name.
            model: as the response names it, else as the request does.
            local: the model runs on the user's own machine and costs nothing unless priced by an override.
            tier: the service tier asked for; the one that the usage reports counts more.
            at: when the request was made. None: prices that change with time are taken at their latest, and at
                their dearest where they change by the hour.
        """
        if usage.cost is not None:
            return Priced(usage.cost, "reported", "")
        quote = self._quote(provider, model, host, usage.service_tier or tier)
        if quote.override is not None:
            return Priced(quote.override.tariff.cost(usage), "override", quote.override.detail)
        if local:
            return Priced(0, "local", "")
        if quote.listed:
            cost, listed = max(((item.tariff(at).cost(usage), item) for item in quote.listed), key=lambda pair: pair[0])
            # A model that is sold by the minute or the page has no price for tokens, which does not make them free.
            if cost or listed.free or not _consumed(usage):
                return Priced(cost, "genai-prices", listed.name)
        if self._on_unknown == "free":
            return Priced(0, "free", "")
        cost = max(tariff.cost(usage) for tariff in builtin().dearest(provider, host))
        return Priced(cost, "unknown" if self._on_unknown == "block" else "dearest", "")

    def is_known(self, provider: str, model: str, *, host: str = "") -> bool:
        """Whether an override or the built-in list prices the model."""
        quote = self._quote(provider, model, host, "")
        return quote.override is not None or bool(quote.listed)

    def blocks(self, provider: str, model: str, *, host: str = "", local: bool = False) -> bool:
        """Whether a request must not be sent, as its cost would not be known."""
        return self._on_unknown == "block" and not local and not self.is_known(provider, model, host=host)

    def _quote(self, provider: str, model: str, host: str, tier: str) -> _Quote:
        key = (provider, model, host, tier)
        known = self._quotes.get(key)
        if known is None:
            if len(self._quotes) >= _REMEMBERED:
                self._quotes.clear()
            override = self._override(provider, model)
            known = _Quote(override, () if override else _find(provider, model, host, tier))
            self._quotes[key] = known
        return known

    def _override(self, provider: str, model: str) -> _Override | None:
        names = [model, *spellings(provider, model)]
        for item in self._overrides:
            if item.provider.match(provider) and any(item.model.match(name) for name in names):
                return item
        return None


def _find(provider: str, model: str, host: str, tier: str) -> tuple[Listed, ...]:
    try:
        return builtin().find(provider, model, host, tier)
    except Exception:  # noqa: BLE001 names come from clients, and no name may keep an exchange from being charged
        return ()


def _consumed(usage: Usage) -> bool:
    return usage.prompt_tokens > 0 or usage.completion_tokens > 0 or usage.total_tokens > 0


def _compile(price: Price) -> _Override:
    cached = price.input if price.cached is None else price.cached
    write = price.input if price.cache_write is None else price.cache_write
    listed: dict[str, Decimal] = {
        "input_mtok": price.input,
        "output_mtok": price.output,
        "cache_read_mtok": cached,
        "cache_write_mtok": write,
        "requests_kcount": price.request * 1000,
    }
    return _Override(
        model=re.compile(translate(price.model), re.IGNORECASE),
        provider=re.compile(translate(price.provider), re.IGNORECASE),
        tariff=compiled(listed),
        detail=f"{price.provider}/{price.model}",
    )
