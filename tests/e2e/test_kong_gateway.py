"""Kong's services, routes and consumers in front of providers: one proxy that serves several behind base paths."""

from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

GATEWAY = """
_format_version: "3.0"
services:
  - name: models
    url: {upstream}/base
    routes:
      - {{name: by-path, paths: [/openai]}}
      - {{name: by-pattern, paths: ["~/v\\\\d+/models$"], methods: [GET], strip_path: false}}
  - name: provider
    url: https://api.openai.com
    routes:
      - {{name: by-host, hosts: [llm.example], preserve_host: false}}
consumers:
  - username: alice
    keyauth_credentials: [{{key: alice-key}}]
    basicauth_credentials: [{{username: alice, password: wonder}}]
  - {{username: bob, custom_id: b-7, keyauth_credentials: [{{key: bob-key}}]}}
plugins:
  - name: key-auth
    config: {{hide_credentials: true}}
---
settings:
  providers: [{{host: "{host}", provider: openai}}]
limits:
  - {{name: each, amount: 2 requests per day, per: [consumer, service, route]}}
"""
ASK: list[Any] = [{"role": "user", "content": "hi"}]


def config(upstream: Upstream) -> str:
    return GATEWAY.format(upstream=upstream.http_url, host=upstream.http_url.removeprefix("http://"))


@pytest.fixture(name="gateway", scope="module")
def _gateway(module_proxy_factory: ProxyFactory, shared_upstream: Upstream) -> Proxy:
    return module_proxy_factory(config=config(shared_upstream), mode=f"reverse:{shared_upstream.http_url}")


def chat(clients: Clients, base: str, **headers: str) -> int:
    client = clients.openai(Route(base=base)).with_options(default_headers=headers)
    try:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    except openai.APIStatusError as refused:
        return refused.status_code
    return 200


def test_a_route_leads_to_its_service_below_its_path(gateway: Proxy, clients: Clients, upstream: Upstream) -> None:
    assert chat(clients, f"{gateway.url}/openai", apikey="alice-key") == 200
    sent = upstream.only
    assert sent.path == "/base/v1/chat/completions"
    assert sent.headers["host"] == upstream.http_url.removeprefix("http://")


def test_the_upstream_learns_the_consumer_and_not_the_key(gateway: Proxy, clients: Clients, upstream: Upstream) -> None:
    assert chat(clients, f"{gateway.url}/openai", apikey="bob-key", **{"x-consumer-username": "alice"}) == 200
    sent = upstream.only.headers
    assert (sent["x-consumer-username"], sent["x-consumer-custom-id"]) == ("bob", "b-7")
    assert "apikey" not in sent


def test_limits_know_consumer_service_and_route(gateway: Proxy, clients: Clients, upstream: Upstream) -> None:
    def ask(key: str) -> int:
        headers = {"apikey": key, "host": "llm.example"}
        url = f"{gateway.url}/v1/chat/completions"
        return httpx2.post(url, headers=headers, json={"model": "gpt-4o-mini", "messages": ASK}).status_code

    assert [ask("alice-key") for _ in range(3)] == [200, 200, 400]
    assert {exchange.headers["host"] for exchange in upstream.exchanges} == {"api.openai.com"}
    assert ask("bob-key") == 200


def test_who_shows_no_key_is_told_so(gateway: Proxy, upstream: Upstream) -> None:
    refused = httpx2.post(f"{gateway.url}/openai/chat/completions", json={"model": "gpt-4o-mini", "messages": ASK})
    assert (refused.status_code, refused.json()) == (401, {"message": "No API key found in request"})
    assert refused.headers["www-authenticate"] == "Key"
    wrong = httpx2.get(f"{gateway.url}/v1/models?apikey=nope")
    assert (wrong.status_code, wrong.json()) == (401, {"message": "Unauthorized"})
    assert not upstream.exchanges


def test_keys_in_the_query_are_hidden(gateway: Proxy, upstream: Upstream) -> None:
    assert httpx2.get(f"{gateway.url}/v1/models?a=1&apikey=bob-key&b=%20").status_code == 200
    assert upstream.only.target == "/base/v1/models?a=1&b=%20"


def test_where_no_route_leads_nothing_goes(gateway: Proxy, upstream: Upstream) -> None:
    refused = httpx2.get(f"{gateway.url}/nowhere", headers={"apikey": "bob-key"})
    assert (refused.status_code, refused.json()) == (404, {"message": "no Route matched with those values"})
    assert not upstream.exchanges


def test_a_forward_proxy_knows_the_service_by_where_a_request_goes(
    proxy_factory: ProxyFactory, clients: Clients, shared_upstream: Upstream, upstream: Upstream
) -> None:
    limits = """
---
limits: [{name: provider, amount: 1 request per day, match: {consumer: alice}, per: [service]}]
"""
    text = config(shared_upstream).split("plugins:")[0] + limits
    proxy = proxy_factory(config=text)
    url = proxy.url.replace("http://", "http://alice:wonder@")
    client = clients.openai(Route(proxy=url, ca_file=proxy.ca_file))
    client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
