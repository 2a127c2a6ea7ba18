"""Two proxies on one store: they share a limit exactly, survive each other's death, and the store's.

The same two serve all tests, since a start takes seconds: they are told of another store by their configuration.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from limiter.redis_settings import Address
from tests.e2e.clients import Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream
from tests.servers import shared, valkey

REFUSED = 400
LIMIT, CROWD = 50, 200
TIMEOUT = 1.0
"""Seconds that a request waits for the store."""
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4000}
URL = "https://api.openai.com/v1/chat/completions"
HELD = {"name": "held", "amount": "5000 tokens per day", "reserve": "maximum"}


def configuration(store: str, *limits: dict[str, str], timeout: float = 10.0) -> str:
    return json.dumps({"settings": {"store": store, "store_timeout": timeout}, "limits": limits})


@pytest.fixture(scope="module")
def proxies(module_proxy_factory: ProxyFactory) -> tuple[Proxy, Proxy]:
    one, other = (module_proxy_factory(config=configuration("memory:"), start=False) for _ in range(2))
    return one, other


@pytest.fixture
def pair(proxies: tuple[Proxy, Proxy]) -> tuple[Proxy, Proxy]:
    """Both running, whatever the test before did to them."""
    with ThreadPoolExecutor() as threads:
        # Entering starts what does not run.
        list(threads.map(Proxy.__enter__, proxies))
    return proxies


def reconfigure(proxies: Sequence[Proxy], text: str) -> None:
    starts = [len(proxy.log) for proxy in proxies]
    for proxy in proxies:
        proxy.config_file.write_text(text)
    for proxy, start in zip(proxies, starts, strict=True):
        proxy.wait_log("the changed configuration is in force", start=start)


def client(proxy: Proxy) -> httpx2.Client:
    return Route(proxy=proxy.url, ca_file=proxy.ca_file).http()


async def statuses(proxies: Sequence[Proxy], count: int) -> list[int]:
    """Of requests that are all under way at once, each over a connection of its own."""
    return await asyncio.gather(*(_status(proxies[number % len(proxies)].port) for number in range(count)))


async def _status(port: int) -> int:
    body = b'{"model":"text-embedding-3-small","input":"a"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST http://api.openai.com/v1/embeddings HTTP/1.1\r\nHost: api.openai.com\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'shared.db'}"


STORES: dict[str, Callable[[Path], str]] = {
    "sqlite": sqlite_url,
    **{name: lambda _folder, url=url: url() for name, url in shared.SHAREABLE.items()},  # type: ignore[misc]
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_two_proxies_admit_exactly_what_a_limit_allows(
    pair: tuple[Proxy, Proxy], upstream: Upstream, tmp_path: Path, store: Callable[[Path], str]
) -> None:
    """200 requests at once, half of them to each proxy."""
    limit = {"name": "crowd", "amount": f"{LIMIT} requests per day"}
    reconfigure(pair, configuration(store(tmp_path), limit))

    found = asyncio.run(statuses(pair, CROWD))

    assert found.count(200) == LIMIT
    assert found.count(REFUSED) == CROWD - LIMIT
    assert len(upstream.exchanges) == LIMIT


@pytest.fixture
def expendable(tmp_path: Path) -> Iterator[valkey.Server]:
    with valkey.started(tmp_path) as server:
        yield server


def value(server: valkey.Server) -> int:
    """What the counters of the only limit hold."""
    with server.client() as redis:
        return sum(int(redis.get(key) or 0) for key in redis.keys("{ai-limit}:*"))


def url_of(address: Address) -> str:
    return f"redis://{address}"


def test_a_store_that_hangs_or_dies_costs_its_timeout_once_and_is_met_again(
    pair: tuple[Proxy, Proxy], upstream: Upstream, expendable: valkey.Server
) -> None:
    """Meanwhile requests are counted in the proxy, and the store learns of them."""
    proxy = pair[0]
    limit = {"name": "calls", "amount": "1000 requests per day"}
    reconfigure([proxy], configuration(url_of(expendable.address), limit, timeout=TIMEOUT))
    with client(proxy) as http:

        def seconds() -> float:
            began = time.monotonic()
            assert http.post("https://api.openai.com/v1/embeddings", json={"model": "e", "input": "a"}).is_success
            return time.monotonic() - began

        seconds()
        start = len(proxy.log)
        with expendable.frozen():
            assert TIMEOUT <= seconds() < TIMEOUT + 1
            assert max(seconds() for _ in range(10)) < TIMEOUT / 2
        proxy.wait_log("the store answers again", start=start, timeout=5)
        assert value(expendable) == 12

        start = len(proxy.log)
        expendable.kill()
        assert max(seconds() for _ in range(10)) < TIMEOUT / 2
        expendable.start()
        # All of what was counted before is gone with it; what was counted meanwhile is not.
        valkey.until(lambda: value(expendable) == 10)
        seconds()
        assert value(expendable) == 11
        assert proxy.log[start:].count("the store does not answer") == 0, "it is said once a minute"


KONG = """
_format_version: "3.0"
plugins:
  - name: ai-rate-limiting-advanced
    config:
      strategy: redis
      sync_rate: 0.05
      redis: {host: 127.0.0.1, port: PORT, connect_timeout: 500, send_timeout: 500, read_timeout: 500}
      llm_providers: [{name: openai, limit: [1000], window_size: [31536000]}]
"""


def test_proxies_that_exchange_now_and_then_share_a_limit_and_go_on_without_the_store(
    pair: tuple[Proxy, Proxy], upstream: Upstream, expendable: valkey.Server
) -> None:
    """As Kong does: what is counted while Redis is away reaches it, and the others, afterwards."""
    reconfigure(pair, KONG.replace("PORT", str(expendable.port)))

    def counted() -> int:
        with expendable.client() as redis:
            return sum(int(redis.get(key) or 0) for key in redis.keys("*") if not key.startswith(b"ai-limit."))

    with client(pair[0]) as one, client(pair[1]) as other:

        def spend(http: httpx2.Client) -> int:
            return http.post(URL, json=BODY, headers={"x-test-usage": "prompt=100,completion=100"}).status_code

        assert [spend(one), spend(other)] == [200, 200]
        valkey.until(lambda: counted() == 400)
        with expendable.frozen():
            assert [spend(one), spend(other)] == [200, 200]
        valkey.until(lambda: counted() == 800)
        assert spend(other) == 200
        valkey.until(lambda: counted() == 1000)
        valkey.until(lambda: spend(one) == 429)
        assert spend(other) == 429


def redis_leases_end(_url: str) -> None:
    """As if two minutes had passed: the deadlines in the store are moved, since its clock cannot be."""
    with shared.standalone().client() as redis:
        holds = redis.zrange("ai-limit.holds:{ai-limit}", 0, -1, withscores=True)
        assert len(holds) == 1
        redis.zadd("ai-limit.holds:{ai-limit}", {name: due - 130_000 for name, due in holds})


def postgresql_leases_end(url: str) -> None:
    schema = url.partition("schema=")[2].partition("&")[0]
    moved = f"WITH moved AS (UPDATE {schema}.exchanges SET due = due - 130000 WHERE held RETURNING 1)"
    assert shared.postgresql().run(f"{moved} SELECT count(*) FROM moved") == 1


@pytest.mark.parametrize(
    ("store", "leases_end"),
    [(shared.standalone_url, redis_leases_end), (shared.postgresql_url, postgresql_leases_end)],
    ids=["redis", "postgresql"],
)
def test_a_killed_proxys_reservation_ends_with_its_lease(
    pair: tuple[Proxy, Proxy], upstream: Upstream, store: Callable[[], str], leases_end: Callable[[str], None]
) -> None:
    """Until then the other proxy respects it; afterwards the whole budget but the input is free again."""
    victim, other = pair
    url = store()
    reconfigure(pair, configuration(url, HELD))
    hanging = threading.Thread(target=_post_and_forget, args=(victim,))
    hanging.start()
    upstream.wait_exchange()
    victim.kill()
    hanging.join()
    with client(other) as http:
        assert http.post(URL, json=BODY).status_code == REFUSED
        leases_end(url)
        assert http.post(URL, json=BODY).status_code == 200
        # Its own reservation is settled when the client already has its answer.
        valkey.until(lambda: http.post(URL, json=BODY).status_code == 200)


def _post_and_forget(proxy: Proxy) -> None:
    with client(proxy) as http, pytest.raises(httpx2.HTTPError):
        http.post(URL, json=BODY, headers={"x-test-hang": "1"})
