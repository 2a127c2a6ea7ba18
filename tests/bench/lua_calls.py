"""The price of a call of a user's Lua function, beside a bare round trip to a process over the same kind of socket.

`python -m tests.bench.lua_calls`
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter, process_time

from limiter.lua.counter import LuaCounter
from limiter.lua.function import LuaFunction
from limiter.lua.messages import Call, framed, snapshot_of
from limiter.lua.request import LuaRequest
from tests.bench.table import head, row, show

ROUNDS = 15
CALLS = 200
PUBLISHED = """local count = tonumber(kong.request.get_header("x-prompt-count"))
if count == nil then return 0 end
return count"""
READS_BODY = (
    "local all = 0 for _, m in ipairs(kong.request.get_body().messages) do all = all + #m.content end return all"
)
BODY = b'{"model":"gpt-4o","messages":[' + b",".join([b'{"role":"user","content":"%s"}' % (b"word " * 40)] * 10) + b"]}"
HEADERS = (*((f"x-header-{number}", "v" * 24) for number in range(15)), ("content-type", "application/json"))
REQUEST = LuaRequest(target="/v1/chat", headers=(*HEADERS, ("x-prompt-count", "42")), body=BODY)
ECHO = "import socket\nc = socket.socket(fileno=0)\nwhile d := c.recv(65536): c.sendall(d[:40])"
"""Answers each frame with forty bytes, about as much as a worker does."""

type Ask = Callable[[], Awaitable[object]]


def lua_calls() -> None:
    asyncio.run(_measure())


async def _measure() -> None:
    counter = LuaCounter()
    async with _echo() as echo:
        cases: dict[str, Ask] = {
            "bare round trip": echo,
            "header, as published": lambda: counter.count(LuaFunction(PUBLISHED, "bench"), REQUEST),
            "JSON body of 2 KB": lambda: counter.count(LuaFunction(READS_BODY, "bench"), REQUEST),
        }
        for ask in cases.values():
            await ask()
        times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, ask in cases.items():
                times[name].append(await _round(ask))
    await counter.close()
    show(head("Lua", "p50 µs", "p99 µs", "CPU µs", "× bare, p50"))
    reference = [p50 for p50, _, _ in times["bare round trip"]]
    for name, found in times.items():
        ratio = median(p50 / bare for (p50, _, _), bare in zip(found, reference, strict=True))
        cells = (f"{median(column) * 1e6:.0f}" for column in zip(*found, strict=True))
        show(row(name, *cells, f"{ratio:.2f}"))


async def _round(ask: Ask) -> tuple[float, float, float]:
    """Median and 99th percentile of a call, and this process's own time for one; seconds."""
    lasted, busy = [], process_time()
    for _ in range(CALLS):
        began = perf_counter()
        await ask()
        lasted.append(perf_counter() - began)
    busy = process_time() - busy
    lasted.sort()
    return median(lasted), lasted[CALLS * 99 // 100], busy / CALLS


class _Answers(asyncio.Protocol):
    def __init__(self) -> None:
        self.waiting: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        if self.waiting:
            self.waiting.set_result(data)


@asynccontextmanager
async def _echo() -> AsyncIterator[Ask]:
    """Asks a process that does nothing but answer."""
    ours, theirs = socket.socketpair()
    function = LuaFunction(PUBLISHED, "bench")
    frame = framed(Call(function.digest, None, False, snapshot_of(REQUEST, with_body=False)))
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", ECHO, stdin=theirs.fileno())
    theirs.close()
    loop = asyncio.get_running_loop()
    transport, answers = await loop.create_connection(_Answers, sock=ours)

    async def ask() -> bytes:
        answers.waiting = loop.create_future()
        transport.write(frame)
        return await answers.waiting

    yield ask
    transport.close()
    await process.wait()


if __name__ == "__main__":
    lua_calls()
