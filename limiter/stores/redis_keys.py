"""Where keys live, and the keys of what is remembered beside counters.

Counters have the names that their limits give them. The rest begins with `ai-limit.`: a user of a server with access
control needs both, for the native dialect `~{ai-limit}:* ~ai-limit.*`.
"""

from binascii import crc_hqx
from functools import lru_cache
from typing import NamedTuple

from limiter.stores.redis_script import key_bytes

SLOTS = 16_384
TAG = b"ai-limit"
"""Hash tag of the native dialect's keys, see `plans.PREFIX`, and of all that is remembered where nothing is sharded."""


class Books(NamedTuple):
    """The keys of redis.lua that hold no counter."""

    holds: bytes
    """Holds by the end of their lease."""
    id: bytes
    hold: bytes


def books(tag: bytes, id: str) -> Books:
    """The keys of one exchange, which live where keys with this hash tag do."""
    name = key_bytes(id)
    return Books(
        b"ai-limit.holds:{%b}" % tag, b"ai-limit.id:{%b}%b" % (tag, name), b"ai-limit.hold:{%b}%b" % (tag, name)
    )


def hash_tag(key: bytes) -> bytes:
    """A tag that lives where the key does: the key's own, or the whole key as that of others."""
    part = _hashed(key)
    return part if part and b"}" not in part else _tag_in(crc_hqx(part, 0) % SLOTS)


def slot(key: bytes) -> int:
    return crc_hqx(_hashed(key), 0) % SLOTS


def _hashed(key: bytes) -> bytes:
    """The part of the key that decides about its slot: what stands in its first braces, if anything does."""
    _, brace, after = key.partition(b"{")
    part, end, _ = after.partition(b"}")
    return part if brace and end and part else key


@lru_cache(maxsize=SLOTS)
def _tag_in(number: int) -> bytes:
    """A tag of digits in a slot, for keys that cannot be tags themselves."""
    candidate = 0
    while crc_hqx(b"%d" % candidate, 0) % SLOTS != number:
        candidate += 1
    return b"%d" % candidate
