"""Decisions without a proxy: `Engine.admit` alone, and how its time grows with limits that do not match."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from types import MappingProxyType

from limiter.app import App, Sources
from limiter.facts import Facts
from tests.bench.admissions import Admit, alternate, unforeseen
from tests.bench.configs import IDLE, limits
from tests.bench.table import head, ratios, row, show, verdict

CALLS = 300
BATCHES = 9
BOUNDS_US = {"memory": 30.0, "sqlite": 150.0}
GROWTH_BOUND = 1.20
FACTS = Facts(
    provider="openai",
    endpoint="chat",
    api="openai",
    model="gpt-4o-mini",
    host="api.openai.com",
    method="POST",
    path="/v1/chat/completions",
    ip="127.0.0.1",
    credential="0123456789abcdef",
    headers=MappingProxyType({"content-type": "application/json", "x-team": "team-none", "user-agent": "bench"}),
)


def decisions(folder: Path) -> None:
    """Three limits in memory and in SQLite; then in memory beside many limits that do not apply."""
    asyncio.run(_decisions(folder))


async def _decisions(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        admits = {store: await stack.enter_async_context(_admit(folder, store)) for store in BOUNDS_US}
        batches = await alternate(admits, BATCHES, CALLS)
        show(head("Engine.admit, 3 limits", "us", "best us", "bound us", "x bound"))
        for store, bound in BOUNDS_US.items():
            found, best = median(batches[store]), min(batches[store])
            verdicts = verdict(found, bound, least=False, form=".0f")
            show(row(store, f"{found:.1f}", f"{best:.1f}", verdicts, f"{found / bound:.2f}"))
        show(head("beside idle limits", "us", "x alone", "bound"))
        for kind, (many, _) in IDLE.items():
            async with _admit(folder, "memory", idle=kind) as beside:
                batches = await alternate({"alone": admits["memory"], "beside": beside}, BATCHES, CALLS)
            growth = median(ratios(batches["beside"], batches["alone"]))
            verdicts = verdict(growth, GROWTH_BOUND, least=False, form=".2f")
            show(row(f"{many:,} {kind}", f"{median(batches['beside']):.1f}", f"{growth:.2f}", verdicts))


@asynccontextmanager
async def _admit(folder: Path, store: str, *, idle: str = "") -> AsyncIterator[Admit]:
    """One admission of an engine with three limits that apply. The only place that knows the engine."""
    name = f"decision-{store}-{idle.replace(' ', '-')}"
    config = folder / f"{name}.yaml"
    url = "memory:" if store == "memory" else f"sqlite:///{folder / name}.db"
    config.write_text(limits(url, 3, idle=idle))
    app = App(Sources(config=config, store="", data=folder))
    try:
        app.warm()
        admit = app.running.engine.admit
        yield lambda: admit(FACTS, unforeseen)
    finally:
        await app.close()
