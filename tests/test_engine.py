"""One request from facts to outcome, on a clock that the test sets: what is spent is counted once, in some window."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count

import pytest

from limiter.config import parse
from limiter.counters import Acquired, Charge
from limiter.decisions import Admission, Refusal, Unpriced
from limiter.engine import Engine
from limiter.facts import Facts
from limiter.meters import Usage
from limiter.prices import Prices
from limiter.settings import Price
from limiter.stores.contract import LEASE
from limiter.stores.memory import MemoryStore
from limiter.usage.forecast import Forecast

MINUTE = 60_000
NOW = 1_795_639_680_000
"""The start of a minute and of a ten-minute window."""
FACTS = Facts(provider="openai", model="gpt-4o-mini", api="openai", host="api.openai.com")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


Make = Callable[..., Engine]


@pytest.fixture(name="make")
def _make(clock: Clock) -> Make:
    ids = count()
    store = MemoryStore(clock)

    def make(limit: str, prices: Prices | None = None) -> Engine:
        policy = parse(f"limits: [{{name: a, {limit}}}]", "a.yaml").policy
        return Engine(policy, {None: store}, prices or Prices(), clock, lambda: str(next(ids)))

    return make


def tokens(total: int) -> Usage:
    return Usage(prompt_tokens=total, total_tokens=total)


async def measure() -> Forecast:
    return Forecast(prompt_tokens=100, likely_completion=200, max_completion=900)


async def admitted(engine: Engine) -> Admission:
    outcome = await engine.admit(FACTS, measure)
    assert isinstance(outcome, Admission)
    return outcome


async def refused(engine: Engine) -> Refusal:
    outcome = await engine.admit(FACTS, measure)
    assert isinstance(outcome, Refusal)
    return outcome


async def used(engine: Engine) -> int:
    outcome = await engine.admit(FACTS, measure)
    if isinstance(outcome, Refusal):
        return outcome.used
    assert isinstance(outcome, Admission)
    await engine.cancel(outcome)
    return outcome.standings[0].used


@pytest.mark.parametrize("window", ["fixed", "sliding"])
@pytest.mark.parametrize("reserve", ["none", "prompt", "estimate", "maximum"])
async def test_requests_that_cross_the_end_of_every_window_are_counted(
    window: str, reserve: str, make: Make, clock: Clock
) -> None:
    """Twenty requests of 20 s, one a minute, each of ten times the limit."""
    engine = make(f"amount: 1000 tokens per minute, window: {window}, reserve: {reserve}")
    passed = 0
    for number in range(20):
        clock.now = NOW + number * MINUTE + 50_000
        outcome = await engine.admit(FACTS, measure)
        if isinstance(outcome, Admission):
            passed += 1
            clock.now += 20_000
            await engine.settle(outcome, tokens(10_000))

    assert passed <= 10


@pytest.mark.parametrize(("reserve", "carried"), [("none", 700), ("prompt", 600), ("estimate", 400), ("maximum", 0)])
async def test_what_the_ended_window_did_not_hold_counts_in_the_one_that_follows(
    reserve: str, carried: int, make: Make, clock: Clock
) -> None:
    engine = make(f"amount: 10k tokens per minute, reserve: {reserve}")
    clock.now = NOW + MINUTE - 1000
    admission = await admitted(engine)
    clock.now = NOW + MINUTE + 1000
    await engine.settle(admission, tokens(700))

    assert await used(engine) == carried


async def test_usage_settled_within_the_window_replaces_the_hold(make: Make, clock: Clock) -> None:
    engine = make("amount: 10k tokens per minute, reserve: maximum")
    admission = await admitted(engine)
    assert await used(engine) == 1000
    await engine.settle(admission, tokens(30))

    assert await used(engine) == 30


async def test_a_held_prompt_stays_when_the_answer_is_never_seen(make: Make, clock: Clock) -> None:
    """And refuses a request whose own does not fit, unless the budget is empty."""
    engine = make("amount: 150 tokens per day, reserve: prompt")
    admission = await admitted(engine)
    assert (await refused(engine)).need == 100
    del admission
    clock.now += LEASE + 1
    assert (await refused(engine)).used == 100


async def test_what_was_never_sent_is_given_back(make: Make) -> None:
    engine = make("amount: 1 request per day")
    admission = await admitted(engine)
    await refused(engine)
    await engine.cancel(admission)

    await admitted(engine)


async def test_a_window_that_ends_on_the_way_to_the_store_is_decided_again(make: Make, clock: Clock) -> None:
    engine = make("amount: 1 request per minute")
    clock.now = NOW + MINUTE - 1
    reads = iter([NOW + MINUTE - 1, *[NOW + MINUTE] * 100])
    engine._bookings._clock = lambda: next(reads)
    store = engine._bookings.own
    store._clock = lambda: NOW + MINUTE  # type: ignore[attr-defined]

    await admitted(engine)
    refusal = await refused(engine)

    assert refusal.used == 1, "booked in the window that the store is in"


async def test_leases_of_running_exchanges_are_renewed_and_others_end(make: Make, clock: Clock) -> None:
    engine = make("amount: 1000 tokens per day, reserve: maximum")
    admission = await admitted(engine)
    for _ in range(4):
        clock.now += LEASE // 2
        await engine.renew()
    assert (await refused(engine)).used == 1000

    del admission
    clock.now += LEASE + 1
    await engine.renew()
    assert (await refused(engine)).used == 100, "the input was sent, whatever became of the answer"
    assert engine.running == 0


async def test_an_unknown_price_refuses_where_it_must(make: Make) -> None:
    prices = Prices([Price(model="mine", input=Decimal(1))], "block")
    engine = make("amount: $5 per day", prices)
    outcome = await engine.admit(FACTS.__class__(provider="openai", model="nobody-knows"), measure)

    assert isinstance(outcome, Unpriced)
    assert isinstance(await engine.admit(FACTS.__class__(provider="openai", model="mine"), measure), Admission)


async def test_work_reported_elsewhere_is_booked_and_claimed_once(make: Make) -> None:
    engine = make("amount: 10k tokens per day")
    await engine.book(FACTS, tokens(70))

    assert await used(engine) == 70
    assert [await engine.claim("x") for _ in range(3)] == [True, False, False]
    assert await engine.claim("y")


@pytest.mark.parametrize(
    ("usage", "model", "local", "source"),
    [
        (tokens(70), "gpt-4o-mini", False, "genai-prices"),
        (tokens(70), "unheard-of-9", False, "dearest"),
        (tokens(70), "mine", False, "override"),
        (tokens(70), "gpt-4o-mini", True, "local"),
        (Usage(total_tokens=70, cost=5), "gpt-4o-mini", False, "reported"),
    ],
)
async def test_a_charge_keeps_where_its_price_is_from(
    make: Make, usage: Usage, model: str, local: bool, source: str
) -> None:
    engine = make("amount: $5 per day", Prices([Price(model="mine", input=Decimal(1))]))
    outcome = await engine.admit(Facts(provider="openai", model=model), measure)
    assert isinstance(outcome, Admission)

    assert (await engine.settle(outcome, usage, local=local)).price_source == source


async def test_speech_is_reserved_by_its_text(make: Make) -> None:
    """A thousand characters at $15 a million."""
    engine = make("amount: $5 per day, reserve: estimate")

    async def speech() -> Forecast:
        return Forecast(9, 1500, 1500, units={"input_characters": 1000})

    outcome = await engine.admit(Facts(provider="openai", model="tts-1"), speech)
    assert isinstance(outcome, Admission)
    assert outcome.planned[0].charge.take == 15_000_000


async def test_a_store_that_is_always_late_is_asked_no_more_than_thrice(make: Make, clock: Clock) -> None:
    engine = make("amount: 5 requests per second")
    asked = []
    store = engine._bookings.own
    acquire = store.acquire

    async def slow(id: str, charges: Sequence[Charge], lease: int = LEASE) -> Acquired:
        asked.append(id)
        clock.now += 1_500
        return await acquire(id, charges, lease)

    store.acquire = slow  # type: ignore[method-assign]
    await admitted(engine)

    assert len(asked) == 3
