"""A proxy's engine on a real server, without the proxy around it."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any

import pytest
from redis import Redis

from limiter.config import parse
from limiter.decisions import Admission, Refusal
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.ledgers import Ledger
from limiter.meters import Usage
from limiter.prices import Prices
from limiter.replies import NativeVoice, Replies
from limiter.stores.contract import Store, wall_clock
from limiter.stores.fallback import FallbackStore
from limiter.stores.memory import MemoryStore
from limiter.stores.urls import open_store
from limiter.usage.forecast import Forecast
from limiter.voices import Answer
from tests.higress.asking import facts
from tests.servers import shared


async def measure() -> Forecast:
    return Forecast(prompt_tokens=1, likely_completion=1, max_completion=1)


async def count_nothing(_: object) -> dict[str, int]:
    return {}


class Side:
    """Our side of a shared Redis."""

    _ids = count()

    def __init__(self, text: str) -> None:
        configuration = parse(text, "higress.yaml")
        ledgers = {rule.ledger for rule in configuration.policy.rules if rule.ledger}
        self.stores: dict[Ledger | None, Store] = {None: MemoryStore(wall_clock)}
        for ledger in ledgers:
            store = open_store(ledger.store)
            self.stores[ledger] = FallbackStore(store, ledger.on_error, wall_clock, ledger.timeout)
        self.engine = Engine(configuration.policy, self.stores, Prices(), wall_clock, lambda: f"side-{next(self._ids)}")
        self.replies = Replies(NativeVoice())

    async def admit(self, request: Facts | None = None) -> Admission | Refusal:
        outcome = await self.engine.admit(request or facts(), measure, count_nothing)
        assert isinstance(outcome, Admission | Refusal)
        return outcome

    async def admitted(self, request: Facts | None = None) -> Admission:
        outcome = await self.admit(request)
        assert isinstance(outcome, Admission)
        return outcome

    async def refused(self, request: Facts | None = None) -> Answer:
        outcome = await self.admit(request)
        assert isinstance(outcome, Refusal)
        return self.replies.refuse(outcome, streaming=False)

    async def spend(self, tokens: int, request: Facts | None = None) -> None:
        await self.settle(await self.admitted(request), tokens)

    async def settle(self, admission: Admission, tokens: int) -> None:
        await self.engine.settle(admission, Usage(prompt_tokens=tokens, total_tokens=tokens))

    async def told(self, request: Facts | None = None) -> dict[str, str]:
        """Header fields of an admitted request's response."""
        admission = await self.admitted(request)
        return dict(self.replies.hear(admission.standings, (), admission.facts, admission.now).fields)

    async def close(self) -> None:
        for store in self.stores.values():
            await store.close()


@pytest.fixture
def redis() -> Iterator[Redis]:
    """The server, with nothing on it, seen from outside."""
    shared.standalone_url()
    with shared.standalone().client(decode_responses=True) as client:
        yield client


@pytest.fixture
def server(redis: Redis) -> str:
    """`redis` of a configuration."""
    address = shared.standalone().address
    return f"redis: {{service_name: {address.host}, service_port: {address.port}}}\n"


@pytest.fixture
async def side(server: str) -> AsyncIterator[Callable[..., Side]]:
    """Makes our side from a configuration without its `redis`."""
    made: list[Side] = []

    def make(text: str, settings: str = "", **more: Any) -> Side:
        documents = [text + more.get("server", server), *([f"settings: {{{settings}}}\n"] if settings else [])]
        made.append(Side("---\n".join(documents)))
        return made[-1]

    yield make
    for each in made:
        await each.close()
