"""Fetching tokens never stops for good: whatever a library raises, and wherever the clocks are set."""

import asyncio
from collections.abc import Callable

import pytest

from limiter.stores.cloud.tokens import LATE, MINUTE, PAUSE, Token, Tokens
from limiter.stores.redis_errors import IdentityError
from tests.contract.backends import Time

LIFE = 15 * MINUTE


class Scripted:
    """An `Issuer` that raises each of `problems` once, and then issues tokens by number."""

    cloud = "AWS"

    def __init__(self, *problems: BaseException, explain: Callable[[BaseException], str] = repr) -> None:
        self._problems = list(problems)
        self._explain = explain
        self.asked = 0

    def issue(self, now: int) -> Token:
        self.asked += 1
        if self._problems:
            raise self._problems.pop(0)
        return Token.lasting(f"token {self.asked}", now, now + LIFE)

    def connection_end(self, token: Token, now: int) -> int | None:
        raise NotImplementedError

    def explain(self, problem: BaseException) -> str:
        return self._explain(problem)


class Clocks:
    """A wall clock that may be set, and a steady one."""

    def __init__(self) -> None:
        self.wall = Time()
        self.steady = Time(5)

    def advance(self, milliseconds: int) -> None:
        self.wall.advance(milliseconds)
        self.steady.advance(milliseconds)

    def tokens(self, issuer: Scripted) -> Tokens:
        return Tokens(issuer, self.wall, self.steady)


async def current(tokens: Tokens) -> str:
    return (await asyncio.wait_for(tokens.current(), 5)).text


async def fetched(tokens: Tokens) -> None:
    """Waits for the fetch that is under way."""
    if tokens._fetch is not None:
        await asyncio.wait_for(asyncio.wrap_future(tokens._fetch), 5)


def shapeless(problem: BaseException) -> str:
    raise AttributeError(f"'str' object has no attribute 'get', of {problem}")


class Panic(BaseException):
    """As extensions raise it."""


@pytest.mark.parametrize("problem", [RuntimeError("a secret"), Panic("a secret"), SystemExit(1)])
@pytest.mark.parametrize("explain", [shapeless, lambda problem: type(problem).__name__])
async def test_whatever_a_library_raises_those_who_wait_hear_of_it(
    problem: BaseException, explain: Callable[[BaseException], str]
) -> None:
    clocks, issuer = Clocks(), Scripted(problem, explain=explain)
    tokens = clocks.tokens(issuer)
    with pytest.raises(IdentityError) as caught:
        await current(tokens)
    assert str(caught.value) == f"AWS: no token from the identity provider: {type(problem).__name__}"
    assert caught.value.__cause__ is None

    with pytest.raises(IdentityError):
        await current(tokens)
    assert issuer.asked == 1
    clocks.advance(PAUSE)
    assert await current(tokens) == "token 2"


async def test_a_machine_without_threads_to_spare_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks, issuer = Clocks(), Scripted()
    tokens = clocks.tokens(issuer)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        with pytest.raises(IdentityError, match="RuntimeError"):
            await current(tokens)
    clocks.advance(PAUSE)
    assert await current(tokens) == "token 1"


async def test_a_clock_that_is_set_back_stops_no_fetch() -> None:
    """By an hour, and a token lasts a quarter of one: none is shown beyond its end."""
    clocks, issuer = Clocks(), Scripted()
    tokens = clocks.tokens(issuer)
    issued_at = {await current(tokens): clocks.steady.now}
    clocks.wall.advance(-60 * MINUTE)
    for _ in range(60):
        clocks.advance(MINUTE)
        text = await current(tokens)
        issued_at.setdefault(text, clocks.steady.now)
        assert clocks.steady.now - issued_at[text] <= LIFE - LATE
        await fetched(tokens)
    assert 60 // 15 <= issuer.asked <= 60 // 10 + 2


async def test_a_token_that_was_asked_for_by_a_clock_ahead_is_replaced_once_that_is_set_right() -> None:
    """The server would refuse one that is signed in its future."""
    clocks, issuer = Clocks(), Scripted()
    tokens = clocks.tokens(issuer)
    await current(tokens)
    clocks.advance(PAUSE)
    clocks.wall.advance(-60 * MINUTE)
    tokens.renew()
    await fetched(tokens)
    assert await current(tokens) == "token 2"
    clocks.advance(PAUSE)
    assert await current(tokens) == "token 2"
    assert issuer.asked == 2


async def test_while_the_machine_slept_its_steady_clock_may_have_stood_still() -> None:
    clocks, issuer = Clocks(), Scripted()
    tokens = clocks.tokens(issuer)
    await current(tokens)
    clocks.wall.advance(LIFE)
    assert await current(tokens) == "token 2"


async def test_an_old_token_serves_while_the_provider_is_down() -> None:
    clocks, issuer = Clocks(), Scripted()
    tokens = clocks.tokens(issuer)
    await current(tokens)
    issuer._problems += [ConnectionError()] * 100
    clocks.advance(LIFE - LATE - 1)
    assert await current(tokens) == "token 1"
    clocks.advance(1)
    with pytest.raises(IdentityError, match=r"ConnectionError|run out"):
        await current(tokens)
