"""What a decision costs with Redis: `python -m tests.bench.redis_decisions [DECISIONS]`, on a server of its own.

A decision is an acquire of three limits, one of them sliding, with holds. It is compared with an empty script that is
sent the same way, and with a call of redis-py.
"""

import asyncio
import hashlib
import sys
import tempfile
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from limiter.counters import Correction
from limiter.redis_settings import RedisSettings
from limiter.stores import redis_script
from limiter.stores.contract import LEASE
from limiter.stores.redis_dial import Dialer
from limiter.stores.redis_keys import TAG, books
from limiter.stores.redis_servers import OneServer
from limiter.stores.redis_store import RedisStore
from tests.bench.measuring import CONCURRENCIES, CONSUMERS, Job, best, charges, decisions
from tests.bench.table import head, row, show
from tests.servers.valkey import Server, started


class EmptyCall(redis_script.Call):
    """A script that does nothing, with one key."""

    __slots__ = ()
    SCRIPT = b"return ''"

    def command(self, *, whole: bool) -> bytes:
        name, text = (b"EVAL", self.SCRIPT) if whole else (b"EVALSHA", hashlib.sha1(self.SCRIPT).hexdigest().encode())
        return b"*4\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$1\r\n1\r\n$3\r\nkey\r\n" % (len(name), name, len(text), text)


def redis_decisions(count: int = 20_000) -> None:
    """Prints decisions a second and processor time for each, of the client and of the server."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder, started(Path(folder)) as server:
        asyncio.run(_decisions(server, count))


async def _decisions(server: Server, count: int) -> None:
    settings = RedisSettings(server.address)
    store, bare = RedisStore(settings), OneServer(settings, Dialer(settings))
    driver = Redis(port=server.port, retry=Retry(NoBackoff(), 0))
    empty = EmptyCall([b"key"], ())
    plain = await driver.script_load("return ''")

    def settlement(tag: int) -> Job:
        return lambda number: store.settle(
            f"{tag}:{number}", [Correction(item, 7) for item in charges(number % CONSUMERS)]
        )

    async def by_driver(number: int) -> None:
        """The same script and arguments, without our pipeline."""
        call = redis_script.acquire(books(TAG, f"driver {number}"), charges(number % CONSUMERS), LEASE, 0)
        await driver.execute_command(*_words(call.command(whole=False)))

    show(head("Redis, 3 limits", "a second", "client us", "server us", "x empty /s", "x empty CPU"))
    for concurrency in CONCURRENCIES:
        reference = await best(lambda _: lambda _number: bare.run(empty), count, concurrency, server.cpu)
        for name, job, some in (
            ("empty script", None, count),
            ("decision", decisions(store), count),
            ("settlement", settlement, count),
            ("empty, redis-py alone", lambda _: lambda _number: driver.evalsha(plain, 1, "key"), count // 4),
            ("decision, redis-py alone", lambda _: by_driver, count // 4),
        ):
            found = reference
            if job:
                found = await best(job, some, concurrency, server.cpu)
            rate, client, process = found
            show(
                row(
                    f"{name} c={concurrency}",
                    f"{rate:.0f}",
                    f"{client:.1f}",
                    f"{process:.1f}",
                    f"{rate / reference[0]:.2f}",
                    f"{client / reference[1]:.2f}",
                )
            )
    await store.close()
    await bare.close()
    await driver.aclose()


def _words(command: bytes) -> list[bytes]:
    """The arguments of a packed command."""
    words = []
    rest = command.partition(b"\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        words.append(rest[: int(size[1:])])
        rest = rest[int(size[1:]) + 2 :]
    return words


if __name__ == "__main__":
    redis_decisions(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
