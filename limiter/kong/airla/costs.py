"""What exchanges cost by the prices of a declaration: `model.options` of ai-proxy and ai-proxy-advanced.

https://developer.konghq.com/plugins/ai-rate-limiting-advanced/ : (prompt tokens · input cost + completion tokens ·
output cost) over a million. Whether the prices are dollars or anything else, limits are in the same unit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from limiter.facts import Facts
from limiter.kong.airla.names import ours
from limiter.meters import NANO, Usage

MILLION = 1_000_000


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

    def is_for(self, facts: Facts) -> bool:
        return all(
            value in facts.groups if name == "group" else getattr(facts, name) == value
            for name, value in self.conditions
        )


@dataclass(frozen=True, slots=True)
class DeclaredCosts:
    """The prices of a declaration. Those of the instance that a request runs through count; where it has none for the
    model, or none is attached, those of any other."""

    instances: tuple[Proxying, ...] = field(default=(), repr=False)
    """The most telling first."""

    def __call__(self, facts: Facts, usage: Usage) -> int:
        """Billionths of the unit that the prices are in; 0 where the declaration has no price."""
        target = next(self._found(facts), None)
        return target.cost(usage) if target else 0

    def _found(self, facts: Facts) -> Iterator[Target]:
        applying = next((instance for instance in self.instances if instance.is_for(facts)), None)
        if applying:
            yield from _of_model(applying.targets, facts)
            served = [target for target in applying.targets if facts.provider in ours(target.provider)]
            # The gateway would send the request to its one model, whatever name the request has for it.
            if len(served) == 1:
                yield served[0]
        yield from _of_model([target for instance in self.instances for target in instance.targets], facts)


def _of_model(targets: Sequence[Target], facts: Facts) -> Iterator[Target]:
    """Targets for the model by name, then those for any."""
    for model in (facts.model, ""):
        for target in targets:
            if target.model == model and facts.provider in ours(target.provider):
                yield target
