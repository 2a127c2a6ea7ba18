"""Results as lines of text: what was measured, beside what is promised."""

import sys
from collections.abc import Sequence


def show(line: str) -> None:
    """A line of the result."""
    print(line, flush=True)  # noqa: T201


def note(line: str) -> None:
    """A line about the progress."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def row(name: str, *cells: str) -> str:
    return f"{name:<24}" + "".join(f"{cell:>14}" for cell in cells)


def head(title: str, *cells: str) -> str:
    line = row(title, *cells)
    return f"\n{line}\n{'-' * len(line)}"


def verdict(found: float, bound: float | None, *, least: bool, form: str) -> str:
    """The bound, and whether it is kept; a measurement, not a gate."""
    if bound is None:
        return "–"
    kept = found >= bound if least else found <= bound
    return f"{'≥' if least else '≤'} {bound:{form}} {'yes' if kept else 'NO'}"


def ratios(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Of the same round each: what slows the machine slows both."""
    return [value / other for value, other in zip(values, reference, strict=True)]
