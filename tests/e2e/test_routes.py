"""Every way to the proxy is metered, and what is no LLM host is left alone."""

import socket
import ssl
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

EMBED = {"model": "text-embedding-3-small", "input": "a"}
URL = "https://api.openai.com/v1/embeddings"
CONFIG = "limits: [{name: calls, amount: 2 requests per day}, {name: all, amount: 1M tokens per day}]"
ASK: list[Any] = [{"role": "user", "content": "hello"}]


def embed(http: httpx2.Client, url: str = URL, **headers: str) -> int:
    return http.post(url, json=EMBED, headers=headers).status_code


def test_with_no_configuration_the_default_caps_dollars(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    proxy = proxy_factory()
    counters = Counters(proxy)
    clients.openai(Route(proxy=proxy.url, ca_file=proxy.ca_file)).chat.completions.create(model="gpt-4o", messages=ASK)

    # 10 input and 5 output tokens at $2.50 and $10 a million.
    counters.expect(daily=75_000, monthly=75_000)


def test_connect_and_absolute_form(proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream) -> None:
    proxy = proxy_factory(config=CONFIG)
    http = clients.http(Route(proxy=proxy.url, ca_file=proxy.ca_file))

    assert [
        embed(http),
        embed(http, "http://api.openai.com/v1/embeddings"),
        embed(http, "http://api.openai.com/v1/embeddings"),
    ] == [200, 200, 400]
    assert [exchange.secure for exchange in upstream.exchanges] == [True, False]


def test_reverse_mode_is_a_base_url(proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream) -> None:
    host = upstream.http_url.removeprefix("http://")
    settings = f"settings: {{providers: [{{host: '{host}', provider: openai}}]}}\n---\n"
    proxy = proxy_factory(config=settings + CONFIG, mode=f"reverse:{upstream.http_url}")
    client = clients.openai(Route(base=proxy.url))

    for _ in range(2):
        assert client.chat.completions.create(model="gpt-4o-mini", messages=ASK).choices
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert len(upstream.exchanges) == 2


def test_upstream_mode_meters_on_the_way_to_a_parent_proxy(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    proxy = proxy_factory(config=CONFIG, mode=f"upstream:{upstream.http_url}")
    http = clients.http(Route(proxy=proxy.url, ca_file=proxy.ca_file))

    assert [embed(http) for _ in range(3)] == [200, 200, 400]
    assert {"api.openai.com:443"} == set(upstream.connects)


def test_tls_of_other_hosts_passes_with_its_own_certificate(proxy: Proxy, upstream: Upstream) -> None:
    assert "api.openai.com" in _names(proxy, "api.openai.com", trust=str(proxy.ca_file))
    trust = ssl.create_default_context(cafile=str(upstream.ca_file))
    with _tunnel(proxy, "example.com") as tunnel, trust.wrap_socket(tunnel, server_hostname="example.com") as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        assert tls.recv(12).startswith(b"HTTP/1.1 ")


def test_a_known_name_is_opened_even_when_dialled_by_address(proxy: Proxy) -> None:
    with _tunnel(proxy, "192.0.2.1") as tunnel:
        trust = ssl.create_default_context(cafile=str(proxy.ca_file))
        with trust.wrap_socket(tunnel, server_hostname="api.openai.com") as tls:
            assert tls.version()


def _tunnel(proxy: Proxy, host: str) -> socket.socket:
    tunnel = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
    tunnel.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert b" 200 " in tunnel.recv(4096)
    return tunnel


def _names(proxy: Proxy, host: str, trust: str) -> str:
    context = ssl.create_default_context(cafile=trust)
    with _tunnel(proxy, host) as tunnel, context.wrap_socket(tunnel, server_hostname=host) as tls:
        return str(tls.getpeercert())


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    """Trusts its loopback peer; each way of telling clients apart has its own limit."""
    config = """
settings:
  trusted_peers: ["127.0.0.0/8"]
  rate_limit_headers: false
limits:
  - {name: by-key, amount: 1 request per day, per: credential, match: {"header:x-by": key}}
  - {name: by-ip, amount: 1 request per day, per: ip, match: {"header:x-by": ip}}
  - {name: by-header, amount: 1 request per day, per: "header:x-team", match: {"header:x-by": header}}
  - {name: by-two, amount: 1 request per day, per: [model, client], match: {"header:x-by": two}}
"""
    return module_proxy_factory(config=config)


@pytest.fixture
def http(proxy: Proxy, clients: Clients, upstream: Upstream) -> httpx2.Client:
    return clients.http(Route(proxy=proxy.url, ca_file=proxy.ca_file))


def test_credentials_have_their_own_counters_and_are_kept_as_digests(http: httpx2.Client, proxy: Proxy) -> None:
    first, second = "Bearer sk-secret-one", "Bearer sk-secret-two"

    assert [embed(http, authorization=key, **{"x-by": "key"}) for key in (first, first, second, second)] == [
        200,
        400,
        200,
        400,
    ]

    everything = b"".join(path.read_bytes() for path in proxy.data_dir.iterdir()) + proxy.log.encode()
    assert b"by-key" in everything
    assert b"sk-secret" not in everything


def test_forwarded_addresses_count_from_a_trusted_peer(http: httpx2.Client) -> None:
    way = {"x-by": "ip", "x-forwarded-for": "203.0.113.7"}

    assert [
        embed(http, **way),
        embed(http, **way),
        embed(http, **{**way, "x-forwarded-for": "203.0.113.8"}),
    ] == [200, 400, 200]


def test_headers_and_compound_keys(http: httpx2.Client) -> None:
    assert [embed(http, **{"x-by": "header", "x-team": team}) for team in ("a", "b", "a")] == [200, 200, 400]
    agents = ("openai/python 3", "claude-cli/2", "openai/python 3")
    assert [embed(http, **{"x-by": "two", "user-agent": agent}) for agent in agents] == [200, 200, 429]


def test_the_ietf_fields_can_be_switched_off(http: httpx2.Client) -> None:
    response = http.post(URL, json=EMBED, headers={"x-by": "header", "x-team": "quiet"})

    assert response.status_code == 200
    assert "ratelimit" not in response.headers


def test_forwarded_addresses_of_others_do_not_count_and_proxy_users_are_consumers(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    config = """
limits:
  - {name: by-ip, amount: 1 request per day, per: ip, match: {"header:x-by": ip}}
  - {name: by-user, amount: 1 request per day, per: consumer, match: {"header:x-by": user}}
"""
    proxy = proxy_factory(config=config, args=("--proxyauth", "any"))

    def user(name: str) -> httpx2.Client:
        url = proxy.url.replace("http://", f"http://{name}:pw@")
        return clients.http(Route(proxy=url, ca_file=proxy.ca_file))

    alice, bob = user("alice"), user("bob")
    assert [embed(who, **{"x-by": "user"}) for who in (alice, alice, bob)] == [200, 400, 200]
    spoof = [{"x-by": "ip", "x-forwarded-for": f"203.0.113.{number}"} for number in (1, 2)]
    assert [embed(alice, **headers) for headers in spoof] == [200, 400]


def test_an_unknown_price_blocks_where_it_is_told_to(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    config = """
settings: {on_unknown_price: block, prices: [{model: "mine-*", input: 1, output: 2}]}
limits: [{name: money, amount: $5 per day}]
"""
    proxy = proxy_factory(config=config)
    counters = Counters(proxy)
    client = clients.openai(Route(proxy=proxy.url, ca_file=proxy.ca_file))
    with pytest.raises(openai.PermissionDeniedError, match="price of model"):
        client.chat.completions.create(model="nobody-knows-this", messages=ASK)
    assert not upstream.exchanges

    client.chat.completions.create(model="mine-1", messages=ASK)

    # 10 input and 5 output tokens at $1 and $2 a million.
    counters.expect(money=20_000)


def _raw(proxy: Proxy, target: str, body: bytes = b'{"model":"m"}', *headers: str) -> int:
    """The status of a request whose target nobody has put in order."""
    lines = [
        f"POST http://{target} HTTP/1.1",
        f"Host: {target.partition('/')[0]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    "target",
    [
        "x.openai.azure.com/OpenAI/deployments/gpt-4o/Chat/Completions",
        "us-east1-aiplatform.googleapis.com/v1/publishers/google/%6dodels/g:generateContent",
        "api.openai.com/v1/vector_stores/../chat/complet%69ons",
        "api.openai.com/v1/x/%2e%2e/files",
        "api.cloudflare.com/client/v4/accounts/a/%61i/run/m",
        "api.openai.com/v1/batches",
        "api.anthropic.com/v1/messages/batches",
        "chatgpt.com/backend-api/codex/responses",
        "cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse",
    ],
)
def test_no_other_spelling_and_no_other_door_passes_a_spent_budget(
    spent: Proxy, upstream: Upstream, target: str
) -> None:
    assert _raw(spent, target) in (400, 402, 403, 429)
    assert not upstream.exchanges


@pytest.mark.parametrize(
    "target",
    [
        "api.anthropic.com/api/event_logging/batch",
        "api.openai.com/v1/moderations",
        "api.openai.com//v1/files/",
        "chatgpt.com/backend-api/conversation",
    ],
)
def test_what_costs_nothing_passes_a_spent_budget(spent: Proxy, upstream: Upstream, target: str) -> None:
    assert _raw(spent, target) == 200
    assert upstream.only


@pytest.fixture(scope="module", name="spent")
def _spent(module_proxy_factory: ProxyFactory) -> Proxy:
    settings = "settings: {providers: [{host: chatgpt.com, provider: codex}]}\n"
    return module_proxy_factory(config=settings + "limits: [{name: calls, amount: 0 requests per day}]")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("api.openai.com/v1/embeddings", b'{"model":"dear"}'),
        ("api.openai.com./v1/embeddings", b'{"model":"dear"}'),
        ("API.openai.com//v1/embeddings/", b'{"model":"dear"}'),
        ("api.openai.com/v1/%65mbeddings", b'{"model":"dear"}'),
        ("api.openai.com/v1/embeddings", '{"model":"dear"}'.encode("utf-16")),
        ("r.openai.azure.com/openai/deployments/DEAR/embeddings", b"{}"),
    ],
)
def test_limits_that_match_are_met_under_any_spelling(
    proxy_factory: ProxyFactory, upstream: Upstream, target: str, body: bytes
) -> None:
    match = "{host: [api.openai.com, r.openai.azure.com], path: ['/v1/embeddings', '*/dear/embeddings'], model: dear}"
    proxy = proxy_factory(config=f"limits: [{{name: dear, amount: 0 requests per day, match: {match}}}]")
    assert _raw(proxy, target, body) in (400, 429)
    assert not upstream.exchanges


def test_telemetry_and_unknown_paths_are_not_charged_by_their_length(
    proxy_factory: ProxyFactory, upstream: Upstream
) -> None:
    proxy = proxy_factory(config="limits: [{name: all, amount: 1M tokens per day}]")
    counters = Counters(proxy)
    for path in ("api/event_logging/batch", "v9/new", "v1/messages/batches"):
        assert _raw(proxy, f"api.anthropic.com/{path}") == 200
    assert _raw(proxy, "api.openai.com/v1/embeddings") == 200
    counters.expect(all=10)
    assert "without usage" not in proxy.log
