"""Batches whose counters lie in different slots, as those of foreign key layouts do: one call for each hash tag.

Each call is atomic, the batch is not. If some part refuses, what the others booked is taken back a round trip later;
others may be refused meanwhile for the want of it, but nobody is admitted who should not be. An anchored window that
a part has begun stays begun, at 0.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from time import monotonic

from limiter.counters import Acquired, Charge, Correction
from limiter.stores.contract import REMEMBERED, StoreError
from limiter.stores.redis_keys import TAG, hash_tag
from limiter.stores.redis_script import key_bytes
from limiter.stores.redis_steps import Steps

Places = list[int]
"""Positions in a batch."""


class Spread:
    """As `Steps`, for counters anywhere."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._running: set[asyncio.Task[Acquired]] = set()
        self._elsewhere: dict[str, tuple[float, tuple[bytes, ...]]] = {}
        """Where the holds of an id are, and until when that may be asked for (monotonic seconds), unless they are where
        those of the native dialect are."""

    async def acquire(self, id: str, charges: Sequence[Charge], lease: int) -> Acquired:
        parts = _parts(charges)
        if len(parts) == 1:
            tag = next(iter(parts))
            acquired = await self._steps.acquire(tag, id, charges, lease)
        else:
            # In a task, since what was booked has to be taken back also if the caller is cancelled in between.
            task = asyncio.create_task(self._acquire_parts(parts, id, charges, lease))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            acquired = await asyncio.shield(task)
        if acquired.admitted and any(charge.hold for charge in charges) and {*parts} != {TAG}:
            self._remember(id, tuple(parts), lease)
        return acquired

    async def settle(self, id: str, corrections: Sequence[Correction]) -> None:
        parts = _parts([correction.charge for correction in corrections]) if corrections else {}
        tags = dict.fromkeys([*parts, *self._tags(id)])
        await _all(self._steps.settle(tag, id, [corrections[place] for place in parts.get(tag, ())]) for tag in tags)
        self._elsewhere.pop(id, None)

    async def renew(self, ids: Sequence[str], lease: int) -> None:
        held: dict[bytes, list[str]] = defaultdict(list)
        for name in ids:
            tags = self._tags(name)
            for tag in tags:
                held[tag].append(name)
            if name in self._elsewhere:
                self._remember(name, tags, lease)
        await _all(self._steps.renew(tag, some, lease) for tag, some in held.items())

    async def close(self) -> None:
        """Waits until everything is taken back that has to be."""
        while self._running:
            await asyncio.wait(self._running)

    async def _acquire_parts(
        self, parts: dict[bytes, Places], id: str, charges: Sequence[Charge], lease: int
    ) -> Acquired:
        answers = await asyncio.gather(
            *(self._steps.acquire(tag, id, [charges[at] for at in places], lease) for tag, places in parts.items()),
            return_exceptions=True,
        )
        found = {tag: answer for tag, answer in zip(parts, answers, strict=True) if isinstance(answer, Acquired)}
        problems = [answer for answer in answers if isinstance(answer, BaseException)]
        booked = [tag for tag, answer in found.items() if answer.admitted]
        if problems or len(booked) < len(found):
            # A refusal is remembered, so that of a repeated call is the same; of an error nothing may be.
            step = self._steps.undo if problems else self._steps.settle
            back = {tag: _taken_back([charges[at] for at in parts[tag]], found[tag]) for tag in booked}
            await _all(step(tag, id, corrections) for tag, corrections in back.items())
        if problems:
            raise problems[0]
        readings = {
            place: reading
            for tag, places in parts.items()
            for place, reading in zip(places, found[tag].readings, strict=True)
        }
        now = max(answer.now for answer in found.values())
        return Acquired(len(booked) == len(parts), now, tuple(readings[place] for place in range(len(charges))))

    def _tags(self, id: str) -> tuple[bytes, ...]:
        return self._elsewhere[id][1] if id in self._elsewhere else (TAG,)

    def _remember(self, id: str, tags: tuple[bytes, ...], lease: int) -> None:
        """Also forgets up to two whose lease ran out long ago: they were never settled."""
        now = monotonic()
        self._elsewhere.pop(id, None)
        self._elsewhere[id] = (now + (lease + REMEMBERED) / 1000, tags)
        for _ in range(2):
            oldest = next(iter(self._elsewhere))
            if self._elsewhere[oldest][0] > now:
                return
            del self._elsewhere[oldest]


def _parts(charges: Sequence[Charge]) -> dict[bytes, Places]:
    """Positions by hash tag. Without charges: the native dialect's tag alone.

    Raises:
        StoreError: a window and the one before it can never be read together.
    """
    parts: dict[bytes, Places] = {}
    for place, charge in enumerate(charges):
        tag = hash_tag(key_bytes(charge.key))
        if charge.previous and hash_tag(key_bytes(charge.previous)) != tag:
            raise StoreError("redis: the keys of a sliding window need a common hash tag in a cluster")
        parts.setdefault(tag, []).append(place)
    return parts or {TAG: []}


def _taken_back(charges: Sequence[Charge], acquired: Acquired) -> list[Correction]:
    """What turns an admission into a refusal."""
    return [
        Correction(charge._replace(capped=False), charge.penalty, reading.expires_at)
        for charge, reading in zip(charges, acquired.readings, strict=True)
        if charge.take or charge.penalty
    ]


async def _all(calls: Iterable[object]) -> None:
    """Runs all to their end, and then raises the error of one that failed."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload]
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
