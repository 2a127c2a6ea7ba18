"""Follows a response's bytes as they pass and reports what was used.

Never raises, and never changes a byte unless told to: an exception here would leave the client of the proxy hanging.
What cannot be read is passed on all the same and shows in `Observation.truncated`.
"""

import logging
from collections.abc import Iterator, Mapping
from types import TracebackType

from limiter.usage.decoding import CannotDecodeError, Decoder, decoder
from limiter.usage.following import UNREAD, UNREADABLE, Following, Observation, media_type
from limiter.usage.hiding import UsageHider
from limiter.usage.requests import Ask

__all__ = ["Observation", "Tap"]

_log = logging.getLogger(__name__)


class _Guard:
    """Lets nothing out of its block but requests to stop the program, and remembers that something wanted out."""

    def __init__(self, what: str) -> None:
        self.broken = False
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit):
            return False
        if not self.broken and not isinstance(error, CannotDecodeError):
            # Said once: a bug of ours must be seen, and must not be felt by the client. Extensions may panic with what
            # is no Exception, hence the wide net.
            _log.error("usage of %s cannot be read", self._what, exc_info=error)
        self.broken = True
        return True


class Tap:
    """One response. `feed` every piece, then `finish`, also after an abort."""

    rewrites: bool
    """True: `feed` returns decoded bytes with the usage-only event taken out; drop `content-length` and
    `content-encoding`."""

    def __init__(self, ask: Ask, status: int, headers: Mapping[str, str], *, hide_usage: bool = False) -> None:
        """Begins when the response's headers are there.

        Args:
            headers: lower-case names, of the response.
            hide_usage: the usage was asked for by us and not by the client (see `requests.with_usage_asked`).
        """
        self._guard = _Guard(f"{ask.endpoint.provider}/{ask.endpoint.name}")
        self._decoder: Decoder | None = None
        self._following: Following | None = None
        self._hider: UsageHider | None = None
        self._observation: Observation | None = None
        if status >= 400 or ask.endpoint.opaque:
            self._observation = UNREAD
        else:
            with self._guard:
                self._decoder = decoder(headers.get("content-encoding", ""))
                self._following = Following(ask, headers)
                if hide_usage and self._decoder is not None and media_type(headers) == "text/event-stream":
                    self._hider = UsageHider()
        self.rewrites = self._hider is not None

    def feed(self, data: bytes) -> bytes | list[bytes]:
        """The bytes to forward: `data` itself, or when rewriting, pieces of which none is empty."""
        if self._hider is not None:
            return self._rewritten(self._hider, data)
        if data and self._observation is None and not self._guard.broken:
            with self._guard:
                for piece in self._decoded(data):
                    self._follow(piece)
        return data

    def flush(self) -> list[bytes]:
        """When rewriting: what is still to be forwarded at the end of the stream."""
        rest: list[bytes] = []
        if self._hider is not None:
            with self._guard:
                rest = self._hider.flush()
        return rest

    def finish(self) -> Observation:
        """What was seen, the same at every call."""
        if self._observation is None:
            self._observation = UNREADABLE
            with self._guard:
                if self._following is not None:
                    broken = self._guard.broken or self._decoder is None
                    self._observation = self._following.observe(broken=broken)
        return self._observation

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        # An encoding that is not known leaves nothing to be read.
        return iter(()) if self._decoder is None else self._decoder.feed(data)

    def _follow(self, piece: bytes) -> None:
        if self._following is not None:
            self._following.feed(piece)

    def _rewritten(self, hider: UsageHider, data: bytes) -> list[bytes]:
        forward: list[bytes] = []
        decoding = _Guard("an encoded stream")
        with decoding:
            for piece in self._decoded(data):
                if self._observation is None and not self._guard.broken:
                    with self._guard:
                        self._follow(piece)
                forward += hider.feed(piece)
        if decoding.broken:
            # Nothing behind this can be told to a client that was promised decoded bytes.
            self._guard.broken, self._decoder = True, None
        return forward
