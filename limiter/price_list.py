"""The built-in price list: genai-prices' data, compiled to tariffs and found by provider and model. Uses no network."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from re import match
from typing import TYPE_CHECKING, Literal, Protocol

from limiter.model_names import spellings, vendor
from limiter.price_sources import CONTEXTS, EXTRAS, FREE, GREAT, MAKERS, SOURCES, SUPPLEMENTS
from limiter.tariffs import PriceTable, Tariff, compiled, dearest

if TYPE_CHECKING:  # The package takes most of a second to import: `builtin` does that when prices are first needed.
    from genai_prices.types import ModelInfo, ModelPrice, Provider

LATEST = datetime(9999, 12, 31, 9, tzinfo=UTC)
"""Stands for an unknown time: every announced price is in force, and it is DeepSeek's peak, 6-10 h UTC."""

ListSource = Literal["genai-prices", "supplement"]


class _Constraint(Protocol):
    def active(self, request_timestamp: datetime) -> bool: ...


@dataclass(slots=True)
class Listed:
    """The prices of one model in one service tier, by time."""

    name: str
    """`provider/model` of the data."""
    source: ListSource
    free: bool
    model: "ModelInfo" = field(repr=False)
    context: Mapping[str, str]
    extras: Mapping[str, Decimal] = field(default_factory=dict, repr=False)
    _constraints: tuple[_Constraint, ...] = field(init=False, repr=False)
    _tariffs: dict[tuple[bool, ...], Tariff] = field(default_factory=dict, repr=False)
    """By which constraints hold: they alone decide which prices are in force."""

    def __post_init__(self) -> None:
        found: list[_Constraint | None] = []
        if isinstance(self.model.prices, list):
            found += [item.constraint for item in self.model.prices]
        if self.context and self.model.price_variants:
            found += [item.constraint for item in self.model.price_variants]
        self._constraints = tuple(constraint for constraint in found if constraint is not None)

    def tariff(self, at: datetime | None) -> Tariff:
        """The rates in force at the time (UTC where it names no zone)."""
        moment = at or LATEST
        key = tuple(constraint.active(moment) for constraint in self._constraints)
        known = self._tariffs.get(key)
        if known is None:
            known = self._tariffs[key] = compiled(
                {**self.extras, **_prices(self.model.get_prices(moment, self.context))}
            )
        return known


def _prices(price: "ModelPrice") -> PriceTable:
    # The keys are those of genai_prices.data_units; a `ModelPrice` keeps them as attributes and has no list of them.
    return price.__dict__


class PriceList:
    """Every known price."""

    def __init__(self, providers: "Iterable[Provider]") -> None:
        self._providers = {provider.id: provider for provider in providers}
        self._dearest: dict[tuple[str, str], tuple[Tariff, ...]] = {}

    def find(self, provider: str, model: str, host: str = "", tier: str = "") -> tuple[Listed, ...]:
        """The model's prices; several where one name is sold by several parties, none where nobody lists it."""
        context = CONTEXTS.get(tier.lower(), {})
        for found in self._matches(provider, model, host):
            listed = tuple(_listed(seller, info, context) for seller, info in found)
            if listed:
                return listed
        return ()

    def _matches(self, provider: str, model: str, host: str) -> "Iterator[list[tuple[Provider, ModelInfo]]]":
        sources = self._sources(provider, host)
        names = list(dict.fromkeys(filter(None, spellings(provider, model))))
        if provider == "huggingface" and ":" in model:
            names, sources = _routed(names, sources)
        for name in names:
            sellers = [(seller, self._model(seller, prefix + name)) for seller, prefix in sources]
            yield [(seller, info) for seller, info in sellers if info is not None]
        maker, rest = vendor(model)
        if maker:
            yield self._made_by(MAKERS.get(maker, maker), spellings("", rest))
        if not sources and names:
            for known in self._providers.values():
                if known.model_match is not None and known.model_match.is_match(names[0]):
                    yield self._made_by(known.id, names)

    def _made_by(self, maker: str, names: Iterable[str]) -> "list[tuple[Provider, ModelInfo]]":
        seller = self._providers.get(maker)
        if seller is None:
            return []
        infos = (self._model(seller, name) for name in names)
        return next(([(seller, info)] for info in infos if info is not None), [])

    def _model(self, seller: "Provider", name: str) -> "ModelInfo | None":
        info = seller.find_model(name, all_providers=list(self._providers.values()))
        return info if info is not None and (_priced(info) or _is_free(seller.id, info)) else None

    def _sources(self, provider: str, host: str) -> "list[tuple[Provider, str]]":
        pairs = SOURCES.get(provider, ((provider, ""),))
        found = [(self._providers[name], prefix) for name, prefix in pairs if name in self._providers]
        if not found and host:
            url = f"https://{host}/"
            found = [(item, "") for item in self._providers.values() if match(item.api_pattern, url)][:1]
        return found

    def dearest(self, provider: str, host: str = "") -> tuple[Tariff, ...]:
        """The provider's tariffs of which one is the dearest for any usage; those of `GREAT` where it is unknown."""
        key = (provider, host if provider not in SOURCES and provider not in self._providers else "")
        known = self._dearest.get(key)
        if known is None:
            if len(self._dearest) > 1000:  # Hosts come from clients.
                self._dearest.clear()
            great = [(self._providers[name], "") for name in GREAT]
            known = _dearest_of(self._sources(provider, host)) or _dearest_of(great)
            self._dearest[key] = known
        return known


def _dearest_of(sources: "list[tuple[Provider, str]]") -> tuple[Tariff, ...]:
    return dearest(
        _listed(seller, info, {}).tariff(None)
        for seller, prefix in sources
        for info in seller.models
        if info.id.startswith(prefix) and _priced(info)
    )


def _listed(seller: "Provider", info: "ModelInfo", context: Mapping[str, str]) -> Listed:
    # Tiers of the maker are not those of who resells its models (so does genai-prices).
    own = any(info is model for model in seller.models)
    source: ListSource = "supplement" if info.description == _SUPPLEMENTED else "genai-prices"
    return Listed(
        f"{seller.id}/{info.id}",
        source,
        _is_free(seller.id, info),
        info,
        context if own else {},
        EXTRAS.get(seller.id, {}),
    )


def _routed(names: list[str], sources: "list[tuple[Provider, str]]") -> "tuple[list[str], list[tuple[Provider, str]]]":
    """Hugging Face: `model:novita` names the party that serves it. `:fastest` and `:cheapest` may be any."""
    route = names[0].rpartition(":")[2]
    bare = list(dict.fromkeys(name.rpartition(":")[0] or name for name in names))
    return bare, [pair for pair in sources if pair[0].id == f"huggingface_{route}"] or sources


def _priced(info: "ModelInfo") -> bool:
    every = [item.prices for item in info.prices] if isinstance(info.prices, list) else [info.prices]
    return any(price is not None for prices in every for price in _prices(prices).values())


def _is_free(provider: str, info: "ModelInfo") -> bool:
    return not _priced(info) and (info.id.endswith(":free") or info.id.startswith(FREE.get(provider, "\0")))


@cache
def builtin() -> PriceList:
    """The list that comes with genai-prices. Takes most of a second the first time."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 slow, see above

    return PriceList(map(_supplemented, get_snapshot().providers))


_SUPPLEMENTED = "not in the data"


def _supplemented(seller: "Provider") -> "Provider":
    from genai_prices.types import ClauseStartsWith, ModelInfo, ModelPrice  # noqa: PLC0415 slow, see above

    more = [
        ModelInfo(
            id=item.model,
            match=ClauseStartsWith(item.model),
            description=_SUPPLEMENTED,
            prices=ModelPrice(**{key: Decimal(price) for key, price in item.prices.items()}),
        )
        for item in SUPPLEMENTS
        if item.provider == seller.id
    ]
    return replace(seller, models=[*seller.models, *more]) if more else seller
