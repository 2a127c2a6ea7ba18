"""Sends one answer at the pace, and with the damage, that the behaviour asks for."""

import asyncio
import traceback

from tests.e2e import codings, http1
from tests.e2e.answers import answer
from tests.e2e.answers.parts import Answer, Asked
from tests.e2e.behaviour import Behaviour
from tests.e2e.exchange import Exchange


class Reader(asyncio.StreamReader):
    """Tells when the client closed its side, also while nothing is being read."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


class Delivery:
    def __init__(
        self, exchange: Exchange, released: asyncio.Event, reader: Reader, writer: asyncio.StreamWriter
    ) -> None:
        self._exchange = exchange
        self._released = released
        self._reader = reader
        self._writer = writer

    async def run(self, defaults: Behaviour) -> bool:
        """True when the answer is complete and the connection can carry another one."""
        outcome = "gone"
        try:
            behaviour = defaults.overridden(self._exchange.headers)
            made = answer(_asked(self._exchange, behaviour))
            if behaviour.hang:
                await self._pause(None)
            if not self._reader.ended.is_set():
                outcome = await self._send(made, behaviour)
        except OSError:
            pass
        except Exception:  # noqa: BLE001
            # A fault of the harness or of the test's headers: seen by the client, as no test looks here.
            page = traceback.format_exc().encode()
            self._writer.write(http1.head(500, [("content-length", str(len(page)))]) + page)
            outcome = "finished"
        finally:
            self._exchange.note_end(outcome)
        return outcome == "finished" and self._exchange.headers.get("connection", "").lower() != "close"

    async def _send(self, made: Answer, behaviour: Behaviour) -> str:
        headers, pieces = _wire(made, behaviour, self._exchange.headers.get("accept-encoding", ""))
        headers += [("x-kong-limit", behaviour.used)] if behaviour.used else []
        self._writer.write(http1.head(made.status, headers))
        for number, piece in enumerate(pieces):
            if number == behaviour.cut_after:
                return "cut"
            if number == behaviour.hold_after:
                await self._pause(None)
            elif number and behaviour.delay_ms:
                await self._pause(behaviour.delay_ms / 1000)
            if self._reader.ended.is_set():
                return "gone"
            self._writer.write(http1.chunk(piece) if made.streamed else piece)
            await self._writer.drain()
            self._exchange.note_sent()
        if made.streamed:
            self._writer.write(http1.LAST_CHUNK)
        await self._writer.drain()
        return "finished"

    async def _pause(self, seconds: float | None) -> None:
        """Ends early when the client leaves or the test releases the answer."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._released, self._reader.ended)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _asked(exchange: Exchange, behaviour: Behaviour) -> Asked:
    return Asked(
        number=exchange.number,
        method=exchange.method,
        path=exchange.path,
        query=exchange.query,
        headers=exchange.headers,
        body=exchange.json,
        behaviour=behaviour,
    )


def _wire(made: Answer, behaviour: Behaviour, accepted: str) -> tuple[list[tuple[str, str]], tuple[bytes, ...]]:
    """Headers and pieces as they are sent, content coding applied."""
    coding = codings.negotiated(accepted) if behaviour.encoding == "accept" else behaviour.encoding
    headers, pieces = list(made.headers), made.pieces
    if coding:
        pieces = codings.coded(pieces, coding)
        headers.append(("content-encoding", coding))
    if made.streamed:
        headers.append(("transfer-encoding", "chunked"))
    else:
        headers.append(("content-length", str(sum(map(len, pieces)))))
    return headers, pieces
