"""The present token of an identity.

Fetching one takes a library's import and a question to an identity provider, which block. So it is done in a thread, by
one fetch at a time for all that want a token. A new one is fetched while the old one is still good; if the provider is
down, the old one serves as long as it lasts.
"""

import asyncio
import logging
import threading
from concurrent.futures import Future
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

    def explain(self, problem: Exception) -> str:
        """Why there is none, without the texts of providers, which may quote what they were sent."""
        ...


def silence(*libraries: str) -> None:
    """Keeps libraries from logging what providers answer, secrets among it. What goes wrong is said by us."""
    for name in libraries:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Tokens:
    """Tokens of one issuer. May be used from any thread, and waited for in any loop."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._fetch: Future[Token] | None = None
        self._next_fetch = 0

    def renew(self) -> None:
        """Has a token fetched if there is none or it is time for a new one, and does not wait for it."""
        now = self._clock()
        token = self._token
        if (token is None or now >= token.renew_at) and now >= self._next_fetch:
            self._start(now)

    async def current(self) -> Token:
        """A token that is good for now.

        Raises:
            IdentityError: there is none.
        """
        # Twice, as the machine may have slept since a fetch began, and its token be of no use any more.
        for _ in range(2):
            self.renew()
            token = self._token
            if token and self._is_usable(token):
                return token
            if self._fetch:
                # Cancelling this wait leaves the fetch alone, which is marked as running.
                token = await asyncio.wrap_future(self._fetch)
                if self._is_usable(token):
                    return token
        raise IdentityError(f"{self._issuer.cloud}: the identity provider's token has run out")

    def _is_usable(self, token: Token) -> bool:
        return self._clock() < token.usable_until

    def _start(self, now: int) -> None:
        with self._lock:
            if self._fetch and not self._fetch.done():
                return
            fetch = self._fetch = Future[Token]()
            fetch.set_running_or_notify_cancel()
        # A daemon, so that a provider that hangs does not keep the process from ending.
        threading.Thread(target=self._run, args=(fetch, now), name="ai-limit identity", daemon=True).start()

    def _run(self, fetch: Future[Token], now: int) -> None:
        try:
            token = self._issuer.issue(now)
        except Exception as problem:  # noqa: BLE001 the libraries promise nothing, and those who wait must hear of it
            words = f"{self._issuer.cloud}: no token from the identity provider: {self._issuer.explain(problem)}"
            self._next_fetch = self._clock() + PAUSE
            # Without a cause: its text may quote what was sent.
            fetch.set_exception(IdentityError(words))
        else:
            # From its beginning: a machine that slept meanwhile needs the next one now.
            self._next_fetch = now + PAUSE
            self._token = token
            fetch.set_result(token)
