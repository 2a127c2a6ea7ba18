"""Runs the blocking calls of event loops in batches: at once where that takes no waiting, else in a thread.

Calls that come in one turn of a loop are one batch. Handing a batch to a thread and back costs more than a short
transaction does, and a loop that is busy makes the thread wait for the interpreter at every statement. So a batch runs
in the loop itself unless it is large, others wait already, it would have to wait for another process, or the disk was
slow of late. What waits while the thread runs one batch is its next batch.
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Protocol

from limiter.stores.contract import StoreError

EAGER = 32
"""Calls of the largest batch that runs in the loop."""
LARGEST = 256
"""Calls of the largest batch that runs in the thread; bounds the time for which it keeps other processes out."""
WAITING = 10_000
"""Calls that may wait; more are turned away at once."""
SLOW = 0.05
"""Seconds. After a batch that took longer in the loop, the thread does the work."""
WARY = 10.0
"""Seconds for which it does."""

type Outcome[Answer] = Answer | StoreError


class Work[Call, Answer](Protocol):
    """What a writer runs, never in two threads at a time."""

    def run(self, calls: Sequence[Call], *, wait: bool) -> Sequence[Outcome[Answer]] | None:
        """The outcome of each call, in order. None: it would have to wait and may not; then nothing was done."""
        ...

    def tidy(self) -> None:
        """What is done in the thread from time to time because it may take long; asked for by `untidy`."""
        ...

    @property
    def untidy(self) -> bool:
        """Whether it is time for `tidy`."""
        ...

    def close(self) -> None:
        """Called in the thread after the last batch."""
        ...


@dataclass(slots=True)
class _Job[Call, Answer]:
    call: Call
    loop: AbstractEventLoop
    future: Future[Answer]
    droppable: bool


type _Answered[Call, Answer] = list[tuple[_Job[Call, Answer], Outcome[Answer]]]


class _Signal(Enum):
    """What else stands in the queue."""

    TIDY = "tidy"
    END = "end"


class Writer[Call, Answer]:
    """Serves calls from any number of loops.

    Args:
        name: of what is written to, for messages.
    """

    def __init__(self, work: Work[Call, Answer], name: str) -> None:
        self._work = work
        self._name = name
        self._turns: dict[AbstractEventLoop, list[_Job[Call, Answer]]] = {}
        """What came in the present turn of each loop."""
        self._queue: SimpleQueue[_Job[Call, Answer] | _Signal] = SimpleQueue()
        self._lock = Lock()
        """Over `_turns` and `_closed`. No call may come into the queue after the signal of its end."""
        self._working = Lock()
        """Held by whoever uses `_work`."""
        self._closed = False
        self._wary_until = 0.0
        # A daemon: a process that ends without `close` must not wait for it, and what was answered is written.
        self._thread = Thread(target=self._serve, name=f"writer of {name}", daemon=True)
        self._thread.start()

    def submit(self, call: Call, *, droppable: bool = False) -> Future[Answer]:
        """Takes a call.

        Args:
            droppable: when nobody awaits the answer any more, the call need not run.

        Raises:
            StoreError: closed, or too many wait. The future raises it, too.
        """
        loop = asyncio.get_running_loop()
        future: Future[Answer] = loop.create_future()
        with self._lock:
            if self._closed:
                raise StoreError(f"{self._name}: the store is closed")
            turn = self._turns.get(loop)
            if turn is None:
                turn = self._turns[loop] = []
                loop.call_soon(self._end_turn, loop)
            if self._queue.qsize() + len(turn) >= WAITING:
                raise StoreError(f"{self._name}: {WAITING} calls wait already")
            turn.append(_Job(call, loop, future, droppable))
        return future

    async def close(self) -> None:
        """Runs what waits and ends the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for turn in self._turns.values():
                    self._enqueue(turn)
                self._turns.clear()
                self._queue.put(_Signal.END)
        await asyncio.to_thread(self._thread.join)

    def _enqueue(self, jobs: Sequence[_Job[Call, Answer]]) -> None:
        for job in jobs:
            self._queue.put(job)

    def _end_turn(self, loop: AbstractEventLoop) -> None:
        """In the loop: serves what came in this turn, or leaves it to the thread."""
        with self._lock:
            jobs = self._turns.pop(loop, [])
            # Those in the queue came first, so they go first.
            eager = len(jobs) <= EAGER and self._queue.empty() and monotonic() >= self._wary_until
            if not eager or not self._working.acquire(blocking=False):
                self._enqueue(jobs)
                return
        try:
            began = monotonic()
            answered = self._run(jobs, wait=False)
            if monotonic() - began > SLOW:
                self._wary_until = monotonic() + WARY
        finally:
            self._working.release()
        if answered is None:
            with self._lock:
                if not self._closed:
                    self._enqueue(jobs)
                    return
            # Closed from another thread while this one was busy.
            answered = [(job, StoreError(f"{self._name}: the store is closed")) for job in jobs]
        _resolve(answered)
        if self._work.untidy and self._queue.empty():
            self._queue.put(_Signal.TIDY)

    def _serve(self) -> None:
        """In the thread: serves the queue to its end."""
        ended = False
        try:
            while not ended:
                jobs, ended = self._take()
                with self._working:
                    answered = self._run(jobs, wait=True) or []
                self._hand_back(answered)
                with self._working, suppress(StoreError):
                    if self._work.untidy:
                        self._work.tidy()
        finally:
            self._work.close()

    def _take(self) -> tuple[list[_Job[Call, Answer]], bool]:
        """Waits for a job or a signal and takes the jobs behind it; and whether the end was among them."""
        jobs: list[_Job[Call, Answer]] = []
        with suppress(Empty):
            item = self._queue.get()
            while True:
                if isinstance(item, _Job):
                    jobs.append(item)
                elif item is _Signal.END:
                    return jobs, True
                if len(jobs) == LARGEST:
                    break
                item = self._queue.get_nowait()
        return jobs, False

    def _run(self, jobs: Sequence[_Job[Call, Answer]], *, wait: bool) -> _Answered[Call, Answer] | None:
        # To look at a future from another thread is safe; the worst is a call that runs though it was just dropped.
        jobs = [job for job in jobs if not (job.droppable and job.future.cancelled())]
        if not jobs:
            return []
        outcomes: Sequence[Outcome[Answer]] | None
        try:
            outcomes = self._work.run([job.call for job in jobs], wait=wait)
        except BaseException as problem:  # noqa: BLE001 a bug in one batch must not end the thread
            outcomes = [StoreError(f"{self._name}: {type(problem).__name__}: {problem}") for _ in jobs]
        return None if outcomes is None else list(zip(jobs, outcomes, strict=True))

    def _hand_back(self, answered: _Answered[Call, Answer]) -> None:
        by_loop: dict[AbstractEventLoop, _Answered[Call, Answer]] = {}
        for job, outcome in answered:
            by_loop.setdefault(job.loop, []).append((job, outcome))
        for loop, own in by_loop.items():
            # A loop that was closed meanwhile has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, own)


def _resolve[Call, Answer](answered: _Answered[Call, Answer]) -> None:
    for job, outcome in answered:
        if job.future.done():
            continue
        if isinstance(outcome, StoreError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
