"""Users' Lua functions: what they count of a request before it is sent, and of an exchange when it has ended."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import ReferenceType, ref

from mitmproxy import http

from addons.traffic import fields_of
from limiter.decisions import Admission
from limiter.engine import Count
from limiter.facts import Facts
from limiter.kong.airla.names import theirs
from limiter.kong.functions import Function
from limiter.lua.counter import LuaCounter
from limiter.lua.function import LuaFunction
from limiter.lua.request import LuaRequest, LuaResponse, snapshot
from limiter.meters import NANO, UNIT, Usage
from limiter.plans import Plan

ENOUGH = 10**12
"""Parts of a unit. More is booked only where a limit is larger: a number that a client sends must not fill a store."""
MOST = 10**15
"""Parts that one exchange may be said to have used."""


class Functions:
    """The workers that run them."""

    def __init__(self) -> None:
        self._counter = LuaCounter()

    def calls(self, functions: Mapping[str, Function], body: bytes, flow: http.HTTPFlow | None) -> "Calls | None":
        """Those of one exchange; None: there are none.

        Args:
            flow: None for turns of a WebSocket.
        """
        return Calls(self._counter, functions, body, ref(flow) if flow else None) if functions else None

    async def close(self) -> None:
        await self._counter.close()


@dataclass(slots=True, eq=False)
class Calls:
    """Of one exchange."""

    counter: LuaCounter
    functions: Mapping[str, Function]
    """By the unit that they count."""
    body: bytes = field(repr=False)
    flow: ReferenceType[http.HTTPFlow] | None
    """Weak, as the exchange hangs on it."""
    started: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def before(self, facts: Facts) -> Count:
        """Counts a request that is to be admitted."""

        async def count(plans: Sequence[Plan]) -> Mapping[str, int]:
            limits: dict[str, int] = {}
            for plan in plans:
                if plan.asked in self.functions:
                    limits[plan.asked] = max(limits.get(plan.asked, ENOUGH), 2 * plan.limit.amount)
            request = self._snapshot(facts, None)
            return {name: await self._call(name, request, most) for name, most in limits.items()}

        return count

    async def after(self, admission: Admission, usage: Usage, model: str) -> Mapping[str, int]:
        """Custom units that an exchange has used.

        Args:
            usage: priced.
            model: as the answer names it.
        """
        names = {item.limit.meter.removeprefix(UNIT) for item in admission.planned if item.limit.meter.startswith(UNIT)}
        units: dict[str, int] = {}
        for name in sorted(names & self.functions.keys()):
            response = self._response(self.functions[name], admission.facts, usage, model)
            units[name] = await self._call(name, self._snapshot(admission.facts, response), MOST)
        return units

    async def _call(self, name: str, request: LuaRequest, most: int) -> int:
        function = self.functions[name]
        return function.parts((await self.counter.count(_lua(function.source, function.title), request)).number, most)

    def _snapshot(self, facts: Facts, response: LuaResponse | None) -> LuaRequest:
        flow = self.flow and self.flow()
        version = flow.request.http_version.removeprefix("HTTP/") if flow else ""
        return snapshot(
            facts,
            scheme=flow.request.scheme if flow else "https",
            http_version=_VERSIONS.get(version),
            body=self.body,
            started=self.started,
            client_port=flow.client_conn.peername[1] if flow else 0,
            peer=facts.peer,
            trusted=facts.trusted,
            response=response,
        )

    def _response(self, function: Function, facts: Facts, usage: Usage, model: str) -> LuaResponse:
        flow = self.flow and self.flow()
        response = flow.response if flow else None
        cost = function.costs(facts, usage) if function.costs else usage.cost or 0
        return LuaResponse(
            status=response.status_code if response else 200,
            headers=fields_of(response.headers) if response else (),
            provider=theirs(facts.provider),
            request_model=facts.model,
            response_model=model or facts.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
            cost=cost / NANO,
        )


_VERSIONS = {"1.0": 1.0, "1.1": 1.1, "2.0": 2.0, "3": 3.0}


@lru_cache(maxsize=256)
def _lua(source: str, title: str) -> LuaFunction:
    return LuaFunction(source, title)
