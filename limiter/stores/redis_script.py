"""Calls of redis.lua as bytes, and what they answer."""

from collections.abc import Sequence
from hashlib import sha1
from importlib import resources
from itertools import starmap

import msgspec

from limiter.counters import Acquired, Charge, Correction, Reading
from limiter.stores.contract import REMEMBERED, StoreError, UnsoundError

SCRIPT = resources.files("limiter.stores").joinpath("redis.lua").read_bytes()
DIGEST = sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()
BY_DIGEST = b"$7\r\nEVALSHA\r\n$40\r\n%b\r\n" % DIGEST
BY_TEXT = b"$4\r\nEVAL\r\n$%d\r\n%b\r\n" % (len(SCRIPT), SCRIPT)
LARGEST = 2**53
"""Lua's numbers are exact up to here."""
_BEYOND = 2**55
"""More than any sum that Lua meets."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Call:
    """One run of the script, ready to be sent."""

    __slots__ = ("droppable", "key", "parts", "rest")

    def __init__(self, keys: Sequence[bytes], request: tuple[object, ...], *, droppable: bool = False) -> None:
        """Raises: UnsoundError: a number does not fit."""
        try:
            body = _encode(request)
        except OverflowError as problem:
            raise UnsoundError("redis: found a number beyond 64 bits") from problem
        self.key = keys[0]
        """Any of its keys, since they all lie in one slot."""
        self.droppable = droppable
        """Need not be sent when nobody waits for its answer any more."""
        self.parts = len(keys) + 4
        self.rest = b"".join(
            [
                b"$%d\r\n%d\r\n" % (len(str(len(keys))), len(keys)),
                *[b"$%d\r\n%b\r\n" % (len(key), key) for key in keys],
                b"$%d\r\n%b\r\n" % (len(body), body),
            ]
        )

    def command(self, *, whole: bool) -> bytes:
        """The command. `whole`: with the script's text, for a server that does not have it yet."""
        return b"*%d\r\n%b%b" % (self.parts, BY_TEXT if whole else BY_DIGEST, self.rest)


def key_bytes(text: str) -> bytes:
    """The bytes of a key. What was undecodable in a request's header becomes again what it was."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def acquire(books: Sequence[bytes], charges: Sequence[Charge], lease: int, clock: int) -> Call:
    """`books`: the call's first three keys. `clock` 0: the server's own."""
    keys = [*books]
    items = [_charge(keys, charge) for charge in charges]
    return Call(keys, ("acquire", clock, REMEMBERED, lease, items), droppable=True)


def settle(books: Sequence[bytes], corrections: Sequence[Correction], clock: int, step: str = "settle") -> Call:
    """`step`: "undo" takes an acquire back and forgets that it was."""
    keys = [*books]
    items = [(_charge(keys, charge), _exact(actual), anchor) for charge, actual, anchor in corrections]
    return Call(keys, (step, clock, REMEMBERED, 0, items))


def renew(holds: bytes, held: Sequence[bytes], lease: int, clock: int) -> Call:
    return Call([holds, *held], ("renew", clock, REMEMBERED, lease, ()))


def answer(reply: bytes) -> Acquired:
    """Raises: StoreError: it is no answer of this script."""
    try:
        admitted, now, *fields = _decode(reply)
        values = iter(fields)
        readings = tuple(starmap(Reading, zip(values, values, values, values, values, strict=True)))
    except (ValueError, TypeError) as problem:
        raise StoreError("redis: found an answer of another program") from problem
    return Acquired(admitted, now, readings)


def _exact(amount: int) -> int:
    if -LARGEST <= amount <= LARGEST:
        return amount
    raise UnsoundError("redis: found an amount beyond 2^53")


def _charge(keys: list[bytes], charge: Charge) -> tuple[object, ...]:
    """The charge's fields in the order of redis.lua, with places in `keys`, which grows, for names."""
    keys.append(key_bytes(charge.key))
    place, previous = len(keys), 0
    if charge.previous:
        keys.append(key_bytes(charge.previous))
        previous = len(keys)
    # The difference is exact here and may not be there.
    room = charge.limit - charge.need
    if not -LARGEST <= room <= LARGEST:
        room = -_BEYOND if room < 0 else _BEYOND
    return (
        place,
        previous,
        room,
        min(max(charge.limit, -_BEYOND), _BEYOND),
        _exact(charge.take),
        charge.ttl,
        charge.expires_at,
        charge.start,
        charge.size,
        charge.hold,
        charge.keep,
        _exact(charge.penalty),
        charge.blocks,
        charge.capped,
        charge.until,
    )
