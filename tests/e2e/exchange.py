"""One request as the upstream saw it, and what became of its answer; tests wait on it instead of sleeping."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.e2e.http1 import Request

PATIENCE = 20.0
"""Seconds until a wait gives up. Nothing here takes long; a busy machine may."""


class Exchange:
    """The request is complete and does not change; the progress is written by the server's thread."""

    def __init__(
        self,
        number: int,
        request: Request,
        *,
        secure: bool,
        changed: threading.Condition,
        release: Callable[[], object],
    ) -> None:
        self.number = number
        """Counts the requests of a server from 1."""
        self.method = request.method
        self.target = request.target
        self.path = urlsplit(request.target).path
        self.query: Mapping[str, str] = dict(parse_qsl(urlsplit(request.target).query, keep_blank_values=True))
        self.raw_headers = request.headers
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in request.headers}
        self.body = request.body
        self.secure = secure
        """True when it came over TLS."""
        self.sent_at: list[float] = []
        """`time.monotonic()` of every piece of the body, as it was handed to the socket."""
        self.outcome = ""
        """`finished`: the whole answer was handed to the socket; `gone`: the client left earlier; `cut`: as asked."""
        self._changed = changed
        self._release = release

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON document; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def release(self) -> None:
        """Lets a hanging or held answer go on."""
        self._release()

    def wait_sent(self, pieces: int, timeout: float = PATIENCE) -> None:
        """Until that many pieces of the body were handed to the socket."""
        self._wait(lambda: len(self.sent_at) >= pieces, f"{pieces} pieces sent", timeout)

    def wait_end(self, outcome: str, timeout: float = PATIENCE) -> None:
        """Until the answer ended in that way, or an AssertionError when it ended in another."""
        self._wait(lambda: self.outcome != "", outcome, timeout)
        assert self.outcome == outcome, self

    def note_sent(self) -> None:
        with self._changed:
            self.sent_at.append(time.monotonic())
            self._changed.notify_all()

    def note_end(self, outcome: str) -> None:
        with self._changed:
            self.outcome = outcome
            self._changed.notify_all()

    def _wait(self, reached: Callable[[], bool], what: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(reached, timeout):
                raise TimeoutError(f"{self!r}: not within {timeout} s: {what}")

    def __repr__(self) -> str:
        state = f"{len(self.sent_at)} pieces, {self.outcome or 'open'}"
        return f"<Exchange {self.number} {self.method} {self.target}: {state}>"
