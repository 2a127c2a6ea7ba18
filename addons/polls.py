"""A request for the result of work that another request started.

It is never refused, whatever is spent: the work is paid for already, and a client that cannot read its result would
only start it again. It is no request of its own, so a client that polls every second uses up no allowance of requests.
And an answer without usage is no alarm: most polls come before there is any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from addons.background import Background
from addons.exchange import Followed
from limiter.decisions import Admission
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.usage.consumption import work
from limiter.usage.requests import Ask


@dataclass(slots=True, eq=False)
class Poll:
    """One such request. Where it started in this process, its usage is booked by the admission of the start."""

    engine: Engine
    ask: Ask
    facts: Facts
    background: Background
    hides_usage: bool = False
    tap: Followed | None = None
    status: int | None = None
    sent: bool = True
    units: Mapping[str, int] = field(default_factory=dict)
    withheld: bool = False

    @property
    def admission(self) -> Admission | None:
        return None

    async def settle(self) -> None:
        """Books the usage that the answer shows, if it is the first to show it."""
        if self.tap is None or self.status is None or self.status >= 400:
            return
        observation = self.tap.finish()
        if observation.background is False:
            return  # Counted by the request that made it, whose answer had the usage.
        name = work(self.ask, observation, f"{self.facts.host}{self.facts.path}")
        if observation.usage is None:
            started = self.background.take(name) if observation.complete and not observation.pending else None
            if started is not None:
                await started.book(observation)  # It ended without a word on usage.
            else:
                self.background.touch(name)
            return
        first = await self.background.first(self.engine, name)
        started = self.background.take(name)
        if started is not None and first:
            await started.book(observation)
        elif started is not None:
            await started.finish_without_tokens()
        elif first:
            facts = replace(self.facts, model=self.facts.model or observation.model)
            await self.engine.book(facts, observation.usage, observation.model, local=self.ask.endpoint.local)
