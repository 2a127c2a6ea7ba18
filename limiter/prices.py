"""What an exchange cost. The first of these that knows: the provider's answer, the user's prices, the built-in list.

What nobody knows is never free by accident: it costs the dearest price that the provider is known to ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

from limiter.facts import Facts
from limiter.meters import Scope, Usage
from limiter.price_list import Listed, ListSource, builtin
from limiter.price_overrides import Override, Overrides, pattern
from limiter.price_sources import GRATIS, PREMIUMS
from limiter.settings import OnUnknownPrice, Price

Source = ListSource | Literal["reported", "override", "dearest", "free", "local", "unknown"]

_NONE: Mapping[str, str] = MappingProxyType({})
_NO_OTHERS: Mapping[str, Usage] = MappingProxyType({})
_TOKENS = tuple(field.name for field in fields(Usage) if field.name.endswith("_tokens"))

IMAGE_TOOL = ("openai", "gpt-image-1")
"""Makes the images of `image_generation` in the Responses API, as far as usage says: its tokens are counted apart from
the model's, and without a name."""

_REMEMBERED = 4096
"""Models whose prices are kept at hand. Names come from clients, so there must be an end."""


class Priced(NamedTuple):
    """A cost and where it is from."""

    cost: int
    """Billionths of a dollar, rounded up."""
    source: Source
    detail: str
    """The pattern of the user's price, or `provider/model` of the list. Empty where neither set the price."""


@dataclass(frozen=True, slots=True)
class _Quote:
    """What is known of one model's price."""

    override: Override | None
    listed: tuple[Listed, ...]


class _Where(NamedTuple):
    """What sets a price beside the model."""

    provider: str
    host: str
    local: bool
    tiers: tuple[str, ...]
    """Any of them may have served; the dearest counts."""
    at: datetime | None


class Prices:
    """Prices exchanges. Safe to call from several threads."""

    def __init__(
        self,
        overrides: Sequence[Price] = (),
        on_unknown: OnUnknownPrice = "dearest",
        models: Mapping[str, str] = _NONE,
    ) -> None:
        """Of several that match a model, the first counts.

        Args:
            models: shell pattern over what requests call a model (a deployment, an ARN) → the model that it is.
        """
        self._overrides = Overrides(overrides)
        self._models = tuple((pattern(alias), model) for alias, model in models.items())
        self._on_unknown = on_unknown
        self._quotes: dict[tuple[str, str, str, str], _Quote] = {}

    def warm(self) -> None:
        """Loads the built-in list, which the first priced exchange would wait for."""
        builtin()

    def model(self, provider: str, asked: str, served: str = "") -> str:
        """The name that sets the price.

        What the configuration says of the request's name or the answer's goes before both. Otherwise the answer counts,
        as it names the dated model that served; where nobody knows that one's price, the request's name does.
        """
        for name in filter(None, (asked, served) if self._models else ()):
            for alias, model in self._models:
                if alias.match(name):
                    return model
        return served if served and self.is_known(provider, served) else asked

    def bill(
        self, usage: Usage, facts: Facts, served: str = "", *, local: bool = False, at: datetime | None = None
    ) -> Priced:
        """The cost of the exchange that `facts` describe.

        Args:
            served: the model as the response names it; empty: it does not.
            local, at: as `price`.
        """
        model = self.model(facts.provider, facts.model, served)
        return self.price(usage, facts.provider, model, host=facts.host, local=local, at=at)

    def price(  # noqa: PLR0913 each is a fact of its own
        self,
        usage: Usage,
        provider: str,
        model: str,
        *,
        host: str = "",
        local: bool = False,
        at: datetime | None = None,
    ) -> Priced:
        """The cost of one exchange.

        Under `on_unknown="block"` an unknown model costs the dearest price too, marked `unknown`: such a request is
        refused beforehand (`blocks`), but an answer may name another model than the request did.

        Args:
            provider: our name of it; a host that it is reached by may help where the price list knows no such name.
            model: as the response names it, else as the request does.
            local: the model runs on the user's own machine and costs nothing unless priced by an override.
            at: when the request was made. None: prices that change with time are taken at their latest, and at
                their dearest where they change by the hour.
        """
        if usage.cost is not None:
            return Priced(usage.cost, "reported", "")
        tiers = (usage.service_tier,) if usage.service_tier else _possible(usage.asked_tier)
        where = _Where(provider, host, local, tiers, at)
        own = self._price(_own(usage) if usage.others else usage, model, where)
        if not usage.others:
            return own
        parts = (self._price(part, self.model(provider, name), where) for name, part in usage.others.items())
        return own._replace(cost=own.cost + sum(part.cost for part in parts))

    def most(  # noqa: PLR0913 each is a fact of its own
        self,
        prompt: int,
        completion: int,
        scope: Scope,
        facts: Facts,
        *,
        local: bool = False,
        at: datetime | None = None,
    ) -> int:
        """Billionths of a dollar that `bill` asks at most for an exchange within these bounds.

        Whatever tier serves it, the one asked for or the standard one; now, or later when prices that change by the
        hour are at their dearest. Not so where the answer names another model than the request or another cost, or
        where it lacks what the model is sold by (minutes, pages).

        Args:
            prompt, completion: tokens at most.
            local, at: as `price`.
        """
        provider, model = facts.provider, self.model(facts.provider, facts.model)
        images = self._most_images(scope)
        quotes = [self._quote(provider, model, facts.host, tier) for tier in _possible(scope.tier)]
        override = quotes[0].override
        if override is not None:
            return override.tariff.most(prompt, completion, scope) + images
        if local:
            return 0
        listed = [item for quote in quotes for item in quote.listed]
        premium = scope.premium or _premium(provider, model, facts.host)
        cost = 0
        for item in listed:
            now, dearest = item.tariff(at), item.tariff(None)
            cost = max(cost, now.most(prompt, completion, scope, premium))
            if dearest is not now:
                cost = max(cost, dearest.most(prompt, completion, scope, premium))
        if cost or any(item.free for item in listed):
            return cost + images
        if self._on_unknown == "free" or _is_gratis(provider, model):
            return 0
        tariffs = builtin().dearest(provider, facts.host)
        return max(tariff.most(prompt, completion, scope) for tariff in tariffs) + images

    def is_known(self, provider: str, model: str, *, host: str = "") -> bool:
        """Whether an override or the built-in list prices the model."""
        quote = self._quote(provider, model, host, "")
        return quote.override is not None or bool(quote.listed)

    def blocks(self, provider: str, model: str, *, host: str = "", local: bool = False) -> bool:
        """Whether a request must not be sent, as its cost would not be known."""
        if self._on_unknown != "block" or local or _is_gratis(provider, model):
            return False
        return not self.is_known(provider, self.model(provider, model), host=host)

    def _price(self, usage: Usage, model: str, where: _Where) -> Priced:
        provider, host, at = where.provider, where.host, where.at
        quotes = [self._quote(provider, model, host, tier) for tier in where.tiers]
        override = quotes[0].override
        images = self._images(usage, at)
        if override is not None:
            return Priced(override.tariff.cost(usage) + images, "override", override.detail)
        if where.local:
            return Priced(0, "local", "")
        if found := [item for quote in quotes for item in quote.listed]:
            premium = usage.premium or _premium(provider, model, host)
            costs = ((item.tariff(at).cost(usage, premium), item) for item in found)
            cost, listed = max(costs, key=lambda pair: pair[0])
            # A model that is sold by the minute or the page has no price for tokens, which does not make them free.
            if cost or listed.free or not _consumed(usage):
                return Priced(cost + images, listed.source, listed.name)
        if self._on_unknown == "free" or _is_gratis(provider, model):
            return Priced(0, "free", "")
        cost = max(tariff.cost(usage) for tariff in builtin().dearest(provider, host))
        return Priced(cost + images, "unknown" if self._on_unknown == "block" else "dearest", "")

    def _images(self, usage: Usage, at: datetime | None) -> int:
        """What images cost that a tool made."""
        prompt = usage.units.get("image_gen_input_tokens", 0)
        made = usage.units.get("image_gen_output_tokens", 0)
        if not prompt and not made:
            return 0
        work = Usage(
            prompt_tokens=prompt, completion_tokens=made, total_tokens=prompt + made, completion_image_tokens=made
        )
        return max((item.tariff(at).cost(work) for item in self._quote(*IMAGE_TOOL, "", "").listed), default=0)

    def _most_images(self, scope: Scope) -> int:
        if not scope.units:
            return 0
        prompt, made = scope.units.get("image_gen_input_tokens", 0), scope.units.get("image_gen_output_tokens", 0)
        if not prompt and not made:
            return 0
        kinds = Scope(images=prompt, draws=True)
        listed = self._quote(*IMAGE_TOOL, "", "").listed
        return max((item.tariff(None).most(prompt, made, kinds) for item in listed), default=0)

    def _quote(self, provider: str, model: str, host: str, tier: str) -> _Quote:
        key = (provider, model, host, tier)
        known = self._quotes.get(key)
        if known is None:
            if len(self._quotes) >= _REMEMBERED:
                self._quotes.clear()
            override = self._overrides.find(provider, model)
            known = _Quote(override, () if override else _find(provider, model, host, tier))
            self._quotes[key] = known
        return known


def _find(provider: str, model: str, host: str, tier: str) -> tuple[Listed, ...]:
    try:
        return builtin().find(provider, model, host, tier)
    except Exception:  # noqa: BLE001 names come from clients, and no name may keep an exchange from being charged
        return ()


def _possible(asked: str) -> tuple[str, ...]:
    """Tiers that may serve a request for one: that, or the standard one."""
    return (asked, "") if asked else ("",)


def _own(usage: Usage) -> Usage:
    """What the model itself consumed."""
    parts = usage.others.values()
    own = {name: max(0, getattr(usage, name) - sum(getattr(part, name) for part in parts)) for name in _TOKENS}
    return replace(usage, others=_NO_OTHERS, **own)


def _premium(provider: str, model: str, host: str) -> int:
    """Hundredths that the place adds to the list price."""
    return sum(
        item.added
        for item in PREMIUMS
        if item.provider == provider and item.host.fullmatch(host) and item.model.search(model.lower())
    )


def _consumed(usage: Usage) -> bool:
    return usage.prompt_tokens > 0 or usage.completion_tokens > 0 or usage.total_tokens > 0 or bool(usage.units)


def _is_gratis(provider: str, model: str) -> bool:
    return provider == "openrouter" and model.lower().endswith(GRATIS)
