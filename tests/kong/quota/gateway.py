"""One instance of response-ratelimiting between a client and an upstream that counts, without a network."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple, Self

from limiter.bookings import UnservedError
from limiter.config.documents import read
from limiter.config.kong.declaration import Declaration, Plugin, Source
from limiter.config.kong.response_ratelimiting import NAME, rules
from limiter.config.kong.rrl_schema import SCHEMA, renewed
from limiter.config.kong.schema import Reading, told
from limiter.config.kong.vaults import Vaults
from limiter.decisions import Admission, Refusal
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.kong.entities import GLOBAL, Scope
from limiter.meters import Usage
from limiter.prices import Prices
from limiter.replies import NativeVoice, Replies
from limiter.rules import Policy
from limiter.stores.contract import Clock, Store
from limiter.usage.forecast import Forecast

_ids = count()


def checked(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """A configuration as the schema has it, and what is wrong with it in Kong's words."""
    reading = Reading(Vaults({}))
    found = reading.read(SCHEMA, renewed(config), (), "config")
    return found, told(reading.violations) if reading.violations else ""


def plugin(config: Mapping[str, Any], scope: Scope = GLOBAL, name: str = "") -> Plugin:
    """An instance with a valid configuration."""
    found, problem = checked(config)
    assert not problem, problem
    (document,) = read("{}", "kong.yaml")
    return Plugin(
        name=NAME, config=found, id=str(next(_ids)), scope=scope, instance_name=name, source=Source(document, ())
    )


def compiled(*plugins: Plugin) -> Policy:
    adapted = rules(Declaration(plugins=plugins))
    assert not adapted.problems
    return Policy(adapted.rules)


class Told(NamedTuple):
    """What became of a request."""

    status: int
    headers: dict[str, str]
    """Of the response; lower-case names."""
    asked: dict[str, str]
    """Set on the request for the upstream; empty when it was not asked."""
    body: bytes

    def remaining(self, name: str, period: str) -> str:
        return self.headers[f"x-ratelimit-remaining-{name}-{period}"]

    def limit(self, name: str, period: str) -> str:
        return self.headers[f"x-ratelimit-limit-{name}-{period}"]


@dataclass(slots=True)
class Gateway:
    """A policy in force. What a request's facts do not say otherwise is as in `facts`."""

    engine: Engine
    replies: Replies = field(default_factory=lambda: Replies(NativeVoice()))
    facts: Facts = field(default_factory=lambda: Facts(provider="other", ip="127.0.0.1"))

    @classmethod
    def over(cls, store: Store, clock: Clock, *plugins: Plugin) -> Self:
        """All counters in one store, whatever the instances say."""
        here = Policy(tuple(replace(rule, ledger=None) for rule in compiled(*plugins).rules))
        return cls(Engine(here, {None: store}, Prices((), "free", {}), clock, lambda: f"exchange-{next(_ids)}"))

    async def ask(self, says: str | None = None, **facts: Any) -> Told:
        """A request; `says`: what the upstream counts in its answer, None: nothing."""
        asking = replace(self.facts, **facts)
        try:
            outcome = await self.engine.admit(asking, measure)
        except UnservedError as problem:
            answer = self.replies.unserved(problem.rule, asking)
            return Told(answer.status, _lower(answer.headers), {}, answer.body)
        if isinstance(outcome, Refusal):
            answer = self.replies.refuse(outcome, streaming=False)
            return Told(answer.status, _lower(answer.headers), {}, answer.body)
        assert isinstance(outcome, Admission)
        asked = dict(self.replies.asks(outcome.standings, outcome.now))
        response = () if says is None else (("x-kong-limit", says),)
        heard = self.replies.hear(outcome.standings, response, asking, outcome.now)
        await self.engine.settle(outcome, Usage(units=heard.units), served=heard.answer is None)
        kept = [(name, value) for name, value in response if name not in heard.removed]
        status, body = (heard.answer.status, heard.answer.body) if heard.answer else (200, b"the upstream's")
        return Told(status, _lower((*kept, *heard.fields)), asked, body)

    async def ask_often(self, number: int, says: str, **facts: Any) -> list[int]:
        return [(await self.ask(says, **facts)).status for _ in range(number)]


def _lower(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name.lower(): value for name, value in fields}


async def measure() -> Forecast:
    raise AssertionError("nothing reserves")


def limits(**names: Mapping[str, float | Decimal]) -> dict[str, Any]:
    """`limits` of a configuration; fractions are exact, as documents are read."""
    return {
        "limits": {
            name: {
                period: Decimal(str(amount)) if isinstance(amount, float) else amount
                for period, amount in periods.items()
            }
            for name, periods in names.items()
        }
    }
