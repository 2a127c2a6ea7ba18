"""Each published example of Higress's `ai-token-ratelimit` through a real proxy, on a real Redis beside a gateway."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Any

import httpx2
import openai
import pytest
from redis import Redis

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream
from tests.higress.gateway import Gateway
from tests.servers import shared

CONFIGS = Path(__file__).parents[2] / "configs"
CHAT = "https://api.openai.com/v1/chat/completions"
QWEN = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
ASK: list[Any] = [{"role": "user", "content": "hello"}]
START = "higress-token-ratelimit:"
PATIENCE = 10.0


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    """With all examples at once: each looks at something else."""
    examples = [path.read_text() for path in sorted((CONFIGS / "higress").glob("*.yaml"))]
    examples.append("settings: {consumers: [{name: berta, keys: [sk-berta]}]}\n")
    config = "\n---\n".join(examples).replace("127.0.0.1:6379", str(shared.standalone().address))
    proxy = module_proxy_factory(config=config)
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        deadline = time.monotonic() + PATIENCE
        # A proxy that has just started may take longer to connect than a request waits: requests pass meanwhile.
        while "x-ratelimit-limit" not in call(http, url=f"{CHAT}?apikey=warm").headers:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return proxy


@pytest.fixture
def redis() -> Iterator[Redis]:
    shared.standalone_url()
    with shared.standalone().client(decode_responses=True) as client:
        yield client


@pytest.fixture
def http(proxy: Proxy, upstream: Upstream, redis: Redis) -> Iterator[httpx2.Client]:
    """As curl would: no SDK, every header as given."""
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as client:
        yield client


def call(http: httpx2.Client, tokens: int = 15, url: str = CHAT, **headers: str) -> httpx2.Response:
    sent = {
        "x-test-usage": f"prompt={tokens - 5},completion=5",
        **{key.replace("_", "-"): headers[key] for key in headers},
    }
    return http.post(url, json={"model": "gpt-4o", "messages": ASK}, headers=sent)


def wait_for(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def expect(redis: Redis, key: str, value: int) -> None:
    """Waits until a counter has a value: it is booked when the client has its answer already."""
    wait_for(lambda: redis.get(START + key) == str(value))


def refused(response: httpx2.Response, seconds: int) -> None:
    assert (response.status_code, response.text) == (429, "Too many requests")
    assert seconds - 5 <= int(response.headers["x-tokenratelimit-reset"]) <= seconds
    assert seconds - 5 <= int(response.headers["retry-after"]) <= seconds
    assert response.headers["content-type"] == "text/plain"


def test_parameter(http: httpx2.Client, redis: Redis, upstream: Upstream) -> None:
    own = f"{CHAT}?apikey=9a342114-ba8a-11ec-b1bf-00163e1250b5"
    first = call(http, 15, own)
    assert first.status_code == 200
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("10", "10")
    expect(redis, "default_rule:limit_by_param:60:apikey:9a342114-ba8a-11ec-b1bf-00163e1250b5", 15)
    second = call(http, 15, own)
    refused(second, 60)
    assert second.headers["x-ratelimit-remaining"] == "0"
    assert len(upstream.exchanges) == 1
    assert call(http, 15, f"{CHAT}?apikey=b1").status_code == 200
    expect(redis, "default_rule:limit_by_per_param:60:apikey:b1", 15)
    assert call(http, 15, f"{CHAT}?apikey=c%FF").status_code == 200
    wait_for(lambda: redis.exists(f"{START}default_rule:limit_by_per_param:3600:apikey:c".encode() + b"\xff"))
    assert call(http, 15).status_code == 200


def test_header(http: httpx2.Client, redis: Redis, clients: Clients, proxy: Proxy) -> None:
    assert call(http, 11, x_ca_key="102234").status_code == 200
    expect(redis, "default_rule:limit_by_header:60:x-ca-key:102234", 11)
    refused(call(http, x_ca_key="102234"), 60)
    client = clients.openai(Route(proxy=proxy.url, ca_file=proxy.ca_file))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=ASK, extra_headers={"x-ca-key": "102234"})
    assert caught.value.response.headers["x-tokenratelimit-reset"]
    assert client.chat.completions.create(model="gpt-4o", messages=ASK, extra_headers={"x-ca-key": "c"}).usage
    expect(redis, "default_rule:limit_by_per_header:3600:x-ca-key:c", 15)


def test_header_of_a_stream(http: httpx2.Client, redis: Redis, clients: Clients, proxy: Proxy) -> None:
    """Usage is asked of the upstream where the client did not."""
    client = clients.openai(Route(proxy=proxy.url, ca_file=proxy.ca_file))
    headers = {"x-ca-key": "308239", "x-test-usage": "prompt=8,completion=3"}
    list(client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, extra_headers=headers))
    expect(redis, "default_rule:limit_by_header:3600:x-ca-key:308239", 11)
    with pytest.raises(openai.RateLimitError):
        list(client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, extra_headers=headers))


def test_forwarded_address(http: httpx2.Client, redis: Redis) -> None:
    assert call(http, 11, x_forwarded_for="1.1.1.1, 10.0.0.1").status_code == 200
    expect(redis, "default_rule:limit_by_per_ip:86400:from-header-x-forwarded-for:1.1.1.1", 11)
    refused(call(http, x_forwarded_for="1.1.1.1"), 86400)
    assert call(http, 101, x_forwarded_for="1.1.1.2").status_code == 200
    expect(redis, "default_rule:limit_by_per_ip:86400:from-header-x-forwarded-for:1.1.1.2", 101)
    refused(call(http, x_forwarded_for="1.1.1.2:99"), 86400)
    assert call(http, 15, x_forwarded_for="[2001:DB8::1]:1").status_code == 200
    expect(redis, "default_rule:limit_by_per_ip:86400:from-header-x-forwarded-for:2001:db8::1", 15)
    assert call(http, 15, x_forwarded_for="unknown").status_code == 200


def test_consumer(http: httpx2.Client, redis: Redis) -> None:
    assert call(http, 101, x_mse_consumer="consumer2").status_code == 200
    expect(redis, "default_rule:limit_by_consumer:3600:x-mse-consumer:consumer2", 101)
    refused(call(http, x_mse_consumer="consumer2"), 3600)
    assert call(http, 101, x_mse_consumer="bob").status_code == 200
    expect(redis, "default_rule:limit_by_per_consumer:60:x-mse-consumer:bob", 101)
    refused(call(http, x_mse_consumer="bob"), 60)
    assert call(http, 15, x_mse_consumer="carol").status_code == 200


def test_consumer_by_a_key_of_the_settings(http: httpx2.Client, redis: Redis, clients: Clients, proxy: Proxy) -> None:
    """Whatever the client calls itself."""
    assert call(http, 101, authorization="Bearer sk-berta", x_mse_consumer="carol").status_code == 200
    expect(redis, "default_rule:limit_by_per_consumer:60:x-mse-consumer:berta", 101)
    client = clients.openai(Route(proxy=proxy.url, ca_file=proxy.ca_file), "sk-berta")
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="gpt-4o", messages=ASK)


def test_cookie(http: httpx2.Client, redis: Redis) -> None:
    assert call(http, 11, cookie="other=1; key1=value1").status_code == 200
    expect(redis, "default_rule:limit_by_cookie:60:key1:value1", 11)
    found = call(http, cookie="key1=value1")
    assert (found.status_code, found.json()) == (200, {"code": -1, "msg": "Too many requests"})
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-tokenratelimit-reset"]


def test_global(http: httpx2.Client, redis: Redis) -> None:
    assert call(http, 1000).status_code == 200
    expect(redis, "routeA-global-limit-rule:global_threshold:60", 1000)
    assert call(http, 15).status_code == 200
    expect(redis, "routeA-global-limit-rule:global_threshold:60", 1015)
    refused(call(http), 60)


def test_overlay(http: httpx2.Client, redis: Redis) -> None:
    assert call(http, 101, x_team="core", x_project="trial").status_code == 200
    for rest in ("global_threshold:60", "limit_by_per_header:60:x-team:core", "limit_by_header:86400:x-project:trial"):
        expect(redis, f"{{overlaid}}:{rest}", 101)
    refused(call(http, x_team="core", x_project="trial"), 86400)
    assert call(http, x_team="core").status_code == 200


def test_wasmplugin_for_qwen(http: httpx2.Client, redis: Redis, clients: Clients, proxy: Proxy) -> None:
    url = f"{QWEN}?apikey=123456"
    assert call(http, 201, url).status_code == 200
    expect(redis, "default_limit_by_param_apikey:limit_by_param:60:apikey:123456", 201)
    refused(call(http, 15, url), 60)
    # The rule for Qwen takes its requests, also those that it does not limit.
    assert call(http, 15, QWEN).status_code == 200
    assert redis.exists(f"{START}others:global_threshold:3600") == 0
    other = QWEN.replace("dashscope", "dashscope-intl")
    assert call(http, 501, other).status_code == 200
    expect(redis, "others:global_threshold:3600", 501)
    refused(call(http, 15, other), 3600)


def test_a_gateway_beside_shares_the_budget(http: httpx2.Client, redis: Redis) -> None:
    key = f"{START}default_rule:limit_by_header:60:x-ca-key:102234"
    gateway = Gateway(redis, key, limit=10, window=60)
    gateway.response(10)
    assert call(http, 6, x_ca_key="102234").status_code == 200
    expect(redis, "default_rule:limit_by_header:60:x-ca-key:102234", 16)
    assert not gateway.request().admitted
    refused(call(http, x_ca_key="102234"), 60)


@pytest.mark.skipif(which("curl") is None, reason="needs curl")
def test_with_curl(http: httpx2.Client, redis: Redis, proxy: Proxy) -> None:
    sent = ("content-type: application/json", "x-test-usage: prompt=100,completion=1")
    command = ["curl", "-si", "-x", proxy.url, "--cacert", str(proxy.ca_file), f"{CHAT}?apikey=b2"]
    command += [part for field in sent for part in ("-H", field)]
    command += ["-d", '{"model": "gpt-4o", "messages": []}']

    def answer() -> str:
        """Over HTTP/2, after the answer to CONNECT."""
        ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return ran.stdout.partition("\n\n")[2].lower()

    assert answer().startswith("http/2 200")
    expect(redis, "default_rule:limit_by_per_param:60:apikey:b2", 101)
    refusal = answer()
    assert refusal.startswith("http/2 429")
    assert "x-tokenratelimit-reset: " in refusal
    assert refusal.endswith("\n\ntoo many requests")
