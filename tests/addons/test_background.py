"""Work that goes on after its request: what is kept, for how long, and what becomes of it."""

import pytest

from addons import background
from addons.background import Background
from limiter.engine import Engine
from limiter.usage.tap import Observation


class Books:
    """Stands for an engine: knows which work was claimed."""

    def __init__(self) -> None:
        self.claimed: list[str] = []

    async def claim(self, work: str) -> bool:
        self.claimed.append(work)
        return self.claimed.count(work) == 1


class Started:
    def __init__(self, engine: Books) -> None:
        self.engine: Engine = engine  # type: ignore[assignment]
        self.ends: list[str] = []

    async def book(self, observation: Observation | None) -> None:
        self.ends.append("estimated" if observation is None else "observed")

    async def finish_without_tokens(self) -> None:
        self.ends.append("without tokens")


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(background, "time", clock)
    return clock


async def test_what_waits_is_taken_once() -> None:
    waiting, started = Background(), Started(Books())
    await waiting.keep("a", started)
    assert waiting.take("b") is None
    assert waiting.take("a") is started
    assert waiting.take("a") is None


async def test_a_second_request_for_the_same_work_brings_no_tokens() -> None:
    books, waiting = Books(), Background()
    first, second, third = Started(books), Started(books), Started(books)
    await waiting.keep("a", first)
    await waiting.keep("a", second)
    assert (first.ends, second.ends) == ([], ["without tokens"])
    await waiting.first(books, "a")  # type: ignore[arg-type]
    waiting.take("a")
    await waiting.keep("a", third)
    assert third.ends == ["without tokens"]


async def test_the_store_is_asked_once_for_each_work() -> None:
    books, waiting = Books(), Background()
    assert [await waiting.first(books, name) for name in "aabab"] == [True, False, True, False, False]  # type: ignore[arg-type]
    assert books.claimed == ["a", "b"]
    assert not await Background().first(books, "a"), "another process asks the store"  # type: ignore[arg-type]


async def test_what_nobody_asks_for_is_estimated_in_the_end(clock: Clock) -> None:
    books, waiting = Books(), Background()
    polled, forgotten, counted = Started(books), Started(books), Started(books)
    await waiting.keep("polled", polled)
    await waiting.keep("forgotten", forgotten)
    await waiting.keep("counted", counted)
    books.claimed.append("counted")  # By another proxy.
    clock.now += background.PATIENCE / 2
    waiting.touch("polled")
    waiting.touch("unknown")
    await waiting.expire()
    assert (polled.ends, forgotten.ends) == ([], [])
    clock.now += background.PATIENCE / 2
    await waiting.expire()
    assert (polled.ends, forgotten.ends, counted.ends) == ([], ["estimated"], ["without tokens"])
    assert waiting.take("polled") is polled


async def test_the_oldest_gives_way_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MOST_WAITING", 2)
    monkeypatch.setattr(background, "MOST_KNOWN", 2)
    books, waiting = Books(), Background()
    all_started = [Started(books) for _ in range(4)]
    for number, started in enumerate(all_started):
        await waiting.keep(str(number), started)
    assert [started.ends for started in all_started] == [["estimated"], ["estimated"], [], []]
    for number in range(10):
        await waiting.first(books, str(number))  # type: ignore[arg-type]
    assert len(waiting._counted) == 2


async def test_the_end_leaves_all_tokens_to_the_polls() -> None:
    waiting, started = Background(), Started(Books())
    await waiting.keep("a", started)
    await waiting.close()
    await waiting.close()
    assert started.ends == ["without tokens"]
