"""The prices that a user sets: they go before all lists."""

import re
from collections.abc import Sequence
from decimal import Decimal
from fnmatch import translate
from typing import NamedTuple

from limiter.model_names import spellings
from limiter.settings import Price
from limiter.tariffs import Tariff, compiled


class Override(NamedTuple):
    model: re.Pattern[str]
    provider: re.Pattern[str]
    tariff: Tariff
    detail: str
    """The patterns, as `provider/model`."""


class Overrides:
    def __init__(self, prices: Sequence[Price]) -> None:
        """Of several that match a model, the first counts."""
        self._overrides = tuple(map(_compile, prices))

    def find(self, provider: str, model: str) -> Override | None:
        names = [model, *spellings(provider, model)]
        for item in self._overrides:
            if item.provider.match(provider) and any(item.model.match(name) for name in names):
                return item
        return None


def pattern(shell: str) -> re.Pattern[str]:
    """Matches what the shell pattern does, in any case."""
    return re.compile(translate(shell), re.IGNORECASE)


def _compile(price: Price) -> Override:
    cached = price.input if price.cached is None else price.cached
    write = price.input if price.cache_write is None else price.cache_write
    listed: dict[str, Decimal] = {
        "input_mtok": price.input,
        "output_mtok": price.output,
        "cache_read_mtok": cached,
        "cache_write_mtok": write,
        "requests_kcount": price.request * 1000,
    }
    return Override(
        model=pattern(price.model),
        provider=pattern(price.provider),
        tariff=compiled(listed),
        detail=f"{price.provider}/{price.model}",
    )
