"""The workers: started when needed, replaced when they die, never in anybody's way."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from limiter.lua import counter as counting
from limiter.lua.counter import LuaCounter
from limiter.lua.function import LuaFunction
from limiter.lua.process import Bounds
from limiter.lua.request import LuaRequest
from tests.lua.orphan import ENDLESS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
COUNT = LuaFunction("return tonumber(kong.request.get_header('x-prompt-count'))", "count")
SPIN = LuaFunction(ENDLESS, "spin")


def asks(number: int) -> LuaRequest:
    return LuaRequest(headers=(("x-prompt-count", str(number)),))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counter() -> AsyncIterator[LuaCounter]:
    counter = LuaCounter(Bounds(deadline=0.15, patience=10))
    yield counter
    await counter.close()


async def test_nothing_is_started_before_it_is_needed() -> None:
    counter = LuaCounter()
    assert counter.pids == ()
    await counter.start()
    assert len(counter.pids) == 1
    await counter.close()
    assert counter.pids == ()


async def test_many_at_once_get_their_own_answers(counter: LuaCounter) -> None:
    found = await asyncio.gather(*(counter.count(COUNT, asks(number)) for number in range(300)))
    assert [count.number for count in found] == list(range(300))
    assert len(counter.pids) <= counting.WORKERS


async def test_while_one_function_hangs_the_loop_and_others_go_on(counter: LuaCounter) -> None:
    await counter.count(COUNT, asks(1))
    hanging = asyncio.create_task(counter.count(SPIN, asks(1)))
    lags = []
    while not hanging.done():
        began = time.monotonic()
        await asyncio.sleep(0.001)
        lags.append(time.monotonic() - began)
        assert (await counter.count(COUNT, asks(7))).number == 7
    assert (await hanging).mistake == "overran"
    assert sorted(lags)[len(lags) // 2] < 0.02


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_a_worker_that_dies_in_a_call_is_replaced(signal_: signal.Signals) -> None:
    counter = LuaCounter(Bounds(deadline=10), workers=1)
    await counter.start()
    (before,) = counter.pids
    hanging = asyncio.create_task(counter.count(SPIN, asks(1)))
    await asyncio.sleep(0.02)
    os.kill(before, signal_)
    assert (await hanging).mistake == "died"
    assert (await counter.count(COUNT, asks(7))).number == 7
    assert before not in counter.pids
    await counter.close()


async def test_a_worker_that_dies_idle_is_replaced_when_it_is_needed(counter: LuaCounter) -> None:
    await counter.count(COUNT, asks(1))
    before = counter.pids
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    while set(before) & set(counter.pids):  # noqa: ASYNC110 it is the operating system that tells
        await asyncio.sleep(0.001)
    assert (await counter.count(COUNT, asks(7))).number == 7


async def test_a_worker_that_stands_still_is_replaced(counter: LuaCounter) -> None:
    await counter.count(COUNT, asks(1))
    for pid in counter.pids:
        os.kill(pid, signal.SIGSTOP)
    assert (await counter.count(COUNT, asks(7))).mistake == "overran"
    assert (await counter.count(COUNT, asks(7))).number in (0, 7)  # The other one may have stood still, too.
    assert (await counter.count(COUNT, asks(7))).number == 7


async def test_a_caller_that_goes_away_leaves_the_worker_in_order(counter: LuaCounter) -> None:
    await counter.count(COUNT, asks(1))
    call = asyncio.create_task(counter.count(COUNT, asks(5)))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await counter.count(COUNT, asks(7))).number == 7


async def test_callers_that_go_away_while_they_wait_are_skipped(counter: LuaCounter) -> None:
    calls = [asyncio.create_task(counter.count(COUNT, asks(number))) for number in range(20)]
    await asyncio.sleep(0)
    for call in calls[5:15]:
        call.cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [count.number for count in found if not isinstance(count, BaseException)] == [0, 1, 2, 3, 4, *range(15, 20)]


async def test_who_waits_too_long_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAITING", 3)
    counter = LuaCounter(Bounds(deadline=0.3, patience=0.05), workers=1)
    await counter.start()
    calls = [asyncio.create_task(counter.count(SPIN, asks(1))) for _ in range(6)]
    found = await asyncio.gather(*calls)
    assert [count.mistake for count in found] == ["overran", "waited", "waited", "waited", "crowded", "crowded"]
    await counter.close()


async def test_workers_that_do_not_start_are_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    counter = LuaCounter(clock=lambda: now[0])
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        count = await counter.count(COUNT, asks(7))
        assert (count.mistake, count.detail) == ("no worker", "a worker did not start: it ended with code 1")
        began = time.monotonic()
        assert (await counter.count(COUNT, asks(7))).mistake == "no worker"
        assert time.monotonic() - began < 0.05
        broken.setattr(sys, "executable", "/nowhere/python")
        now[0] += counting.RETRY
        assert "No such file" in (await counter.count(COUNT, asks(7))).detail
    now[0] += counting.RETRY
    assert (await counter.count(COUNT, asks(7))).number == 7
    await counter.close()


async def test_a_worker_without_lua_says_so() -> None:
    counter = LuaCounter(Bounds(runtime="lua00"))
    assert "No module named 'lupa.lua00'" in (await counter.count(COUNT, asks(7))).detail
    await counter.close()


async def test_after_closing_calls_are_mistakes() -> None:
    counter = LuaCounter()
    await counter.count(COUNT, asks(1))
    waiting = [asyncio.create_task(counter.count(SPIN, asks(1))) for _ in range(4)]
    await asyncio.sleep(0.01)
    await counter.close()
    assert {(await call).mistake for call in waiting} <= {"no worker"}
    assert (await counter.count(COUNT, asks(1))).mistake == "no worker"
    await counter.close()


async def test_more_functions_than_a_worker_keeps(monkeypatch: pytest.MonkeyPatch, counter: LuaCounter) -> None:
    monkeypatch.setattr(counting, "KEPT", 3)
    for _ in range(2):
        for number in range(8):
            assert (await counter.count(LuaFunction(f"return {number}", "many"), asks(0))).number == number


async def test_functions_are_kept_after_one_took_all_memory(counter: LuaCounter) -> None:
    assert (await counter.count(COUNT, asks(7))).number == 7
    greedy = LuaFunction("return ('x'):rep(1e9)", "greedy")
    assert (await counter.count(greedy, asks(1))).mistake == "memory"
    assert (await counter.count(COUNT, asks(7))).number == 7
    assert (await counter.count(greedy, asks(1))).mistake == "memory"


async def test_a_body_is_sent_to_a_function_that_reads_it(counter: LuaCounter) -> None:
    reads = LuaFunction("return #kong.request.get_raw_body()", "reads")
    for size in (5, 1_000_000):
        assert (await counter.count(reads, LuaRequest(body=b"x" * size))).number == size
    assert (await counter.count(reads, LuaRequest(body=None))).mistake == "raised"


async def test_bodies_are_asked_for_by_several_at_once() -> None:
    counter = LuaCounter(workers=2)
    reads = LuaFunction("for i = 1, 1e5 do end return #kong.request.get_raw_body()", "reads")
    await counter.start()
    for _ in range(2):
        found = await asyncio.gather(*(counter.count(reads, LuaRequest(body=b"x" * size)) for size in range(30)))
        assert [count.number for count in found] == list(range(30))
    await counter.close()


async def test_every_call_has_an_outcome_whatever_the_others_do() -> None:
    counter = LuaCounter(Bounds(deadline=0.3, busy=0.02, patience=20))
    mixed = random.Random(7)
    others = [
        SPIN,
        LuaFunction("while true do end", "loops"),
        LuaFunction("return ('x'):rep(1e9)", "greedy"),
        LuaFunction("return #kong.request.get_raw_body()", "reads"),
        LuaFunction("error('no')", "raises"),
    ]

    async def call(number: int) -> bool:
        if mixed.random() < 0.2:
            await counter.count(mixed.choice(others), asks(number))
            return True
        return (await counter.count(COUNT, asks(number))).number == number

    assert all(await asyncio.gather(*(call(number) for number in range(60))))
    await counter.close()


async def test_a_worker_has_nothing_of_the_proxys(counter: LuaCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hush")
    fresh = LuaCounter()
    await fresh.start()
    (pid,) = fresh.pids
    seen(Path(f"/proc/{pid}"))
    await fresh.close()


def seen(proc: Path) -> None:
    if not proc.exists():
        pytest.skip("there is no /proc here")
    assert b"hush" not in (proc / "environ").read_bytes()
    files = {str(link.readlink()).partition(":")[0] for link in (proc / "fd").iterdir()}
    assert files == {"socket", "/dev/null"}
    limits = (proc / "limits").read_text()
    assert "Max core file size        0" in limits
    assert "Max file size             0" in limits


@pytest.mark.parametrize("function", ["return 1", ENDLESS])
async def test_a_worker_does_not_outlive_the_proxy(function: str) -> None:
    """Not even one in the middle of a call without end: it has a timer of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.lua.orphan", function, cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout
    pid = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    ends = time.monotonic() + 5
    while alive(pid):
        assert time.monotonic() < ends
        await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
