"""What a decision costs with Redis: `python -m tests.bench.redis_decisions [DECISIONS]`, on a server of its own.

A decision is an acquire of three limits, one of them sliding, with holds. It is compared with an empty script that is
sent the same way, and with a call of redis-py.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from limiter.counters import Charge, Correction
from limiter.redis_settings import RedisSettings
from limiter.stores import redis_script
from limiter.stores.contract import LEASE
from limiter.stores.redis_dial import Dialer
from limiter.stores.redis_keys import TAG, books
from limiter.stores.redis_servers import OneServer
from limiter.stores.redis_store import RedisStore
from tests.bench.table import head, row, show
from tests.servers.valkey import Server, started

CONCURRENCIES = (1, 16, 64)
HOUR = 3_600_000
CONSUMERS = 1000
ROUNDS = 3
Job = Callable[[int], Awaitable[object]]


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

    def decision(tag: int) -> Job:
        return lambda number: store.acquire(f"{tag}:{number}", _charges(number))

    def settlement(tag: int) -> Job:
        return lambda number: store.settle(f"{tag}:{number}", [Correction(item, 7) for item in _charges(number)])

    async def by_driver(number: int) -> None:
        """The same script and arguments, without our pipeline."""
        call = redis_script.acquire(books(TAG, f"driver {number}"), _charges(number), LEASE, 0)
        await driver.execute_command(*_words(call.command(whole=False)))

    show(head("Redis, 3 limits", "a second", "client us", "server us", "x empty /s", "x empty CPU"))
    for concurrency in CONCURRENCIES:
        await _measure(server, lambda _: bare.run(empty), count // 10, concurrency)
        reference = await _best(server, lambda _: lambda _number: bare.run(empty), count, concurrency)
        for name, job, some in (
            ("empty script", None, count),
            ("decision", decision, count),
            ("settlement", settlement, count),
            ("empty, redis-py alone", lambda _: lambda _number: driver.evalsha(plain, 1, "key"), count // 4),
            ("decision, redis-py alone", lambda _: by_driver, count // 4),
        ):
            found = reference
            if job:
                found = await _best(server, job, some, concurrency)
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


async def _best(server: Server, job: Callable[[int], Job], count: int, concurrency: int) -> tuple[float, float, float]:
    """The fastest of a few rounds: others on the machine only ever make it slower."""
    return max([await _measure(server, job(next(_tags)), count, concurrency) for _ in range(ROUNDS)])


_tags = iter(range(10**9))


async def _measure(server: Server, job: Job, count: int, concurrency: int) -> tuple[float, float, float]:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await job(number)

    before, cpu, began = _cpu(server.process.pid), time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return count / wall, cpu / count * 1e6, (_cpu(server.process.pid) - before) / count * 1e6


def _cpu(pid: int) -> float:
    """Seconds that a process has run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _words(command: bytes) -> list[bytes]:
    """The arguments of a packed command."""
    words = []
    rest = command.partition(b"\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        words.append(rest[: int(size[1:])])
        rest = rest[int(size[1:]) + 2 :]
    return words


def _charges(number: int) -> list[Charge]:
    return _charges_of(number % CONSUMERS)


@cache
def _charges_of(consumer: int) -> list[Charge]:
    """Three limits. Made once, since what that takes is not the store's."""
    start = int(time.time() * 1000) // HOUR * HOUR
    name = f"{consumer:032x}"
    tokens = "{ai-limit}:tokens:1h~"
    return [
        Charge(f"{{ai-limit}}:requests:1h:{start}:{name}", 10**12, 1, 1, 0, start + HOUR),
        Charge(f"{{ai-limit}}:daily:1d:{start}:{name}", 10**15, 50, 50, 0, start + 24 * HOUR, hold=True),
        Charge(
            f"{tokens}:{start}:{name}", 10**15, 9, 9, 0, start + 2 * HOUR,
            f"{tokens}:{start - HOUR}:{name}", start, HOUR, hold=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    redis_decisions(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
