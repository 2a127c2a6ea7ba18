"""What a client gets when a limit is reached: its own SDK's error, and nothing reaches the upstream."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google.genai import errors as gemini_errors

from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

ASK: list[Any] = [{"role": "user", "content": "hello"}]
CLAUDE = "claude-sonnet-5"
EMBED = {"model": "text-embedding-3-small", "input": "a"}
CONFIG = """
settings:
  time_zone: UTC
limits:
  - {name: spent, amount: 1 request per day, match: {"header:x-team": spent}}
  - {name: burst, amount: 1 request per 30 seconds, window: anchored, match: {"header:x-team": burst}}
  - {name: ten, amount: 10 requests per day, match: {"header:x-team": ten}}
  - {name: tight, amount: 12k tokens per day, match: {"header:x-team": tight}, reserve: maximum}
  - {name: tokens, amount: 100 tokens per day, match: {"header:x-team": tokens}}
  - {name: watched, amount: 0 requests per day, match: {"header:x-team": watched}, mode: warn}
  - {name: hidden, amount: 0 requests per day, match: {"header:x-team": hidden}, mode: shadow}
  - {name: quota, amount: 7 requests per day, match: {"header:x-team": quota}}
  - {name: first, amount: 1 request per day, match: {"header:x-team": pair}}
  - {name: second, amount: 5 requests per day, match: {"header:x-team": pair}}
"""


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    """The limit `spent` is used up."""
    proxy = module_proxy_factory(config=CONFIG)
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        raw(http, "https://api.openai.com/v1/embeddings", EMBED, **team("spent")).raise_for_status()
    return proxy


@pytest.fixture
def route(proxy: Proxy, upstream: Upstream) -> Route:
    return Route(proxy=proxy.url, ca_file=proxy.ca_file)


def team(name: str) -> dict[str, str]:
    return {"x-team": name}


def raw(http: httpx2.Client, url: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
    return http.post(url, content=json.dumps(body), headers={"content-type": "application/json", **headers})


def test_openai_raises_its_rate_limit_error_without_upstream_contact(
    clients: Clients, route: Route, upstream: Upstream
) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        clients.openai(route).chat.completions.create(model="gpt-4o", messages=ASK, extra_headers=team("spent"))

    assert caught.value.code == "insufficient_quota"
    assert 'limit "spent" reached' in caught.value.message
    assert "resets at" in caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert not upstream.exchanges


def test_azure_raises_its_rate_limit_error(clients: Clients, route: Route, upstream: Upstream) -> None:
    with pytest.raises(openai.RateLimitError, match="spent"):
        clients.azure(route).chat.completions.create(model="gpt-4o", messages=ASK, extra_headers=team("spent"))

    assert not upstream.exchanges


def test_anthropic_raises_its_rate_limit_error_also_for_streams(
    clients: Clients, route: Route, upstream: Upstream
) -> None:
    client = clients.anthropic(route)
    with (
        pytest.raises(anthropic.RateLimitError) as caught,
        client.messages.stream(model=CLAUDE, max_tokens=9, messages=ASK, extra_headers=team("spent")),
    ):
        pass

    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"
    assert 'limit "spent"' in str(caught.value)
    assert not upstream.exchanges


@pytest.mark.parametrize("streaming", [False, True])
def test_gemini_raises_its_client_error(clients: Clients, route: Route, upstream: Upstream, streaming: bool) -> None:
    client = clients.gemini(route)
    config: Any = {"http_options": {"headers": team("spent")}}
    arguments: Any = {"model": "gemini-2.5-flash", "contents": "hello", "config": config}

    def ask() -> None:
        if streaming:
            list(client.models.generate_content_stream(**arguments))
        else:
            client.models.generate_content(**arguments)

    with pytest.raises(gemini_errors.ClientError) as caught:
        ask()

    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert not upstream.exchanges


def test_a_short_wait_is_a_rate_limit_that_says_how_long(clients: Clients, route: Route) -> None:
    client = clients.openai(route)
    client.chat.completions.create(model="gpt-4o", messages=ASK, extra_headers=team("burst"))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=ASK, extra_headers=team("burst"))

    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert 0 < int(headers["retry-after-ms"]) <= 30_000
    assert headers.get("x-should-retry") != "false"


async def test_of_fifty_parallel_requests_exactly_ten_pass(proxy: Proxy, route: Route, upstream: Upstream) -> None:
    upstream.behaviour = Behaviour(delay_ms=20)
    async with route.async_http() as http:
        client = openai.AsyncOpenAI(api_key="k", http_client=http, max_retries=0, default_headers=team("ten"))

        async def call() -> bool:
            try:
                await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
            except openai.RateLimitError:
                return False
            return True

        passed = await asyncio.gather(*(call() for _ in range(50)))

    assert sum(passed) == 10
    assert len(upstream.exchanges) == 10


async def test_a_reserved_maximum_lets_exactly_those_through_that_surely_fit(
    proxy: Proxy, route: Route, upstream: Upstream
) -> None:
    """Each may need some 1,200 tokens, 975 of them output: 12,000 hold ten of them at a time."""
    upstream.behaviour = Behaviour(usage=Tokens(prompt=20, completion=970), delay_ms=300)
    counters = Counters(proxy)
    async with route.async_http() as http:
        client = openai.AsyncOpenAI(api_key="k", http_client=http, max_retries=0, default_headers=team("tight"))

        async def call() -> bool:
            try:
                await client.chat.completions.create(model="gpt-4o-mini", messages=ASK, max_completion_tokens=975)
            except openai.RateLimitError:
                return False
            return True

        passed = sum(await asyncio.gather(*(call() for _ in range(50))))

    assert passed == 10
    assert passed == len(upstream.exchanges)
    counters.expect(tight=990 * passed)


def test_a_request_that_could_never_fit_says_so(clients: Clients, route: Route, upstream: Upstream) -> None:
    with pytest.raises(openai.RateLimitError, match="may need up to") as caught:
        clients.openai(route).chat.completions.create(
            model="gpt-4o-mini", messages=ASK, max_tokens=20_000, extra_headers=team("tight")
        )

    assert caught.value.response.headers["x-should-retry"] == "false"
    assert not upstream.exchanges


def test_spent_tokens_close_the_limit_after_the_request_that_crossed_it(
    clients: Clients, route: Route, upstream: Upstream, proxy: Proxy
) -> None:
    counters = Counters(proxy)
    upstream.behaviour = Behaviour(usage=Tokens(prompt=90, completion=30))
    client = clients.openai(route)
    client.chat.completions.create(model="gpt-4o-mini", messages=ASK, extra_headers=team("tokens"))
    counters.expect(tokens=120)

    with pytest.raises(openai.RateLimitError, match="120 of 100 tokens"):
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK, extra_headers=team("tokens"))

    assert len(upstream.exchanges) == 1


def test_a_refused_batch_books_nothing_on_its_other_limits(
    clients: Clients, route: Route, upstream: Upstream, proxy: Proxy
) -> None:
    counters = Counters(proxy)
    client = clients.openai(route)
    client.embeddings.create(model="text-embedding-3-small", input="a", extra_headers=team("pair"))
    for _ in range(3):
        with pytest.raises(openai.RateLimitError, match='"first"'):
            client.embeddings.create(model="text-embedding-3-small", input="a", extra_headers=team("pair"))

    counters.expect(first=1, second=1)


@pytest.mark.parametrize(("name", "shown"), [("watched", True), ("hidden", False)])
def test_warn_and_shadow_limits_let_pass_and_count(
    name: str, shown: bool, clients: Clients, route: Route, upstream: Upstream, proxy: Proxy
) -> None:
    counters = Counters(proxy)
    start = len(proxy.log)
    answer = clients.openai(route).chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=ASK, extra_headers=team(name)
    )

    assert answer.status_code == 200
    assert shown == ("ratelimit" in answer.headers)
    counters.expect(**{name: 1})
    assert proxy.wait_log(rf"limit '{name}' is over", start=start)


def test_metered_answers_carry_the_ietf_fields(clients: Clients, route: Route, upstream: Upstream) -> None:
    url = "https://api.openai.com/v1/embeddings"

    limited = raw(clients.http(route), url, EMBED, **team("quota"))
    unlimited = raw(clients.http(route), url, EMBED, **team("nobody"))

    assert limited.headers["ratelimit-policy"] == '"quota";q=7;w=86400'
    assert limited.headers["ratelimit"].startswith('"quota";r=6;t=')
    assert "ratelimit" not in unlimited.headers, "no limit applies, so nothing is said"


REFUSED: list[tuple[str, dict[str, Any], Callable[[Any], str]]] = [
    ("https://api.openai.com/v1/chat/completions", {"model": "m", "messages": ASK}, lambda b: b["error"]["message"]),
    ("https://api.anthropic.com/v1/messages", {"model": "m", "messages": ASK}, lambda b: b["error"]["message"]),
    (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        {"contents": []},
        lambda b: b[0]["error"]["message"],
    ),
]


@pytest.mark.parametrize(("url", "body", "message"), REFUSED)
def test_a_refusal_is_json_in_the_form_of_the_api(
    url: str, body: dict[str, Any], message: Callable[[Any], str], clients: Clients, route: Route, upstream: Upstream
) -> None:
    response = raw(clients.http(route), url, body, **team("spent"))

    assert response.status_code in (400, 429)
    assert response.headers["content-type"] == "application/json"
    assert message(response.json()).startswith('ai-limit: limit "spent" reached')
    assert '"spent";q=1;w=86400' in response.headers["ratelimit-policy"]
    assert response.headers["ratelimit"].startswith('"spent";r=0;t=')
    assert not upstream.exchanges


def test_no_option_and_no_odd_name_gets_around_a_spent_budget(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    """`stream_large_bodies` would forward bodies before they are admitted; a model's name may not forge log lines."""
    proxy = proxy_factory(config=CONFIG, args=("--set", "stream_large_bodies=1k"))
    http = clients.http(Route(proxy=proxy.url, ca_file=proxy.ca_file))
    body = {"model": "x\n[00:00:00.000] ai-limit: limits are lifted", "input": "a" * 100_000}
    url = "https://api.openai.com/v1/embeddings?key=sk-in-the-url"

    statuses = [raw(http, url, body, **team("spent")).status_code for _ in range(3)]

    assert statuses == [200, 400, 400]
    assert upstream.only
    assert proxy.wait_log("stream_large_bodies is switched off")
    assert "\n[00:00:00.000] ai-limit: limits are lifted" not in proxy.log
    assert "sk-in-the-url" not in proxy.log
