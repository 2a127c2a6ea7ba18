"""A process that runs functions: `python -m limiter.lua.worker MEMORY BUSY DEADLINE RUNTIME`, a socket as its input.

It takes calls one by one and answers each. It ends when the other side does, and it ends itself should a call go on for
long after its deadline: the proxy that would have ended it may be gone.
"""

import resource
import signal
import socket
import sys

from limiter.lua.messages import LENGTH, Call, Reply, framed, read_call
from limiter.lua.sandbox import Sandbox

_ADDRESS_SPACE = 1 << 30
"""Bytes that the whole process may map: a bound for what Python does on a function's behalf."""
_LIMITS = ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0), ("RLIMIT_NPROC", 0), ("RLIMIT_AS", _ADDRESS_SPACE)
"""No core file, which would hold requests; no files, no processes."""


def main(memory: int, busy: float, deadline: float, runtime: str) -> None:
    # Ctrl-C in a terminal reaches all processes; this one ends with the proxy, by the end of its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    channel = socket.socket(fileno=0)
    try:
        sandbox = Sandbox(memory, busy, runtime)
    except Exception as problem:  # noqa: BLE001 whatever it is, the proxy is to know
        channel.sendall(framed(Reply("broken", detail=f"{type(problem).__name__}: {problem}".encode())))
        return
    _confine()
    channel.sendall(framed(Reply("ready")))
    while call := _receive(channel):
        # No handler: where Lua or a regular expression runs, Python could not come to one.
        signal.setitimer(signal.ITIMER_REAL, 2 * deadline)
        reply = _answer(sandbox, call)
        signal.setitimer(signal.ITIMER_REAL, 0)
        channel.sendall(framed(reply))


def _answer(sandbox: Sandbox, call: Call) -> Reply:
    if call.forget:
        sandbox.forget()
    if call.source is not None:
        sandbox.keep(call.digest, call.source)
    return sandbox.run(call.digest, call.request)


def _receive(channel: socket.socket) -> Call | None:
    """The next call; None: there will be none."""
    head = _exactly(channel, LENGTH)
    payload = head and _exactly(channel, int.from_bytes(head, "big"))
    return read_call(payload) if payload else None


def _exactly(channel: socket.socket, size: int) -> bytes:
    """So many bytes; empty when the other side is gone."""
    received = bytearray()
    while len(received) < size:
        piece = channel.recv(size - len(received))
        if not piece:
            return b""
        received += piece
    return bytes(received)


def _confine() -> None:
    for name, limit in _LIMITS:
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        try:
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (limit, limit if hard == resource.RLIM_INFINITY else min(limit, hard)))
        except (OSError, ValueError):  # macOS refuses some; the other bounds stand.
            continue


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
