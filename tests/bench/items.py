"""Higress's rules: how the time of a decision grows with the keys of one item."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import count, cycle
from statistics import median

from limiter.config import parse
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.prices import Prices
from limiter.stores.contract import wall_clock
from limiter.stores.memory import MemoryStore
from tests.bench.admissions import Admit, alternate, unforeseen
from tests.bench.table import head, ratios, row, show, verdict

CALLS = 500
BATCHES = 15
GROWTH_BOUND = 1.20
VALUES = 5000
"""Different values that requests have, of which most match no key: more than are kept at hand."""


def _exact(number: int) -> str:
    return _item("limit_by_header: x", [f"team-{index}" for index in range(number)])


def _networks(number: int) -> str:
    return _item(
        "limit_by_per_ip: from-remote-addr", [f"10.{index // 256}.{index % 256}.0/24" for index in range(number)]
    )


def _expressions(number: int) -> str:
    return _item("limit_by_per_header: x", [rf"regexp:^team-{index}\d*(-[a-z]+)?$" for index in range(number)])


SIZES: Mapping[str, tuple[Callable[[int], str], int, int]] = {
    "exact keys": (_exact, 10, 10_000),
    "networks": (_networks, 10, 1_000),
    "expressions": (_expressions, 10, 100),
}
"""What keys are → the configuration with so many, few, many."""


def items() -> None:
    """Many keys in one item beside few; in memory, where the rest of a decision costs least."""
    asyncio.run(_items())


async def _items() -> None:
    show(head("keys of one item", "us", "x few", "bound"))
    for name, (make, few, many) in SIZES.items():
        batches = await alternate({"few": _admit(make(few)), "many": _admit(make(many))}, BATCHES, CALLS)
        growth = median(ratios(batches["many"], batches["few"]))
        verdicts = verdict(growth, GROWTH_BOUND, least=False, form=".2f")
        show(row(f"{many:,} {name} beside {few}", f"{median(batches['many']):.1f}", f"{growth:.2f}", verdicts))


def _item(kind: str, keys: Sequence[str]) -> str:
    listed = "".join(f"      - {{key: '{key}', token_per_day: 1000000}}\n" for key in keys)
    return f"rule_name: r\nrule_items:\n  - {kind}\n    limit_keys:\n{listed}redis: {{service_name: redis}}\n"


def _admit(config: str) -> Admit:
    """Admissions of requests that differ in what the keys look at."""
    policy = parse(config, "items.yaml").policy
    ids = count()
    stores = {ledger: MemoryStore(wall_clock) for ledger in {None, *(rule.ledger for rule in policy.rules)}}
    engine = Engine(policy, stores, Prices(), wall_clock, lambda: str(next(ids)))
    requests = cycle(_requests())
    return lambda: engine.admit(next(requests), unforeseen)


def _requests() -> list[Facts]:
    """Every other one of them matches the first keys, whatever their number."""
    numbers = [index % 10 if index % 2 else 100_000 + index for index in range(VALUES)]
    return [
        Facts(
            provider="openai",
            model="gpt-4o-mini",
            target="/v1/chat/completions",
            peer=f"10.0.{number}.{index % 250}" if number < 10 else f"11.{index % 250}.{index // 250}.7",
            fields=(("host", "api.openai.com"), ("x", f"team-{number}")),
        )
        for index, number in enumerate(numbers)
    ]
