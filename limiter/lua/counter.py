"""Runs functions in worker processes: the number that a function gives for a request, or why there is none.

Workers are started when they are first needed and replaced when they die. A call that no worker could take in time, or
that was not done in time, counts as a mistake. Nobody waits longer than the bounds say: for a worker to be free, for
the answer, and, while there is none, for one to start.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from signal import SIGALRM
from time import monotonic

from limiter.lua.function import LuaFunction
from limiter.lua.journal import Journal
from limiter.lua.messages import Call, Reply, Snapshot, snapshot_of
from limiter.lua.outcomes import Count, judge
from limiter.lua.process import BOUNDS, STARTING, Bounds, Process, WorkerError, start
from limiter.lua.request import LuaRequest

WORKERS = 2
"""Processes: while one function runs to its deadline, others have a worker left."""
WAITING = 1000
"""Calls that may wait for a worker."""
RETRY = 1.0
"""Seconds for which no worker is started after one that did not start."""
KEPT = 256
"""Functions that a worker keeps compiled; with one more it begins anew."""


@dataclass(eq=False, slots=True)
class _Job:
    function: LuaFunction
    request: LuaRequest
    answer: asyncio.Future[tuple[Count, Reply | None]]
    snapshot: Snapshot
    with_body: bool
    timer: asyncio.TimerHandle | None = None
    process: Process | None = None
    late: bool = False
    """Its worker was killed because it was not done in time."""

    def settle(self, count: Count, reply: Reply | None = None) -> None:
        if self.timer:
            self.timer.cancel()
        if not self.answer.done():
            self.answer.set_result((count, reply))


@dataclass(eq=False, slots=True)
class _Crew:
    """The workers there are."""

    all: set[Process] = field(default_factory=set)
    idle: list[Process] = field(default_factory=list)
    busy: dict[Process, _Job] = field(default_factory=dict)
    starting: set[asyncio.Task[None]] = field(default_factory=set)


class LuaCounter:
    """Serves the calls of one event loop.

    Args:
        workers: processes at most.
        clock: seconds that only grow; for the log and for retries.
    """

    def __init__(
        self, bounds: Bounds = BOUNDS, *, workers: int = WORKERS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._bounds = bounds
        self._workers = workers
        self._clock = clock
        self._journal = Journal(clock)
        self._crew = _Crew()
        self._queue: deque[_Job] = deque()
        self._readers: set[bytes] = set()
        """Digests of functions that read bodies: they are sent one, which others are spared."""
        self._broken_until = 0.0
        self._problem = ""
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the workers that are ready."""
        return tuple(process.pid for process in self._crew.all)

    async def start(self) -> None:
        """Starts a worker ahead of the first call. That it does not start shows in the calls."""
        if not (self._crew.all or self._crew.starting):
            self._grow()
        await asyncio.gather(*self._crew.starting)

    async def count(self, function: LuaFunction, request: LuaRequest) -> Count:
        """What a function says of a request. Never raises; mistakes are logged, and count as 0."""
        count, reply = await self._asked(function, request)
        if reply and reply.lines:
            self._journal.lines(function, reply.lines, request)
        if count.mistake:
            self._journal.mistake(function, count, request)
        return count

    async def close(self) -> None:
        """Ends the workers. Calls that still wait count as mistakes."""
        self._closed = True
        for job in (*self._queue, *self._crew.busy.values()):
            job.settle(Count(mistake="no worker", detail="the workers were closed"))
        self._queue.clear()
        # Not cancelled: a process between two hands would be nobody's.
        await asyncio.gather(*self._crew.starting)
        for process in (processes := list(self._crew.all)):
            process.kill()
        await asyncio.gather(*(process.gone for process in processes))

    def _asked(self, function: LuaFunction, request: LuaRequest) -> asyncio.Future[tuple[Count, Reply | None]]:
        loop = asyncio.get_running_loop()
        with_body = function.digest in self._readers
        snapshot = snapshot_of(request, with_body=with_body)
        job = _Job(function, request, loop.create_future(), snapshot, with_body)
        if self._closed or (not self._crew.all and not self._crew.starting and self._clock() < self._broken_until):
            job.settle(Count(mistake="no worker", detail=self._problem or "the workers were closed"))
        elif len(self._queue) >= WAITING:
            job.settle(Count(mistake="crowded", detail=f"{WAITING} calls wait already"))
        else:
            self._queue.append(job)
            self._dispatch()
            if not job.process and not job.answer.done():
                job.timer = loop.call_later(self._bounds.patience, self._give_up, job, loop.time() + STARTING)
        return job.answer

    def _give_up(self, job: _Job, last: float) -> None:
        """Turns a call away that waited too long; while a worker starts it waits on, to the `last` instant."""
        loop = asyncio.get_running_loop()
        if self._crew.starting and loop.time() < last:
            job.timer = loop.call_later(self._bounds.patience, self._give_up, job, last)
            return
        self._queue.remove(job)
        job.settle(Count(mistake="waited", detail="no worker was free in time"))

    def _dispatch(self) -> None:
        while self._queue and self._crew.idle:
            job = self._queue.popleft()
            if job.answer.done():
                if job.timer:
                    job.timer.cancel()
                continue
            self._begin(self._crew.idle.pop(), job)
        if len(self._queue) > len(self._crew.starting):
            self._grow()

    def _begin(self, process: Process, job: _Job) -> None:
        if job.timer:
            job.timer.cancel()
        job.process = process
        job.timer = asyncio.get_running_loop().call_later(self._bounds.deadline, self._end, job)
        self._crew.busy[process] = job
        self._send(process, job)

    def _send(self, process: Process, job: _Job) -> None:
        function = job.function
        new = function.digest not in process.known
        forget = new and len(process.known) >= KEPT
        if forget:
            process.known.clear()
        process.known.add(function.digest)
        call = Call(function.digest, function.text if new else None, forget, job.snapshot)
        process.ask(call, lambda reply: self._answered(process, job, reply))

    def _end(self, job: _Job) -> None:
        job.late = True
        if job.process:
            job.process.kill()

    def _answered(self, process: Process, job: _Job, reply: Reply) -> None:
        if job.late:
            return  # The worker was killed already.
        if reply.kind == "body" and not job.with_body:
            self._readers.add(job.function.digest)
            job.with_body, job.snapshot = True, snapshot_of(job.request, with_body=True)
            self._send(process, job)
            return
        if reply.kind == "memory":
            process.known.clear()  # It has begun anew.
        job.settle(judge(reply), reply)
        del self._crew.busy[process]
        self._crew.idle.append(process)
        self._dispatch()

    def _grow(self) -> None:
        """Starts a worker, unless there are enough or the last one did not start just now."""
        crew = self._crew
        if self._closed or len(crew.all) + len(crew.starting) >= self._workers or self._clock() < self._broken_until:
            return
        task = asyncio.get_running_loop().create_task(self._start())
        crew.starting.add(task)
        task.add_done_callback(self._started)

    async def _start(self) -> None:
        try:
            process = await start(self._bounds, self._ended)
        except WorkerError as problem:
            self._broken_until = self._clock() + RETRY
            self._problem = f"a worker did not start: {problem}"
        else:
            self._crew.all.add(process)
            self._crew.idle.append(process)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._crew.starting.discard(task)
        if not self._crew.all and not self._crew.starting:
            while self._queue:
                self._queue.popleft().settle(Count(mistake="no worker", detail=self._problem))
        self._dispatch()

    def _ended(self, process: Process, code: int) -> None:
        """A worker is gone: its call has an outcome, and another is started in its place."""
        if process not in self._crew.all:
            return
        self._crew.all.discard(process)
        if process in self._crew.idle:
            self._crew.idle.remove(process)
        job = self._crew.busy.pop(process, None)
        if job and (job.late or code == -SIGALRM):
            job.settle(Count(mistake="overran", detail="ran too long"))
        elif job:
            job.settle(Count(mistake="died", detail=f"its process ended with code {code}"))
        if job:
            self._grow()
        self._dispatch()
