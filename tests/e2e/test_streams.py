"""Streams pass as they come, byte for byte, and are charged for however they end."""

import json
import time
from typing import Any

import httpx2
import pytest

from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

CHAT = "https://api.openai.com/v1/chat/completions"
MESSAGES = "https://api.anthropic.com/v1/messages"
GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent"
ASK: list[Any] = [{"role": "user", "content": "hello"}]
OPENAI_BODY = {"model": "gpt-4o-mini", "messages": ASK, "stream": True, "max_tokens": 500}
CLAUDE_BODY = {"model": "claude-sonnet-5", "max_tokens": 500, "messages": ASK, "stream": True}
GEMINI_BODY = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
CONFIG = """
limits:
  - {name: calls, amount: 1000 requests per day}
  - {name: input, amount: 1M prompt tokens per day}
  - {name: output, amount: 1M completion tokens per day}
  - {name: held, amount: 9M tokens per day, reserve: maximum}
"""
BODIES = [
    pytest.param(CHAT, {**OPENAI_BODY, "stream_options": {"include_usage": True}}, id="openai"),
    pytest.param(MESSAGES, CLAUDE_BODY, id="anthropic"),
    pytest.param(f"{GEMINI}?alt=sse", GEMINI_BODY, id="gemini-sse"),
    pytest.param(GEMINI, GEMINI_BODY, id="gemini-array"),
]


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    return module_proxy_factory(config=CONFIG)


@pytest.fixture
def http(proxy: Proxy, clients: Clients, upstream: Upstream) -> httpx2.Client:
    return clients.http(Route(proxy=proxy.url, ca_file=proxy.ca_file))


@pytest.fixture
def direct(clients: Clients, upstream: Upstream) -> httpx2.Client:
    return clients.http(Route(ca_file=upstream.ca_file))


def _raw(http: httpx2.Client, url: str, body: dict[str, Any], headers: dict[str, str]) -> bytes:
    with http.stream("POST", url, json=body, headers=headers) as response:
        return b"".join(response.iter_raw())


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br", "zstd"])
@pytest.mark.parametrize(("url", "body"), BODIES)
def test_bytes_pass_unchanged_in_every_coding(
    url: str,
    body: dict[str, Any],
    encoding: str,
    http: httpx2.Client,
    direct: httpx2.Client,
    upstream: Upstream,
    proxy: Proxy,
) -> None:
    behaviour = Behaviour(usage=Tokens(prompt=50, completion=40), encoding="" if encoding == "identity" else encoding)
    upstream.behaviour = behaviour
    headers = {"accept-encoding": encoding, "x-test-chunks": "5"}
    host, _, path = url.removeprefix("https://").partition("/")
    expected = _raw(direct, f"{upstream.https_url}/{path}", body, {**headers, "host": host})
    upstream.reset()  # ids count requests
    upstream.behaviour = behaviour
    counters = Counters(proxy)

    found = _raw(http, url, body, headers)

    assert expected == found
    counters.expect(calls=1, input=50, output=40, held=90)


def test_usage_is_asked_for_and_taken_out_again(http: httpx2.Client, upstream: Upstream, proxy: Proxy) -> None:
    upstream.behaviour = Behaviour(usage=Tokens(prompt=50, completion=40))
    counters = Counters(proxy)
    text = json.dumps(OPENAI_BODY).replace('"gpt-4o-mini"', '"gpt-4o-mini",  "temperature": 1.0e0')

    with http.stream("POST", CHAT, content=text.encode(), headers={"content-type": "application/json"}) as response:
        events = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]

    assert all(event["choices"] for event in events), "the extra event is not for the client"
    sent = upstream.only.body.decode()
    assert json.loads(sent)["stream_options"] == {"include_usage": True}
    assert '"gpt-4o-mini",  "temperature": 1.0e0' in sent, "the rest of the body is sent as it came"
    counters.expect(calls=1, input=50, output=40, held=90)


def test_the_first_chunk_leaves_before_the_second_comes(http: httpx2.Client, upstream: Upstream) -> None:
    upstream.behaviour = Behaviour(hold_after=1, chunks=5)
    with http.stream("POST", MESSAGES, json=CLAUDE_BODY) as response:
        pieces = response.iter_raw()
        assert b"message_start" in next(pieces), "while the upstream still holds the rest back"
        upstream.only.release()
        rest = b"".join(pieces)

    assert b"message_stop" in rest


@pytest.mark.parametrize(("url", "body"), BODIES)
def test_a_client_that_leaves_is_charged_for_what_was_produced(
    url: str, body: dict[str, Any], http: httpx2.Client, upstream: Upstream, proxy: Proxy
) -> None:
    upstream.behaviour = Behaviour(usage=Tokens(prompt=50, completion=400), hold_after=8, chunks=200)
    counters = Counters(proxy)
    with http.stream("POST", url, json=body) as response:
        next(response.iter_raw())
    upstream.only.wait_end("gone")

    _until(lambda: counters.grown("output") > 0)
    counters.expect(calls=1)
    assert 0 < counters.grown("input") <= 60
    assert 0 < counters.grown("output") < 1100
    assert counters.grown("held") == counters.grown("input") + counters.grown("output"), "the hold was settled"


@pytest.mark.parametrize(("url", "body"), BODIES)
def test_a_stream_that_the_upstream_cuts_is_charged_for_what_was_produced(
    url: str, body: dict[str, Any], http: httpx2.Client, upstream: Upstream, proxy: Proxy
) -> None:
    upstream.behaviour = Behaviour(usage=Tokens(prompt=50, completion=400), cut_after=12, chunks=200)
    counters = Counters(proxy)
    with pytest.raises(httpx2.HTTPError), http.stream("POST", url, json=body) as response:
        for _ in response.iter_raw():
            pass

    _until(lambda: counters.grown("output") > 0)
    assert 0 < counters.grown("output") < 1100
    assert counters.grown("held") == counters.grown("input") + counters.grown("output"), "the hold was settled"


def test_a_client_that_leaves_before_the_answer_is_charged_an_estimate(
    http: httpx2.Client, upstream: Upstream, proxy: Proxy, clients: Clients
) -> None:
    counters = Counters(proxy)
    impatient = httpx2.Timeout(30, read=0.5)
    body = {**OPENAI_BODY, "stream": False}
    with pytest.raises(httpx2.ReadTimeout):
        http.post(CHAT, json=body, headers={"x-test-hang": "1"}, timeout=impatient)
    upstream.only.wait_end("gone")

    _until(lambda: counters.grown("output") > 0)
    assert counters.grown("output") == 500, "no more than the request allows"


def test_an_answer_without_usage_is_estimated_and_said(http: httpx2.Client, upstream: Upstream, proxy: Proxy) -> None:
    counters = Counters(proxy)
    start = len(proxy.log)
    http.post(CHAT, json={**OPENAI_BODY, "stream": False}, headers={"x-test-usage": "none"}).raise_for_status()

    _until(lambda: counters.grown("output") > 0)
    assert counters.grown("input") > 0
    assert proxy.wait_log("openai chat answered without usage, an estimate of", start=start)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_an_error_of_the_provider_costs_no_tokens_and_passes_as_it_is(
    status: int, http: httpx2.Client, upstream: Upstream, proxy: Proxy
) -> None:
    counters = Counters(proxy)
    response = http.post(CHAT, json=OPENAI_BODY, headers={"x-test-status": str(status)})

    assert status == response.status_code
    assert "error" in response.json()
    counters.expect(calls=1, input=0, output=0, held=0)


def test_what_never_reached_the_upstream_is_given_back(proxy_factory: ProxyFactory, clients: Clients) -> None:
    config = "settings: {providers: [{host: '127.0.0.1:9', provider: openai}]}\n---\n" + CONFIG
    proxy = proxy_factory(config=config, mode="reverse:http://127.0.0.1:9")
    counters = Counters(proxy)
    response = clients.http(Route(base=proxy.url)).post(f"{proxy.url}/v1/chat/completions", json=OPENAI_BODY)

    assert response.status_code == 502
    counters.expect(calls=0, input=0, output=0, held=0)


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_free_endpoints_are_not_counted(http: httpx2.Client, upstream: Upstream, proxy: Proxy) -> None:
    counters = Counters(proxy)
    http.get("https://api.openai.com/v1/models")
    http.post("https://api.anthropic.com/v1/messages/count_tokens", json=CLAUDE_BODY)

    assert len(upstream.exchanges) == 2
    counters.expect(calls=0)
