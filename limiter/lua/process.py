"""One worker process, seen from the proxy: started, asked, ended."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from limiter.lua.messages import LENGTH, LONGEST_REPLY, Call, Reply, framed, read_reply

STARTING = 5.0
"""Seconds that a worker may take until it is ready; about a tenth of one is usual."""
_REAPING = 0.002
"""Seconds between two looks whether a process that hung up has ended."""


class WorkerError(Exception):
    """A worker that did not start, and why."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a call may take."""

    deadline: float = 0.2
    """Seconds from when a worker begins; then it is killed."""
    busy: float = 0.1
    """Seconds of processor time; then the function is stopped, unless it is inside one long call of a library."""
    patience: float = 1.0
    """Seconds that a call may wait until a worker is free."""
    memory: int = 32 * 1024 * 1024
    """Bytes of Lua."""
    runtime: str = ""
    """Of `runtime.PREFERRED`; empty: the first that there is."""


BOUNDS = Bounds()


class Process(asyncio.Protocol):
    """A worker that answers one call at a time.

    Args:
        ended: called once when the process is gone, with its return code.
    """

    def __init__(self, popen: subprocess.Popen[bytes], ended: Callable[["Process", int], None]) -> None:
        self._popen = popen
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._answered: Callable[[Reply], None] | None = None
        self.gone: asyncio.Future[int] = self._loop.create_future()
        """The return code, once there is one."""
        self.known: set[bytes] = set()
        """Digests of functions that it has."""

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ask(self, call: Call, answered: Callable[[Reply], None]) -> None:
        """Sends a call; `answered` gets the reply unless the process ends before."""
        self._answered = answered
        if self._transport:
            self._transport.write(framed(call))

    def expect(self, answered: Callable[[Reply], None]) -> None:
        """Waits for what the worker says unasked: that it is ready."""
        self._answered = answered

    def kill(self) -> None:
        self._popen.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        size = int.from_bytes(self._received[:LENGTH], "big") if len(self._received) >= LENGTH else 0
        answered = self._answered
        if size > LONGEST_REPLY or answered is None:
            self.kill()
            return
        if size and len(self._received) >= LENGTH + size:
            payload = bytes(self._received[LENGTH : LENGTH + size])
            self._received.clear()
            self._answered = None
            try:
                reply = read_reply(payload)
            except msgspec.MsgspecError:
                self.kill()
                return
            answered(reply)

    def connection_lost(self, _problem: Exception | None) -> None:
        self._transport = None
        self._popen.kill()
        self._reap()

    def _reap(self) -> None:
        code = self._popen.poll()
        if code is None:
            self._loop.call_later(_REAPING, self._reap)
        else:
            self.gone.set_result(code)
            self._ended(self, code)


async def start(bounds: Bounds, ended: Callable[[Process, int], None]) -> Process:
    """A worker that is ready.

    Args:
        ended: see `Process`; called for a worker that does not become ready, too.

    Raises:
        WorkerError: it did not start, or not in time.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Reply] = loop.create_future()

    def lost(process: Process, code: int) -> None:
        if not ready.done():
            ready.set_exception(WorkerError(f"it ended with code {code}"))
        ended(process, code)

    try:
        popen, channel = await asyncio.to_thread(_spawn, bounds)
    except (OSError, RuntimeError) as problem:  # Where the loop is being shut down, no thread can be had.
        raise WorkerError(str(problem)) from problem
    process = Process(popen, lost)
    process.expect(ready.set_result)
    await loop.create_connection(lambda: process, sock=channel)
    late = loop.call_later(STARTING, process.kill)
    try:
        reply = await ready
    finally:
        late.cancel()
    if reply.kind != "ready":
        await process.gone
        raise WorkerError(reply.detail.decode("utf-8", "replace"))
    if process.gone.done():
        raise WorkerError("it ended as soon as it was ready")
    return process


def _spawn(bounds: Bounds) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Starts a process that has nothing of this one: no environment, no files, none of its modules."""
    ours, theirs = socket.socketpair()
    arguments = (bounds.memory, bounds.busy, bounds.deadline, bounds.runtime)
    own = str(Path(__file__).resolve().parents[2])
    path = [own, *(str(Path(entry).resolve()) for entry in sys.path)]
    try:
        popen = subprocess.Popen(  # noqa: S603 our own interpreter and module
            [sys.executable, "-S", "-P", "-m", "limiter.lua.worker", *map(str, arguments)],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": os.pathsep.join(dict.fromkeys(path))},
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return popen, ours
