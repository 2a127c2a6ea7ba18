"""Calls of the function in postgres_step.sql as the arrays that it takes, and what it answers.

All clients of a schema have to agree on how names are spelled and on the stripe of each: another version of either is
another version of the schema.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from zlib import crc32

from limiter.counters import Acquired, Charge, Correction, Reading
from limiter.stores.contract import REMEMBERED

ACQUIRE, SETTLE, RENEW = 1, 2, 3
HOLD, BLOCKS, CAPPED = 1, 2, 4
STRIPES = 1024
"""Advisory locks that a schema takes up at most; a server has 6,400 at hand unless told otherwise. Two single calls
about different keys wait for each other in one of a hundred cases."""
LONGEST = 1000
"""Bytes of a name that are kept as they are; an index of PostgreSQL takes no more than 2,700."""
_LEAST, _MOST = -(2**63), 2**63 - 1


class Item(NamedTuple):
    """A charge or a correction."""

    name: bytes
    previous: bytes | None
    numbers: tuple[int, ...]
    """What follows the names' places."""


class Call(NamedTuple):
    """One call of the store."""

    verb: int
    ids: Sequence[bytes]
    """One, but for renewals."""
    items: Sequence[Item]
    lease: int


def acquire(id: str, charges: Sequence[Charge], lease: int) -> Call:
    return Call(ACQUIRE, [spelled(id)], [_charge(charge) for charge in charges], lease)


def settle(id: str, corrections: Sequence[Correction]) -> Call:
    return Call(SETTLE, [spelled(id)], [_correction(correction) for correction in corrections], 0)


def renew(ids: Sequence[str], lease: int) -> Call:
    return Call(RENEW, [*map(spelled, ids)], (), lease)


def arguments(calls: Iterable[Call], clock: int, sweep: int) -> tuple[Any, ...]:
    """What the function takes.

    Args:
        clock: milliseconds; 0: the server's own.
        sweep: rows to delete at most when they are over.
    """
    names: dict[bytes, int] = {}
    ids: dict[bytes, int] = {}
    verbs: list[int] = []
    items: list[int] = []
    for verb, exchanges, parts, lease in calls:
        for name in exchanges:
            verbs += (verb, ids.setdefault(name, len(ids) + 1), len(parts), lease)
        for key, previous, numbers in parts:
            items.append(names.setdefault(key, len(names) + 1))
            if verb == ACQUIRE:
                items.append(names.setdefault(previous, len(names) + 1) if previous else 0)
            items += numbers
    return (clock, REMEMBERED, [*names], _stripes(names), [*ids], _stripes(ids), verbs, items, sweep)


def rows(arguments: tuple[Any, ...]) -> int:
    """Rows that a run with these arguments adds at most."""
    return len(arguments[2]) + len(arguments[4])


def answer(numbers: Sequence[int]) -> Acquired:
    admitted, now, *fields = numbers
    values = iter(fields)
    readings = (
        Reading(current, previous, used, expires_at, bool(fits))
        for current, previous, used, expires_at, fits in zip(*[values] * 5, strict=True)
    )
    return Acquired(bool(admitted), now, tuple(readings))


def spelled(text: str) -> bytes:
    """A key or id as the database has it. No two are the same: no UTF-8 contains the byte that marks a digest."""
    name = text.encode("utf-8", "surrogatepass")
    return name if len(name) <= LONGEST else b"\xff" + sha256(name).digest()


def _stripes(names: Iterable[bytes]) -> list[int]:
    return [crc32(name) % STRIPES for name in names]


def _clamped(bound: int) -> int:
    """A bound that no counter passes is as good as any other."""
    return min(max(bound, _LEAST), _MOST)


def _charge(charge: Charge) -> Item:
    return Item(
        spelled(charge.key),
        spelled(charge.previous) if charge.previous else None,
        (
            _clamped(charge.limit - charge.need),
            charge.take,
            charge.ttl,
            charge.expires_at,
            charge.start,
            charge.size,
            charge.keep,
            charge.penalty,
            (HOLD if charge.hold else 0) | (BLOCKS if charge.blocks else 0),
        ),
    )


def _correction(correction: Correction) -> Item:
    charge, actual, anchor = correction
    bits = (HOLD if charge.hold else 0) | (CAPPED if charge.capped else 0)
    numbers = (_clamped(charge.limit), charge.take, charge.ttl, charge.expires_at, charge.keep, bits, actual, anchor)
    return Item(spelled(charge.key), None, numbers)
