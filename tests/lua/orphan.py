"""A proxy with one function, to be killed: prints its worker's process id while the function runs, and stays.

`python -m tests.lua.orphan FUNCTION`
"""

import asyncio
import sys

from limiter.lua.counter import LuaCounter
from limiter.lua.function import LuaFunction
from limiter.lua.process import Bounds
from limiter.lua.request import LuaRequest

ENDLESS = "local s = ('a'):rep(40) return s:find(('a?'):rep(40) .. s)"
"""One call of a library function: no hook can end it."""


async def main(source: str) -> None:
    counter = LuaCounter(Bounds(deadline=0.3))
    await counter.start()
    call = asyncio.create_task(counter.count(LuaFunction(source, "function"), LuaRequest()))
    await asyncio.sleep(0.02)
    sys.stdout.write(f"{counter.pids[0]}\n")
    sys.stdout.flush()
    await call
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
