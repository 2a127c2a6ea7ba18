"""Random histories, with the plugin's own algorithm beside them."""

import asyncio
from collections import defaultdict
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.stores.memory import MemoryStore
from limiter.windows import Unit
from tests.contract.backends import Time
from tests.kong.quota.gateway import Gateway, limits, plugin
from tests.kong.quota.test_beside_kong import starts

BEGIN = 1_706_745_590
"""Seconds: ten before the end of a day, a month of 31 days and so on."""
PERIODS: tuple[Unit, ...] = ("second", "minute", "hour", "day", "month", "year")
amounts = st.dictionaries(st.sampled_from(PERIODS), st.integers(1, 12), min_size=1).map(
    lambda found: dict(zip(sorted(found, key=PERIODS.index), sorted(found.values()), strict=True))
)
configs = st.fixed_dictionaries({"video": amounts, "image": amounts})
says = st.dictionaries(st.sampled_from(["video", "image", "other"]), st.integers(-3, 6))
steps = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 3, 59, 3_600, 86_400]), says), max_size=25)


class Kong:
    """access.lua, header_filter.lua and log.lua on whole numbers, with counters that never die."""

    def __init__(self, config: dict[str, dict[str, int]], *, blocks: bool) -> None:
        self._config = config
        self._blocks = blocks
        self._used: defaultdict[tuple[str, str, int], int] = defaultdict(int)

    def ask(self, now: int, said: dict[str, int]) -> tuple[int, dict[str, str], dict[str, str]]:
        """Status, what the client is told is left, and the least of it, which the upstream is told."""
        began = starts(now)
        left = {
            (name, period): amount - self._used[name, period, began[period]]
            for name, periods in self._config.items()
            for period, amount in periods.items()
        }
        if self._blocks and 0 in left.values():
            return 429, {}, {}
        least: dict[str, float] = {}
        for (name, _), number in left.items():
            least[name] = min(number, least.get(name, inf))
        told = {f"{name}-{period}": str(max(0, number - said.get(name, 0))) for (name, period), number in left.items()}
        stopped = any(said.get(name, 0) > 0 and number <= 0 for (name, _), number in left.items())
        if not stopped:
            for name, number in said.items():
                for period in PERIODS:
                    self._used[name, period, began[period]] += number
        return 429 if stopped else 200, told, {name: str(number) for name, number in least.items()}


@settings(deadline=None)
@given(configs, steps, st.booleans())
def test_every_history_is_as_kongs(
    config: dict[str, Any], history: list[tuple[int, dict[str, int]]], blocks: bool
) -> None:
    clock = Time(BEGIN * 1000)
    instance = plugin({**limits(**config), "block_on_first_violation": blocks})
    gateway = Gateway.over(MemoryStore(clock), clock, instance)
    kong = Kong(config, blocks=blocks)

    async def run() -> None:
        for seconds, said in history:
            clock.advance(seconds * 1000)
            expected = kong.ask(clock.now // 1000, said)
            told = await gateway.ask(", ".join(f"{name}={number}" for name, number in said.items()))
            prefix = "x-ratelimit-remaining-"
            left = {name.removeprefix(prefix): text for name, text in told.headers.items() if name.startswith(prefix)}
            asked = {name.lower().removeprefix(prefix): text for name, text in told.asked.items()}
            assert (told.status, left, asked) == expected

    asyncio.run(run())
