"""Counters in Redis that a running Kong shares: it reads what is written here, and the other way round.

`Kong` has the commands of kong/plugins/response-ratelimiting/policies/init.lua, from the keys on.
"""

import asyncio
import calendar
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from limiter.app import App, Sources
from limiter.config.kong.response_ratelimiting import LIVES, NOBODY
from tests.kong.quota.gateway import Gateway
from tests.servers import shared
from tests.servers.valkey import free_port

pytestmark = pytest.mark.xdist_group("redis")

EXPIRATION = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 2592000, "year": 31536000}
"""Kong's, in seconds."""
DAY = 86_400


def starts(now: int) -> dict[str, int]:
    """When the periods of an instant began; all in seconds."""
    date = datetime.fromtimestamp(now, UTC)
    return {
        "second": now,
        "minute": now - now % 60,
        "hour": now - now % 3600,
        "day": now - now % DAY,
        "month": calendar.timegm((date.year, date.month, 1, 0, 0, 0)),
        "year": calendar.timegm((date.year, 1, 1, 0, 0, 0)),
    }


class Kong:
    def __init__(self, client: Redis) -> None:
        self._client = client

    @staticmethod
    def key(name: str, period: str, now: int) -> str:
        return f"response-ratelimit:{NOBODY}:{NOBODY}:127.0.0.1:{starts(now)[period] * 1000}:{name}:{period}"

    def increment(self, name: str, value: int, now: int) -> None:
        keys = [(self.key(name, period, now), lives) for period, lives in EXPIRATION.items()]
        exists = [self._client.exists(key) for key, _ in keys]
        pipeline = self._client.pipeline(transaction=False)
        for (key, lives), known in zip(keys, exists, strict=True):
            pipeline.incrby(key, value)
            if not known:
                pipeline.expire(key, lives)
        pipeline.execute()

    def usage(self, name: str, period: str, now: int) -> int:
        return int(self._client.get(self.key(name, period, now)) or 0)  # type: ignore[arg-type]


@pytest.fixture
def client() -> Iterator[Redis]:
    with shared.standalone().client() as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def kong(client: Redis) -> Kong:
    return Kong(client)


CONFIG = """
_format_version: "3.0"
plugins:
- name: response-ratelimiting
  config:
    policy: redis
    fault_tolerant: {tolerant}
    redis: {{host: 127.0.0.1, port: {port}, timeout: 2000, {more}}}
    limits:
      video: {{hour: 10, month: 100, year: 200}}
"""
Opened = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    """Loads a configuration as the program does."""
    apps: list[App] = []

    async def load(more: str = "", *, port: int | None = None, tolerant: str = "true") -> Gateway:
        file = tmp_path / f"kong-{len(apps)}.yaml"
        file.write_text(CONFIG.format(port=port or shared.standalone().port, more=more, tolerant=tolerant))
        app = App(Sources(config=file, store="memory:", data=tmp_path))
        apps.append(app)
        return Gateway(app.running.engine, app.running.replies)

    yield load
    for app in apps:
        await app.close()


@asynccontextmanager
async def within_a_second() -> AsyncIterator[int]:
    """The present second, of which enough is left."""
    if time.time() % 1 > 0.6:
        await asyncio.sleep(1 - time.time() % 1)
    yield int(time.time())


async def test_what_kong_counts_is_seen(opened: Opened, kong: Kong) -> None:
    gateway = await opened()
    kong.increment("video", 3, int(time.time()))

    told = await gateway.ask()

    assert told.remaining("video", "hour") == "7"
    assert told.asked == {"X-RateLimit-Remaining-video": "7"}


async def test_kong_sees_what_is_counted_and_when_it_ends(opened: Opened, kong: Kong, client: Redis) -> None:
    gateway = await opened()
    await gateway.ask()
    async with within_a_second() as now:
        await gateway.ask("video=3")
        seen = {period: kong.usage("video", period, now) for period in EXPIRATION}
        ends = {period: int(client.ttl(kong.key("video", period, now))) for period in EXPIRATION}  # type: ignore[arg-type]

    assert seen == dict.fromkeys(EXPIRATION, 3)
    for period, left in ends.items():
        assert LIVES[period] / 1000 - 5 <= left <= LIVES[period] / 1000  # type: ignore[index]


async def test_both_count_on_the_same_counters(opened: Opened, kong: Kong) -> None:
    gateway = await opened()
    now = int(time.time())
    for _ in range(3):
        kong.increment("video", 2, now)
        assert (await gateway.ask("video=1")).status == 200

    assert kong.usage("video", "hour", now) == 9
    kong.increment("video", 1, now)
    assert (await gateway.ask("video=1")).status == 429
    assert (await gateway.ask("video=-4")).status == 200
    assert kong.usage("video", "hour", now) == 6


async def test_a_month_that_kong_began_lasts_to_its_end(opened: Opened, kong: Kong, client: Redis) -> None:
    """Kong lets it die after 30 days."""
    gateway = await opened()
    now = int(time.time())
    kong.increment("video", 3, now)
    key = kong.key("video", "month", now)
    client.expire(key, 60)

    told = await gateway.ask()

    date = datetime.fromtimestamp(now, UTC)
    days = calendar.monthrange(date.year, date.month)[1]
    assert told.remaining("video", "month") == "97"
    assert client.expiretime(key) == starts(now)["month"] + days * DAY


async def test_30_each_database_is_one_for_itself(opened: Opened, client: Redis) -> None:
    one, two = await opened("database: 1"), await opened("database: 2")
    told = await one.ask("video=1")
    assert (told.limit("video", "hour"), told.remaining("video", "hour")) == ("10", "9")

    def kept(database: int) -> int:
        with shared.standalone().client(db=database) as other:
            return len(list(other.scan_iter("response-ratelimit:*")))

    assert [kept(database) for database in (0, 1, 2, 3)] == [0, 6, 0, 0]
    assert (await two.ask("video=1")).remaining("video", "hour") == "9"
    assert [kept(database) for database in (0, 1, 2, 3)] == [0, 6, 6, 0]


@pytest.fixture
def users(client: Redis) -> Iterator[None]:
    """One who may do what is needed, and one who may not."""
    client.execute_command("ACL SETUSER limiter on >pass ~response-ratelimit:* ~ai-limit.* +@all")
    client.execute_command("ACL SETUSER other on >pass ~other:* +@all")
    yield
    client.execute_command("ACL DELUSER limiter other")


@pytest.mark.usefixtures("users")
async def test_31_a_user_with_the_rights_is_served(opened: Opened) -> None:
    gateway = await opened("username: limiter, password: pass", tolerant="false")

    assert (await gateway.ask("video=1")).status == 200
    assert (await gateway.ask()).remaining("video", "hour") == "9"


@pytest.mark.usefixtures("users")
async def test_32_a_user_without_them_is_an_error(opened: Opened) -> None:
    gateway = await opened("username: other, password: pass", tolerant="false")

    told = await gateway.ask()

    assert told.status == 500


async def test_22_a_redis_that_is_away_refuses_if_it_is_to(opened: Opened) -> None:
    gateway = await opened(port=free_port(), tolerant="false")

    told = await gateway.ask(headers={"accept": "text/plain"})

    assert told.status == 500
    assert told.body.startswith(b"An unexpected error occurred\nrequest_id: ")
    assert told.headers == {"content-type": "text/plain; charset=utf-8"}


async def test_23_else_everything_passes_as_if_there_were_no_quotas(opened: Opened) -> None:
    gateway = await opened(port=free_port())

    told = await gateway.ask("video=1000")

    assert (told.status, told.asked) == (200, {})
    assert told.headers == {"x-kong-limit": "video=1000"}
