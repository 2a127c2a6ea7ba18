"""Prices that a declaration has for ai-rate-limiting-advanced: those of ai-proxy and ai-proxy-advanced."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from limiter.config.kong import precedence
from limiter.config.kong.declaration import Declaration
from limiter.kong.airla.costs import DeclaredCosts, Proxying, Target

OPTION = "ai-limit:"
"""First part of tags that say what Kong's configuration has no field for."""
LIST_PRICES = f"{OPTION}list-prices"
PRICES = ("input_cost", "output_cost")


def proxying(declaration: Declaration) -> Iterator[Proxying]:
    """Prices, by the plugins that have them."""
    for name in ("ai-proxy-advanced", "ai-proxy"):
        for plugin, conditions, *_ in precedence.instances(declaration, name):
            targets: list[Target] = []
            free: list[tuple[str, str]] = []
            for target in plugin.config["targets"]:
                kind, model = target["provider"], target["model"] or ""
                if all(target[price] is not None for price in PRICES):
                    targets.append(Target(kind, model, *(Decimal(target[price]) for price in PRICES)))
                elif model:
                    free.append((kind, model))
            values = tuple((condition.dimension, value) for condition in conditions for value in condition.values)
            yield Proxying(values, tuple(targets), tuple(free))


def of_prices(costs: DeclaredCosts) -> Iterator[str]:
    """What to know of the prices that costs are counted by."""
    priced = {(target.provider, target.model) for proxying in costs.instances for target in proxying.targets}
    if not priced:
        yield (
            "counts no cost: no ai-proxy or ai-proxy-advanced has model.options with input_cost and output_cost"
            f" (the plugin's tag {LIST_PRICES} takes dollars from the built-in price list)"
        )
        return
    several = sorted(provider for provider, count in Counter(provider for provider, _ in priced).items() if count > 1)
    if several:
        yield (
            "other models than those that are declared count as the dearest of them, as requests go on as clients send"
            f" them: of {', '.join(several)}"
        )
    free = {model for proxying in costs.instances for model in proxying.free} - priced
    if free:
        names = ", ".join(sorted(f"{provider}/{model}" for provider, model in free))
        yield f"counts no cost of models that are declared without input_cost and output_cost: {names}"
