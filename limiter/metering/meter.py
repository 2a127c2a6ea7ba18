"""What one recorded exchange used and cost."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import reduce
from typing import Any
from urllib.parse import urlsplit

from limiter.facts import Facts
from limiter.metering.recording import Damaged, Frame, Recording
from limiter.metering.sessions import turns
from limiter.meters import Usage
from limiter.prices import Priced, Prices
from limiter.usage import counts
from limiter.usage.consumption import consumed, with_request_tier
from limiter.usage.following import media_type
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.providers import Directory, Endpoint
from limiter.usage.requests import Ask, read_request
from limiter.usage.session import Beside
from limiter.usage.tap import Observation, Tap
from limiter.usage.turns import Turn

_PIECE = 64 * 1024
_STREAMS = frozenset({"text/event-stream", "application/vnd.amazon.eventstream"})
_PORTS = {"http": 80, "ws": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """One exchange, measured."""

    id: str
    provider: str = ""
    """Empty: the host is no provider's, or the exchange could not be read."""
    endpoint: str = ""
    model: str = ""
    streaming: bool = False
    reported: Usage | None = None
    """What the provider said. None: nothing."""
    charged: Usage | None = None
    """What is charged, estimates included; None: nothing, or it is not known."""
    priced: Priced | None = None
    """None: it is not known what the exchange cost."""
    source: str = ""
    """Where the price is from; `unbilled` for what costs nothing by its nature."""
    problem: str = ""

    @property
    def estimated(self) -> bool:
        return self.charged is not None and self.charged.estimated


class Meter:
    """Measures exchanges. Remembers what was billed: a later poll of the same work costs nothing."""

    def __init__(self, prices: Prices, directory: Directory, *, estimates: bool = True) -> None:
        """Without `estimates`, an exchange that reports no usage has no cost either."""
        self._prices = prices
        self._directory = directory
        self._estimates = estimates
        self._billed: set[tuple[str, str]] = set()

    def measure(self, item: Recording | Damaged) -> Metered:
        if isinstance(item, Damaged):
            return Metered(id=item.id, problem=item.problem)
        try:
            return self._measure(item)
        except Exception as error:  # noqa: BLE001  whatever was recorded, its line is written and the next one read
            return Metered(id=item.id, problem=f"cannot be metered: {type(error).__name__}: {error}")

    def _measure(self, item: Recording) -> Metered:
        url = urlsplit(item.url)
        path = f"{url.path}?{url.query}" if url.query else url.path or "/"
        endpoint = self._endpoint(item, path)
        if endpoint is None:
            return Metered(id=item.id, problem=item.problem)
        ask = read_request(endpoint, path, item.request_headers, item.request_body)
        if item.frames is not None:
            return self._session(item, ask, path, item.frames)
        observation = _observed(item, ask) if item.status is not None else None
        metered = Metered(
            id=item.id,
            provider=endpoint.provider,
            endpoint=endpoint.name,
            model=_named(ask, observation.model if observation else ""),
            streaming=observation is not None and _streams(ask, observation, item.response_headers),
            reported=observation.usage if observation else None,
            problem="; ".join(_problems(item, ask, observation)),
        )
        if not endpoint.metered or (item.status or 0) >= 400 or (observation is not None and observation.pending):
            return replace(metered, priced=Priced(0, "free", ""), source="unbilled")
        if metered.reported is None and not self._estimates:
            return metered
        if observation is not None and metered.reported is not None:
            work = (endpoint.provider, observation.response_id or f"{url.netloc}{url.path}")
            if endpoint.repeats and work in self._billed:
                return replace(metered, priced=Priced(0, "free", ""), source="unbilled")
            self._billed.add(work)
        usage = consumed(ask, observation, item.status, lambda: self._foreseen(ask, item.request_body))
        served = observation.model if observation else ""
        return self._billing(metered, item, ask, with_request_tier(usage, ask), served)

    def _billing(self, metered: Metered, item: Recording, ask: Ask, usage: Usage, served: str) -> Metered:
        host = urlsplit(item.url).hostname or ""
        facts = Facts(provider=ask.endpoint.provider, endpoint=ask.endpoint.name, model=ask.model, host=host)
        priced = self._prices.bill(usage, facts, served, local=ask.endpoint.local, at=_time(item))
        return replace(metered, charged=usage, priced=priced, source=priced.source)

    def _session(self, item: Recording, ask: Ask, path: str, frames: Iterable[Frame]) -> Metered:
        """A WebSocket: the sum of its turns, each of which is priced by itself."""
        metered = Metered(
            id=item.id,
            provider=ask.endpoint.provider,
            endpoint=ask.endpoint.name,
            model=ask.model,
            streaming=True,
            problem=item.problem,
        )
        if not ask.endpoint.protocol:
            return _also(metered, "a WebSocket of no known protocol")
        parts = [
            part for each in turns(ask, path, frames) if (part := self._turn(metered, item, ask, each)) is not None
        ]
        if not any(part.reported for part in parts):
            metered = _also(metered, "no usage was reported in the session")
        return reduce(_sum, parts, metered)

    def _turn(self, metered: Metered, item: Recording, ask: Ask, turn: Turn | Beside) -> Metered | None:
        """None: nothing was asked for, or nothing is known of it."""
        if isinstance(turn, Beside):
            beside = replace(metered, reported=turn.usage)
            return replace(self._billing(beside, item, ask, turn.usage, turn.model), model="")
        observation = turn.finish()
        if turn.tentative and not turn.answered:
            return None
        found = replace(metered, reported=observation.usage, model=observation.model or turn.ask.model)
        if (turn.status or 0) >= 400 and observation.usage is None:
            return None
        if observation.usage is None and not self._estimates:
            return found
        usage = consumed(turn.ask, observation, turn.status, lambda: self._foreseen(turn.ask, turn.body, turn.context))
        return self._billing(found, item, turn.ask, with_request_tier(usage, turn.ask), observation.model)

    def _foreseen(self, ask: Ask, body: bytes, context: int = 0) -> Forecast:
        """By the output limit of the model that the name stands for."""
        known = replace(ask, model=self._prices.model(ask.endpoint.provider, ask.model))
        return forecast(known, body).told(context)

    def _endpoint(self, item: Recording, path: str) -> Endpoint | None:
        """As for live traffic: where the connection went decides, and then the name that was asked for."""
        method, headers = item.method, item.request_headers
        if item.frames is not None:
            method, headers = "GET", {**headers, "upgrade": "websocket"}  # Recordings may leave such headers out.
        for authority in (item.url, f"//{item.request_headers.get('host', '')}"):
            url = urlsplit(authority)
            host = (url.hostname or "").lower()
            port = _port(url) or _PORTS.get(urlsplit(item.url).scheme, 443)
            endpoint = self._directory.recognise(host, port, method, path, headers)
            if endpoint is not None:
                return endpoint
        return None


def _named(ask: Ask, served: str) -> str:
    """The answer's name says most, but for Bedrock, where it is the model family's own and without a version."""
    return ask.model if ask.model and ask.endpoint.api == "bedrock" else served or ask.model


def _streams(ask: Ask, observation: Observation, headers: Mapping[str, str]) -> bool:
    """Several JSON texts in one body are a stream if one was asked for, and else a list of results."""
    return observation.streamed and (ask.streaming or media_type(headers) in _STREAMS)


def _port(url: Any) -> int | None:
    try:
        port: int | None = url.port
    except ValueError:
        return None
    return port


def _observed(item: Recording, ask: Ask) -> Observation:
    tap = Tap(ask, item.status or 0, item.response_headers)
    body = memoryview(item.response_body)
    for start in range(0, len(body), _PIECE):
        tap.feed(bytes(body[start : start + _PIECE]))
    return tap.finish()


def _problems(item: Recording, ask: Ask, observation: Observation | None) -> Iterator[str]:
    if item.problem:
        yield item.problem
    if ask.problem:
        yield f"the request's body cannot be read: {ask.problem}"
    if observation is None:
        yield "no response was recorded"
    elif observation.truncated:
        yield "the response's body cannot be read to its end"
    elif not observation.complete and not observation.pending:
        yield "the response is cut or is no answer of this API"


def _also(metered: Metered, problem: str) -> Metered:
    return replace(metered, problem=f"{metered.problem}; {problem}" if metered.problem else problem)


def _sum(one: Metered, other: Metered) -> Metered:
    """Both together, under the name of the later model."""
    costs = [each.priced.cost for each in (one, other) if each.priced]
    priced = other.priced or one.priced
    return replace(
        one,
        model=other.model or one.model,
        reported=_added(one.reported, other.reported),
        charged=_added(one.charged, other.charged),
        priced=priced and priced._replace(cost=sum(costs)),
        source=other.source or one.source,
    )


def _added(one: Usage | None, other: Usage | None) -> Usage | None:
    return counts.add(one, other) if one and other else one or other


def _time(item: Recording) -> datetime | None:
    """When the request was made: prices change."""
    if item.started is not None:
        return item.started
    try:
        found = parsedate_to_datetime(item.response_headers.get("date", ""))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
