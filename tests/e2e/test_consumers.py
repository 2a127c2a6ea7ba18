"""A shared proxy: who uses it, by credentials for the proxy, by API keys, or by the word of a trusted peer."""

import socket
from base64 import b64encode
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

CONFIG = """
settings:
  require_consumer: true
  consumers:
    - {name: alice, keys: [sk-alice], password: wonder, groups: [red]}
    - {name: bob, keys: [sk-bob], groups: [blue]}
limits:
  - {name: each, amount: 1 request per day, per: consumer, match: {group: red}}
  - {name: blue, amount: 2 requests per day, match: {group: blue}}
"""
ASK: list[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture(name="proxy", scope="module")
def _proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    return module_proxy_factory(config=CONFIG)


def ask(clients: Clients, proxy: Proxy, key: str, user: str = "") -> int:
    url = proxy.url.replace("http://", f"http://{user}@") if user else proxy.url
    client = clients.openai(Route(proxy=url, ca_file=proxy.ca_file), key)
    try:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    except openai.APIStatusError as refused:
        return refused.status_code
    return 200


def test_limits_follow_consumers_and_their_groups(proxy: Proxy, clients: Clients, upstream: Upstream) -> None:
    assert [ask(clients, proxy, "sk-any", "alice:wonder"), ask(clients, proxy, "sk-alice")] == [200, 429]
    assert [ask(clients, proxy, "sk-bob") for _ in range(3)] == [200, 200, 429]


def test_strangers_are_refused(proxy: Proxy, clients: Clients, upstream: Upstream) -> None:
    assert ask(clients, proxy, "sk-stranger") == 403
    with pytest.raises(openai.APIConnectionError):
        ask(clients, proxy, "sk-alice", "alice:wrong")


def connect(proxy: Proxy, target: str, credentials: str = "") -> bytes:
    shown = f"Proxy-Authorization: Basic {b64encode(credentials.encode()).decode()}\r\n" if credentials else ""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as sent:
        sent.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{shown}\r\n".encode())
        return sent.recv(4096)


def test_tunnels_to_other_hosts_are_for_consumers_only(proxy: Proxy) -> None:
    assert connect(proxy, "example.com:443").startswith(b"HTTP/1.1 407 ")
    assert b"proxy-authenticate: Basic" in connect(proxy, "example.com:443")
    assert connect(proxy, "example.com:443", "alice:wonder").startswith(b"HTTP/1.1 200 ")


def test_plain_requests_to_other_hosts_are_for_consumers_only(proxy: Proxy, upstream: Upstream) -> None:
    with httpx2.Client(proxy=proxy.url) as client:
        assert client.get(f"{upstream.http_url}/anything").status_code == 407
        # Free calls of a provider, and a host that only its port makes a model's.
        assert client.get("http://api.openai.com/v1/models").status_code == 403
    assert connect(proxy, "192.0.2.1:11434").startswith(b"HTTP/1.1 407 ")
    assert not upstream.exchanges


def test_proxy_credentials_go_no_further(proxy: Proxy, clients: Clients, upstream: Upstream) -> None:
    secret = b64encode(b"bob:sk-bob").decode()
    with httpx2.Client(proxy=proxy.url) as client:
        client.get(f"{upstream.http_url}/anything", headers={"proxy-authorization": f"Basic {secret}"})
    assert "proxy-authorization" not in upstream.only.headers
