"""Work in the background is counted once, however often and by whom its result is read."""

import time

import httpx2
import pytest

from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

CONFIG = """
limits:
  - {name: calls, amount: 1000 requests per day}
  - {name: all, amount: 1M tokens per day}
  - {name: held, amount: 90M tokens per day, reserve: maximum}
  - {name: mini, amount: 1M tokens per day, match: {model: gpt-5-mini}}
  - {name: small, amount: 100 tokens per day, match: {"header:x-team": small}}
"""
URL = "https://api.openai.com/v1/responses"
ASK = {"model": "gpt-5-mini", "input": "hello", "background": True}
TOKENS = Tokens(prompt=120, completion=34)


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    return module_proxy_factory(config=CONFIG)


@pytest.fixture
def http(proxy: Proxy, upstream: Upstream, clients: Clients) -> httpx2.Client:
    upstream.behaviour = Behaviour(usage=TOKENS)
    return clients.http(Route(proxy=proxy.url, ca_file=proxy.ca_file))


@pytest.fixture
def counters(proxy: Proxy) -> Counters:
    return Counters(proxy)


def start(http: httpx2.Client, **more: object) -> str:
    """Starts work; the id of the response."""
    answer = http.post(URL, json={**ASK, **more})
    answer.raise_for_status()
    return str(answer.json()["id"])


def poll(http: httpx2.Client, id: str, state: str = "", **query: str) -> httpx2.Response:
    answer = http.get(f"{URL}/{id}{state}", params=query)
    answer.raise_for_status()
    return answer


def test_five_polls_count_once(http: httpx2.Client, counters: Counters, proxy: Proxy) -> None:
    response = http.post(URL, json=ASK, headers={"x-test-model": "gpt-5-mini"}).json()
    assert (response["status"], response["usage"]) == ("queued", None)
    counters.expect(calls=1, all=0)
    assert counters.grown("held") > 1000, "the hold stands until the usage is known"
    for _ in range(3):
        assert poll(http, response["id"], "_queued").json()["usage"] is None
    for _ in range(5):
        assert poll(http, response["id"]).json()["usage"]["total_tokens"] == 154

    counters.expect(calls=1, all=154, held=154, mini=154)
    assert "without usage" not in proxy.log


def test_streams_of_it_count_with_the_polls(http: httpx2.Client, counters: Counters) -> None:
    for _ in range(2):
        stream = poll(http, "resp_streamed", stream="true", starting_after="2")
        assert "response.completed" in stream.text
    poll(http, "resp_streamed")

    counters.expect(calls=0, all=154, held=154)


def test_a_stream_that_was_started_in_the_background_counts_once(http: httpx2.Client, counters: Counters) -> None:
    # The numbers of earlier requests are taken.
    for _ in range(3):
        http.get("https://api.openai.com/v1/models")
    text = http.post(URL, json={**ASK, "stream": True}).text
    assert "response.completed" in text
    counters.expect(calls=1, all=154, held=154)
    poll(http, "resp_4")
    poll(http, "resp_4", stream="true", starting_after="1")
    counters.expect(calls=1, all=154, held=154)


def test_a_result_that_was_not_made_in_the_background_was_counted_by_its_request(
    http: httpx2.Client, counters: Counters
) -> None:
    poll(http, "resp_plain")
    counters.expect(calls=0, all=0)


def test_a_restart_between_the_polls_changes_nothing(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    upstream.behaviour = Behaviour(usage=TOKENS, model="gpt-5-mini")
    proxy = proxy_factory(config=CONFIG)
    before = Counters(proxy)
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        response = start(http)
        before.expect(calls=1)
    proxy.restart()
    before.expect(calls=1, held=0)
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        poll(http, response)
        before.expect(calls=1, all=154, held=154, mini=154)
    proxy.restart()
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        poll(http, response)
        start(http)
        before.expect(calls=2, all=154, mini=154)


def test_a_spent_budget_does_not_keep_anybody_from_the_result(
    http: httpx2.Client, counters: Counters, upstream: Upstream
) -> None:
    http.headers["x-team"] = "small"
    poll(http, "resp_first")
    counters.expect(small=154)
    assert http.post(URL, json=ASK).status_code == 400
    assert poll(http, "resp_second").json()["usage"]
    counters.expect(calls=0, small=308)


def test_work_that_failed_without_usage_is_charged_its_input(http: httpx2.Client, counters: Counters) -> None:
    for _ in range(6):
        http.get("https://api.openai.com/v1/models")
    response = start(http)
    poll(http, response, "_failed")
    counters.expect(calls=1)
    assert_small(counters)


def assert_small(counters: Counters) -> None:
    deadline = time.monotonic() + 10
    while not 0 < counters.grown("held") < 100:
        assert time.monotonic() < deadline, counters.read()
        time.sleep(0.02)
