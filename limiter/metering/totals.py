"""Measured exchanges summed up by provider and model, as a table for people."""

from dataclasses import dataclass

from limiter.metering.meter import Metered
from limiter.metering.rows import dollars

_HEADS = ("provider", "model", "requests", "prompt", "cached", "completion", "total", "cost")
_TEXTS = 2
"""Columns that begin at the left."""


@dataclass(slots=True)
class Sum:
    requests: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    total: int = 0
    cost: int = 0
    estimated: int = 0
    """Requests whose usage is an estimate."""
    unknown: int = 0
    """Requests whose cost is not known."""

    def add(self, metered: Metered) -> None:
        self.requests += 1
        self.unknown += metered.priced is None
        self.estimated += metered.estimated
        self.cost += metered.priced.cost if metered.priced else 0
        if (usage := metered.charged) is not None:
            self.prompt += usage.prompt_tokens
            self.cached += usage.cached_tokens
            self.completion += usage.completion_tokens
            self.total += usage.total_tokens

    def cells(self) -> list[str]:
        counts = (self.requests, self.prompt, self.cached, self.completion, self.total)
        return [*(f"{count:,}" for count in counts), _money(self.cost)]


class Totals:
    """Exchanges with hosts that are no provider's are left out."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], Sum] = {}
        self._all = Sum()

    def add(self, metered: Metered) -> None:
        if metered.provider:
            self._sums.setdefault((metered.provider, metered.model), Sum()).add(metered)
            self._all.add(metered)

    def table(self) -> str:
        """The dearest first."""
        ordered = sorted(self._sums.items(), key=lambda item: (-item[1].cost, item[0]))
        rows = [[provider, model or "-", *total.cells()] for (provider, model), total in ordered]
        rows = [list(_HEADS), *rows, ["all", "", *self._all.cells()]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if index < _TEXTS else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in rows
        ]
        if self._all.estimated:
            lines.append(f"{self._all.estimated:,} of these requests did not report their usage: estimated")
        if self._all.unknown:
            lines.append(f"{self._all.unknown:,} of these requests did not report their usage: not counted")
        return "\n".join(lines)


def _money(nano: int) -> str:
    """Rounded to a hundredth of a cent, which is what people read; small sums keep their digits."""
    return f"${nano / 1e9:,.4f}" if nano >= 1_000_000 else f"${dollars(nano)}"
