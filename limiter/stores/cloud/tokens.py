"""The present token of an identity.

Fetching one takes a library's import and a question to an identity provider, which block. So it is done in a thread, by
one fetch at a time for all that want a token. A new one is fetched while the old one is still good; if the provider is
down, the old one serves as long as it lasts.

Providers state ends by the wall clock, which may be set back, and then a token would seem good for longer than it is.
The machine's steady clock may stand still while the machine sleeps. So whatever either of them says is over is over.
"""

import asyncio
import logging
import threading
from concurrent.futures import Future
from time import monotonic_ns
from typing import NamedTuple, Protocol, Self

from limiter.stores.contract import Clock
from limiter.stores.redis_errors import IdentityError

MINUTE = 60_000
EARLY = 5 * MINUTE
"""Before its end a token is renewed, or half its life if that is shorter. Providers keep theirs until about then."""
LATE = MINUTE // 2
"""Before its end a token is not used any more, or a tenth of its life: clocks differ, and what was asked takes time."""
PAUSE = 2_000
"""Between two fetches, and after one that failed."""


class Token(NamedTuple):
    """What a provider issued. Instants are milliseconds since the epoch."""

    text: str
    renew_at: int
    usable_until: int
    username: str = ""
    """Whom it was issued to, if it says so."""

    @classmethod
    def lasting(cls, text: str, now: int, until: int, username: str = "") -> Self:
        life = max(0, until - now)
        return cls(text, until - min(EARLY, life // 2), until - min(LATE, life // 10), username)

    def __repr__(self) -> str:
        return f"Token(usable_until={self.usable_until})"


class Issuer(Protocol):
    """A cloud's identity provider, through the cloud's library."""

    @property
    def cloud(self) -> str:
        """Its name, for error texts."""
        ...

    def issue(self, now: int) -> Token:
        """A new token, or the library's own while that is new enough. Blocks; one call at a time.

        Raises:
            Exception: anything that the library raises.
        """
        ...

    def connection_end(self, token: Token, now: int) -> int | None:
        """Until when a connection that is opened now with a token may be used. None: for ever."""
        ...

    def explain(self, problem: BaseException) -> str:
        """Why there is none, without the texts of providers, which may quote what they were sent."""
        ...


def steady_clock() -> int:
    """Milliseconds since some instant; never set."""
    return monotonic_ns() // 1_000_000


def silence(*libraries: str) -> None:
    """Keeps libraries from logging what providers answer, secrets among it. What goes wrong is said by us."""
    for name in libraries:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Moment(NamedTuple):
    """Milliseconds, by either clock."""

    wall: int
    steady: int

    def since(self, earlier: "_Moment") -> int:
        """Milliseconds that have passed, by the clock that has gone further."""
        return max(self.wall - earlier.wall, self.steady - earlier.steady)


class _Issued(NamedTuple):
    """A token, and when it was asked for."""

    token: Token
    at: _Moment

    def is_due(self, now: _Moment) -> bool:
        """Whether it is time for the next one: also if the clock was set back, as what was asked for by a clock that
        was ahead may be refused."""
        return now.wall < self.at.wall or now.since(self.at) >= self.token.renew_at - self.at.wall

    def is_usable(self, now: _Moment) -> bool:
        return now.since(self.at) < self.token.usable_until - self.at.wall


class Tokens:
    """Tokens of one issuer. May be used from any thread, and waited for in any loop."""

    def __init__(self, issuer: Issuer, clock: Clock, steady: Clock = steady_clock) -> None:
        """By `clock`, the wall clock, tokens end; `steady` is never set."""
        self._issuer = issuer
        self._clock = clock
        self._steady = steady
        self._lock = threading.Lock()
        self._issued: _Issued | None = None
        self._fetch: Future[_Issued] | None = None
        self._paused: _Moment | None = None
        """Since when there is to be no fetch for a while."""

    def renew(self) -> None:
        """Has a token fetched if there is none or it is time for a new one, and does not wait for it."""
        now = self._now()
        issued, paused = self._issued, self._paused
        if (issued is None or issued.is_due(now)) and (paused is None or now.since(paused) >= PAUSE):
            self._start(now)

    async def current(self) -> Token:
        """A token that is good for now.

        Raises:
            IdentityError: there is none.
        """
        # Twice, as the machine may have slept since a fetch began, and its token be of no use any more.
        for _ in range(2):
            self.renew()
            issued = self._issued
            if issued and issued.is_usable(self._now()):
                return issued.token
            if self._fetch:
                # Cancelling this wait leaves the fetch alone, which is marked as running.
                issued = await asyncio.wrap_future(self._fetch)
                if issued.is_usable(self._now()):
                    return issued.token
        raise IdentityError(f"{self._issuer.cloud}: the identity provider's token has run out")

    def _now(self) -> _Moment:
        return _Moment(self._clock(), self._steady())

    def _start(self, now: _Moment) -> None:
        with self._lock:
            if self._fetch and not self._fetch.done():
                return
            fetch = self._fetch = Future[_Issued]()
            fetch.set_running_or_notify_cancel()
        # A daemon, so that a provider that hangs does not keep the process from ending.
        thread = threading.Thread(target=self._run, args=(fetch, now), name="ai-limit identity", daemon=True)
        try:
            thread.start()
        except RuntimeError as problem:  # The machine has no more threads to give.
            self._fail(fetch, problem)

    def _run(self, fetch: Future[_Issued], now: _Moment) -> None:
        try:
            issued = _Issued(self._issuer.issue(now.wall), now)
        except BaseException as problem:  # noqa: BLE001 the libraries promise nothing, and those who wait must hear of it
            self._fail(fetch, problem)
        else:
            # From its beginning: a machine that slept meanwhile needs the next one now.
            self._paused = now
            self._issued = issued
            fetch.set_result(issued)

    def _fail(self, fetch: Future[_Issued], problem: BaseException) -> None:
        self._paused = self._now()
        words = f"{self._issuer.cloud}: no token from the identity provider: {self._words(problem)}"
        # Without a cause: its text may quote what was sent.
        fetch.set_exception(IdentityError(words))

    def _words(self, problem: BaseException) -> str:
        try:
            return self._issuer.explain(problem)
        except BaseException:  # noqa: BLE001 whatever has another shape than an issuer expects has a name at least
            return type(problem).__name__
