"""Limits of one instance of ai-rate-limiting-advanced: names, amounts, windows, and how they are shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from limiter.config.adapter import Named
from limiter.config.kong.airla_naming import tidy
from limiter.config.kong.declaration import Plugin, Record
from limiter.config.notices import Notice, Steps, field_name
from limiter.kong.airla.costs import CoarseCosts, DeclaredCosts
from limiter.kong.airla.names import REQUEST_PROMPT, window_label
from limiter.kong.airla.voice import Label
from limiter.kong.functions import Function
from limiter.meters import ASKED, NANO, UNIT
from limiter.rules import Choice, Condition, Costs, Limit, Reserve
from limiter.windows import Window

THOUSANDTHS = 1000
"""Parts in which numbers of functions are counted that are no money, and money of large limits."""
LARGE = 1_000_000
"""Units; of limits up to here, billionths of what functions count fit into every store's numbers."""
COARSER: Mapping[str, int] = MappingProxyType({"millionths": 1_000_000, "thousandths": THOUSANDTHS})
"""Parts in which costs of limits are counted that are too large for billionths, and what their names have of it."""
LARGEST = 2**53 - 1
"""What every store holds exactly."""
NOTHING = "return 0"
"""In place of a function that is not there."""


class Span(NamedTuple):
    """A window and its name in headers."""

    window: Window
    label: str


class Budget(NamedTuple):
    """One amount of a configuration."""

    provider: str
    """As headers have it."""
    amount: Decimal | int
    span: Span
    path: Steps
    """Where it stands, inside of the plugin."""
    mark: str = ""
    """Tells apart limits that are shown alike."""


class Part(NamedTuple):
    """A rule without what all rules of an instance share."""

    limits: tuple[Limit, ...]
    conditions: tuple[Condition, ...] = ()
    choices: tuple[Choice, ...] = ()


@dataclass(slots=True)
class Draft:
    """Collects the limits of one instance."""

    plugin: Plugin
    base: str
    costs: DeclaredCosts | None
    """None: dollars by the built-in list."""
    labels: dict[str, Label] = field(default_factory=dict)
    names: list[Named] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    """By the name of their units."""
    warnings: list[Notice] = field(default_factory=list)
    problems: list[Notice] = field(default_factory=list)

    @property
    def config(self) -> Record:
        return self.plugin.config

    def problem(self, message: str, path: Steps) -> None:
        self.problems.append(self.plugin.source.notice(message, *path))

    def warning(self, message: str, path: Steps) -> None:
        self.warnings.append(self.plugin.source.notice(message, *path))

    def window(self, kind: str, seconds: Decimal | int, path: Steps) -> Span | None:
        """A window of a number of seconds; None, and a problem, for what is not whole."""
        if seconds != int(seconds):
            self.problem(f"found {seconds}, expected a whole number of seconds", path)
            return None
        count = int(seconds)
        return Span(Window("fixed" if kind == "fixed" else "sliding", count, "second"), window_label(count))

    def metered(
        self,
        budget: Budget,
        strategy: str,
        per: tuple[str, ...],
        *,
        only: Condition | None = None,
        reserve: Reserve = "none",
    ) -> Limit:
        """A limit of tokens or cost; `strategy` is the name of the meter, too."""
        scale, told = 1, "" if strategy == "total_tokens" else strategy
        costs: Costs | None = None
        if strategy == "cost":
            scale, costs = NANO, self.costs
            for parts, coarse in COARSER.items():
                if budget.amount * scale > LARGEST and self.costs:
                    scale, costs, told = coarse, CoarseCosts(self.costs, coarse), f"{strategy}.{parts}"
        return Limit(
            name=self._name(budget, told),
            meter=strategy,
            # With a part of a token left a request passes.
            amount=self._bounded(math.ceil(Fraction(budget.amount) * scale), budget),
            window=budget.span.window,
            per=per,
            reserve=reserve,
            scale=scale,
            only=only,
            costs=costs,
        )

    def counted(self, budget: Budget, function_of: str, per: tuple[str, ...]) -> Limit:
        """A limit of what the function in the field `function_of` counts."""
        asks = budget.provider == REQUEST_PROMPT
        source = self.config[function_of]
        if not source:
            self.warning(f"counts nothing, as there is no {function_of}", budget.path[:3])
        entries = [each for each in self.config["llm_providers"] if each["name"] == budget.provider]
        largest = max(limit for each in entries for limit in each["limit"])
        scale = THOUSANDTHS if asks or largest > LARGE else NANO
        own, path = self.plugin.source, ("config", function_of)
        title = f"{own.place(*path)}: {field_name((*own.path, *path))}"
        prices = "" if self.costs else "list"
        function = Function(source or NOTHING, scale, title, self.costs, prices)
        self.functions[function.name] = function
        return Limit(
            # Counters of one name are in the same parts.
            name=self._name(budget, "coarse" if scale != NANO and not asks else "", asks=asks),
            meter=f"{ASKED if asks else UNIT}{function.name}",
            amount=self._bounded(math.floor(Fraction(budget.amount) * function.scale), budget),
            window=budget.span.window,
            per=per,
            scale=function.scale,
            penalty=asks and not (self.config["disable_penalty"] and self.config["window_type"] == "sliding"),
        )

    def _name(self, budget: Budget, strategy: str = "", *, asks: bool = False) -> str:
        label = budget.span.label
        wish = ".".join(filter(None, (self.base, budget.provider, budget.mark, label, strategy)))
        name, number = tidy(wish), 1
        while name in self.labels:
            number += 1
            name = tidy(f"{wish}-{number}")
        self.labels[name] = Label(label, budget.provider, Decimal(budget.amount), asks)
        source = self.plugin.source
        self.names.append(Named(name, source.place(*budget.path), field_name((*source.path, *budget.path))))
        return name

    def _bounded(self, number: int, budget: Budget) -> int:
        if number > LARGEST:
            self.problem(f"found a limit of {budget.amount}, which is too much to be counted exactly", budget.path)
        return number
