"""What exchanges cost by the prices of a declaration: `model.options` of ai-proxy and ai-proxy-advanced.

https://developer.konghq.com/plugins/ai-rate-limiting-advanced/ : (prompt tokens · input cost + completion tokens ·
output cost) over a million. Whether the prices are dollars or anything else, limits are in the same unit.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from limiter.facts import Facts
from limiter.kong.airla.names import ours
from limiter.meters import NANO, Usage

MILLION = 1_000_000
_VERSION = re.compile(
    r"""
    ( [-@] ( [0-9]{3,4} | [0-9]{8} | [0-9]{4}-[0-9]{2}-[0-9]{2} | [0-9]{2}-[0-9]{2} | [0-9]{2}-[0-9]{4} | latest ) )?
    ( -v[0-9]+:[0-9]+ )?
    """,
    re.ASCII | re.VERBOSE,
)
"""What the name of one state of a model has after the model's own: `-2024-11-20`, `-20241022-v2:0`, `-001`, `-0613`,
`-latest`. What has anything else after it (`-mini`, `.1`, `-pro`) is another model, with another price."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model behind a gateway's plugin, with its prices for a million tokens."""

    provider: str
    """Kong's name."""
    model: str
    """Empty: any."""
    input: Decimal
    output: Decimal

    def cost(self, usage: Usage) -> int:
        """Billionths of the unit, rounded up."""
        parts = usage.prompt_tokens * Fraction(self.input) + usage.completion_tokens * Fraction(self.output)
        exact = parts * NANO / MILLION
        return -(-exact.numerator // exact.denominator)


@dataclass(frozen=True, slots=True)
class Proxying:
    """An instance of such a plugin: for which requests, and to which models."""

    conditions: tuple[tuple[str, str], ...]
    """Field of the facts → its value; `group` is one of the consumer's. What the instance is attached to."""
    targets: tuple[Target, ...]
    """Those that have both prices."""
    free: tuple[tuple[str, str], ...] = ()
    """Provider and model of those that are named and have not."""

    def is_for(self, facts: Facts) -> bool:
        return all(
            value in facts.groups if name == "group" else getattr(facts, name) == value
            for name, value in self.conditions
        )


@dataclass(frozen=True, slots=True)
class DeclaredCosts:
    """The prices of a declaration. Those of the instance that a request runs through count; where it has none for the
    provider, or none is attached, those of any other.

    A gateway sends requests to the models that it declares. Here they go on as clients send them, so that a model
    which is not declared must not be cheaper than one that is.
    """

    instances: tuple[Proxying, ...] = field(default=(), repr=False)
    """The most telling first."""

    def __call__(self, facts: Facts, usage: Usage) -> int:
        """Billionths of the unit that the prices are in; 0 where the declaration has no price."""
        applying = next((instance for instance in self.instances if instance.is_for(facts)), None)
        own = _served(applying.targets if applying else (), facts)
        every = _served([target for instance in self.instances for target in instance.targets], facts)
        named = next((target for target in every if target.model == facts.model), None)
        if found := _declared(own, facts.model):
            return found.cost(usage)
        if applying and any(model == facts.model and facts.provider in ours(name) for name, model in applying.free):
            return named.cost(usage) if named else 0
        if own:
            return max(target.cost(usage) for target in (*own, *([named] if named else [])))
        if found := _declared(every, facts.model):
            return found.cost(usage)
        return max((target.cost(usage) for target in every), default=0)


@dataclass(frozen=True, slots=True)
class CoarseCosts:
    """The same costs in larger parts, for amounts that are too large to be counted in billionths."""

    costs: DeclaredCosts
    scale: int
    """Parts of a unit."""

    def __call__(self, facts: Facts, usage: Usage) -> int:
        """Parts of the unit, rounded up."""
        return -(-self.costs(facts, usage) * self.scale // NANO)


def _served(targets: Sequence[Target], facts: Facts) -> list[Target]:
    return [target for target in targets if facts.provider in ours(target.provider)]


def _declared(targets: Sequence[Target], model: str) -> Target | None:
    """The target of the model: by its name, by its name without the date, or one for any."""
    lowered = model.lower()
    for is_it in (
        lambda name: name == model,
        lambda name: name and lowered.startswith(name.lower()) and _VERSION.fullmatch(lowered[len(name) :]),
        lambda name: not name,
    ):
        found = [target for target in targets if is_it(target.model)]
        if found:
            return max(found, key=lambda target: len(target.model))
    return None
