"""A proxy's decisions without the proxy: a configuration, a clock that the test sets, and requests by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from limiter.config import parse
from limiter.decisions import Refusal, Unpriced
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.meters import Usage
from limiter.plans import Plan
from limiter.prices import Prices
from limiter.replies import NativeVoice, Replies
from limiter.stores.contract import Store
from limiter.stores.memory import MemoryStore
from limiter.usage.forecast import Forecast

NOON = 1_795_608_000_000
"""2026-11-25 12:00:00 UTC: the start of a minute and of an hour."""
SECOND = 1000
ANYONE = Facts(provider="openai", model="gpt-4o-mini", ip="192.0.2.1", method="POST", path="/v1/chat/completions")
HEAD = '_format_version: "3.0"\nplugins:\n'


def tokens(prompt: int, completion: int = 0) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


class Reply(NamedTuple):
    status: int
    fields: Mapping[str, str]
    """Names as sent."""
    body: bytes = b""

    def of(self, name: str) -> str:
        """The field `X-AI-RateLimit-` + name; empty: there is none."""
        return self.fields.get(f"X-AI-RateLimit-{name}", "")


class Gateway:
    """A declaration in force.

    Args:
        plugin: lines of YAML of one plugin's `config`; with `whole`, a whole document.
        store: for all counters; None: one in memory.
    """

    def __init__(self, plugin: str, *, whole: bool = False, store: Store | None = None, now: int = NOON) -> None:
        self.now = now
        text = plugin if whole else f"{HEAD}- name: ai-rate-limiting-advanced\n  config:\n{_indented(plugin)}"
        self.configuration = parse(text, "kong.yaml", {})
        self.store = store or MemoryStore(lambda: self.now)
        stores = {None: self.store} | {rule.ledger: self.store for rule in self.configuration.policy.rules}
        ids = count()
        self.engine = Engine(
            self.configuration.policy, stores, Prices(), lambda: self.now, lambda: f"batch-{next(ids)}"
        )
        self.replies = Replies(NativeVoice())
        self.prompt = 0
        """Tokens that requests are estimated at."""
        self.asked = 0.0
        """What every function makes of a request."""

    async def ask(self, usage: Usage | None = None, *, takes: int = 0, **facts: Any) -> Reply:
        """A request, and what it used if it was admitted.

        Args:
            takes: milliseconds until the answer ends.
        """
        sent = {"fields": tuple(facts.get("headers", {}).items()), **facts}
        outcome = await self.engine.admit(replace(ANYONE, **sent), self._measure, self._count)
        assert not isinstance(outcome, Unpriced)
        if isinstance(outcome, Refusal):
            answer = self.replies.refuse(outcome, streaming=False)
            return Reply(answer.status, dict(answer.headers), answer.body)
        fields = dict(self.replies.hear(outcome.standings, (), outcome.facts, outcome.now).fields)
        self.now += takes
        await self.engine.settle(outcome, usage or Usage())
        return Reply(200, fields)

    def after(self, seconds: float) -> None:
        """Moves the clock."""
        self.now += round(seconds * SECOND)

    async def _measure(self) -> Forecast:
        return Forecast(prompt_tokens=self.prompt, likely_completion=0, max_completion=0)

    async def _count(self, plans: Sequence[Plan]) -> Mapping[str, int]:
        functions = self.configuration.settings.functions
        return {plan.asked: functions[plan.asked].parts(self.asked, 10**15) for plan in plans if plan.asked}


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.strip("\n").splitlines())
