"""Hosts of the user's own, mapped in the settings: Llama 2 in each of its formats, and what is no model at all."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from limiter.usage.tokens import of_output
from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

LLAMA = "http://llama.example"
FILES = "http://files.example"
ASK: list[Any] = [{"role": "user", "content": "hello"}]
CONFIG = """
settings:
  providers:
    - {host: llama.example, provider: llama2}
    - {host: files.example, provider: other}
  prices: [{model: "*", provider: llama2, input: 1, output: 2}]
---
limits:
  - {name: calls, amount: 1000 requests per day}
  - {name: input, amount: 1M prompt tokens per day}
  - {name: output, amount: 1M completion tokens per day}
  - {name: held, amount: 90M tokens per day, reserve: maximum}
  - {name: money, amount: $100 per day, reserve: estimate}
  - {name: few, amount: 2 requests per day, match: {provider: other, "header:x-team": few}}
"""


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    return module_proxy_factory(config=CONFIG)


@pytest.fixture
def route(proxy: Proxy) -> Route:
    return Route(proxy=proxy.url, ca_file=proxy.ca_file)


def openai(clients: Clients, route: Route) -> Any:
    client = clients.openai(Route(proxy=route.proxy, ca_file=route.ca_file, base=LLAMA))
    return client.chat.completions.create(model="llama2", messages=ASK).choices[0].message.content


def openai_stream(clients: Clients, route: Route) -> Any:
    client = clients.openai(Route(proxy=route.proxy, ca_file=route.ca_file, base=LLAMA))
    stream = client.chat.completions.create(model="llama2", messages=ASK, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def ollama(clients: Clients, route: Route) -> Any:
    return clients.ollama(route, LLAMA).chat("llama2", messages=ASK).message.content


def ollama_stream(clients: Clients, route: Route) -> Any:
    return "".join(part.response for part in clients.ollama(route, LLAMA).generate("llama2", "hello", stream=True))


def raw(clients: Clients, route: Route) -> Any:
    client = clients.huggingface(route, model=f"{LLAMA}/generate")
    return client.text_generation("hello", details=True).generated_text


def raw_stream(clients: Clients, route: Route) -> Any:
    client = clients.huggingface(route, model=f"{LLAMA}/generate_stream")
    return [part.token.text for part in client.text_generation("hello", details=True, stream=True)]


@pytest.mark.parametrize("call", [openai, openai_stream, ollama, ollama_stream, raw, raw_stream])
def test_llama_2_is_counted_in_each_of_its_formats(
    call: Callable[[Clients, Route], Any], clients: Clients, route: Route, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.behaviour = Behaviour(usage=Tokens(prompt=120, completion=34))
    counters = Counters(proxy)

    assert call(clients, route)

    # At $1 and $2 a million.
    counters.expect(calls=1, input=120, output=34, held=154, money=188_000)


def test_generated_text_without_counts_is_estimated(
    clients: Clients, route: Route, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.behaviour = Behaviour(usage=None)
    counters = Counters(proxy)

    text = clients.huggingface(route, model=f"{LLAMA}/generate").text_generation("hello")

    counters.expect(calls=1, output=of_output("llama2", "", text))
    assert counters.grown("input") > 0
    counters.expect(held=counters.grown("input") + counters.grown("output"))


def test_requests_to_what_is_no_model_count_and_nothing_else(
    clients: Clients, route: Route, proxy: Proxy, upstream: Upstream
) -> None:
    """Any path under any method; even the form of a chat is none there."""
    http: httpx2.Client = clients.http(route)
    counters = Counters(proxy)

    page = http.get(f"{FILES}/a/b?c=d").text
    assert http.delete(f"{FILES}/v1/models").status_code == 200
    chat = http.post(f"{FILES}/v1/chat/completions", json={"model": "gpt-4o", "messages": ASK, "max_tokens": 9}).json()

    assert page.startswith("GET files.example/a/b")
    assert chat["usage"]["total_tokens"] > 0
    counters.expect(calls=3, input=0, output=0, held=0, money=0)
    assert "other other answered without usage" not in proxy.log


def test_a_limit_of_requests_refuses_them(clients: Clients, route: Route, upstream: Upstream) -> None:
    http: httpx2.Client = clients.http(route)
    answers = [http.get(f"{FILES}/x", headers={"x-team": "few"}) for _ in range(3)]
    assert [answer.is_success for answer in answers] == [True, True, False]
    assert 'limit "few" reached' in answers[2].json()["error"]["message"]
