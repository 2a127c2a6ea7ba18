"""Prints how metering agrees with labelled recordings, a row for each provider: see scripts/corpus.

A count agrees when it is what the label says; absent labels of cached, cache-creation and reasoning tokens are not
compared. Cases that contradict themselves (`ambiguous`) are only counted. Exit status 1 when anything crashes.
"""

import gzip
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from limiter.metering.formats import Recordings
from limiter.metering.meter import Meter, Metered
from limiter.prices import Prices
from limiter.usage.providers import Directory

WHOLES = ("prompt_tokens", "completion_tokens", "total_tokens")
PARTS = ("cached_tokens", "cache_creation_tokens", "reasoning_tokens")
CRASH = "cannot be metered"


def labels(folder: Path) -> dict[str, dict[str, Any]]:
    """What each case is expected to show, by its id."""
    with gzip.open(folder / "labelled.jsonl.gz") as file:
        return {case["id"]: case["expected"] for case in map(json.loads, file)}


def metered(folder: Path, name: str) -> Iterator[Metered]:
    """As `ai-limit meter` measures it."""
    meter = Meter(Prices(), Directory())
    with Recordings(str(folder / f"{name}.jsonl.gz")) as recordings:
        yield from map(meter.measure, recordings)


def differences(expected: Mapping[str, Any], found: Metered) -> dict[str, bool]:
    """Each thing that is compared → whether it differs."""
    silent = all(expected[name] is None for name in WHOLES)
    wrong = {"provider": found.provider != expected["provider"], "crash": found.problem.startswith(CRASH)}
    usage = found.reported
    for name in WHOLES:
        wrong[name] = (getattr(usage, name) if usage else 0) != (expected[name] or 0)
    for name in PARTS:
        if expected[name] is not None and not silent:
            wrong[name] = (getattr(usage, name) if usage else None) != expected[name]
    return wrong


def main() -> None:
    folder = Path(os.environ.get("AI_LIMIT_CORPUS", ""))
    if not (folder / "labelled.jsonl.gz").is_file():
        sys.exit("AI_LIMIT_CORPUS: expected a folder with labelled.jsonl.gz")
    expected = labels(folder)
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    wrong = []
    for found in metered(folder, "labelled"):
        label = expected[found.id]
        for sum_ in (sums[label["provider"]], sums["all"]):
            sum_["cases"] += 1
            if label["exactness"] == "ambiguous":
                sum_["ambiguous"] += 1
                continue
            for name, differs in differences(label, found).items():
                sum_[f"{name} of"] += 1
                sum_[name] += not differs
        if label["exactness"] != "ambiguous" and any(differences(label, found).values()):
            wrong.append(found.id)
    heads = (
        "provider",
        "cases",
        "ambiguous",
        "found",
        "prompt",
        "completion",
        "total",
        "cached",
        "created",
        "reasoning",
    )
    rows = [heads, *(_row(name, sums[name]) for name in sorted(sums, key=lambda name: (name == "all", name)))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]))
    print("differ:", ", ".join(wrong) or "none")
    crashes = [found.id for name in ("labelled", "unlabelled") for found in metered(folder, name)
               if found.problem.startswith(CRASH)]  # fmt: skip
    print("crashes:", ", ".join(crashes) or "none")
    sys.exit(bool(crashes))


def _row(provider: str, sums: Counter[str]) -> tuple[str, ...]:
    compared = ("provider", *WHOLES, *PARTS)
    parts = (f"{sums[name]}/{sums[f'{name} of']}" if sums[f"{name} of"] else "-" for name in compared)
    return provider, str(sums["cases"]), str(sums["ambiguous"] or ""), *parts


if __name__ == "__main__":
    main()
