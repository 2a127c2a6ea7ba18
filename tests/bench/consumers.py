"""Kong's plugin instances: how the time of a decision grows with the consumers that have one of their own."""

import asyncio
import time
from itertools import count, cycle
from statistics import median

from limiter.config import parse
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.prices import Prices
from limiter.stores.contract import wall_clock
from limiter.stores.memory import MemoryStore
from tests.bench.admissions import Admit, alternate, unforeseen
from tests.bench.items import BATCHES, CALLS
from tests.bench.table import head, ratios, row, show, verdict

FEW = (10, 2)
"""Consumers, and routes."""
MANY = (1000, 20)
GROWTH_BOUND = 1.20
PLUGIN = "{name: ai-rate-limiting-advanced, config: {llm_providers: [{name: openai, limit: [1e9], window_size: [60]}]}}"


def consumers() -> None:
    """A plugin instance for each consumer and each route, many of them beside few; in memory."""
    asyncio.run(_consumers())


async def _consumers() -> None:
    show(head("instances of ai-rate-limiting-advanced", "us", "x few", "bound"))
    began = time.perf_counter()
    many = _admit(*MANY)
    loaded = time.perf_counter() - began
    batches = await alternate({"few": _admit(*FEW), "many": many}, BATCHES, CALLS)
    growth = median(ratios(batches["many"], batches["few"]))
    bound = verdict(growth, GROWTH_BOUND, least=False, form=".2f")
    names = f"{MANY[0]:,} consumers and {MANY[1]} routes beside {FEW[0]} and {FEW[1]}"
    show(row(names, f"{median(batches['many']):.1f}", f"{growth:.2f}", bound))
    show(row("  reading that configuration", f"{loaded * 1e6:,.0f}", "", ""))


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def _admit(number: int, routes: int) -> Admit:
    """Admissions of requests of the first consumers, and of everybody else on the first routes."""
    people = "".join(f"- {{username: c{each}, id: {_id(each)}, plugins: [{PLUGIN}]}}\n" for each in range(number))
    ways = "".join(
        f"- {{name: r{each}, id: {_id(10**6 + each)}, paths: [/r{each}], plugins: [{PLUGIN}]}}\n"
        for each in range(routes)
    )
    text = (
        f'_format_version: "3.0"\nconsumers:\n{people}services:\n- name: s\n  url: https://api.openai.com\n'
        f"  routes:\n{_indented(ways)}plugins: [{PLUGIN}]\n"
    )
    policy = parse(text, "consumers.yaml").policy
    ids = count()
    stores = {ledger: MemoryStore(wall_clock) for ledger in {None, *(rule.ledger for rule in policy.rules)}}
    engine = Engine(policy, stores, Prices(), wall_clock, lambda: str(next(ids)))
    requests = cycle(
        Facts(
            provider="openai",
            model="gpt-4o-mini",
            ip="192.0.2.1",
            consumer_id=_id(each) if each < 10 else "",
            route=_id(10**6 + each % 2) if each > 15 else "",
        )
        for each in range(20)
    )
    return lambda: engine.admit(next(requests), unforeseen)


def _indented(lines: str) -> str:
    return "".join(f"  {line}\n" for line in lines.splitlines())
