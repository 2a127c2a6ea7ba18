"""What is spent is counted exactly, and the client sees what it would see without the proxy."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

ASK: list[Any] = [{"role": "user", "content": "hello"}]
CLAUDE = "claude-sonnet-5"
TOKENS = Tokens(prompt=120, completion=34, cached=20)
CONFIG = """
limits:
  - {name: calls, amount: 1000 requests per day}
  - {name: input, amount: 1M prompt tokens per day}
  - {name: output, amount: 1M completion tokens per day}
  - {name: all, amount: 2M tokens per day, reserve: estimate}
  - {name: held, amount: 9M tokens per day, reserve: maximum}
  - {name: money, amount: $100 per day, reserve: estimate}
"""


@pytest.fixture(scope="module")
def forward(module_proxy_factory: ProxyFactory) -> Proxy:
    return module_proxy_factory(config=CONFIG)


@pytest.fixture
def direct(upstream: Upstream) -> Route:
    return Route(base=upstream.https_url, ca_file=upstream.ca_file)


def chat(clients: Clients, route: Route) -> Any:
    answer = clients.openai(route).chat.completions.create(model="gpt-4o-mini", messages=ASK)
    return answer.choices[0].message.content


def chat_stream(clients: Clients, route: Route) -> Any:
    stream = clients.openai(route).chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    return [(len(chunk.choices), chunk.choices[0].delta.content) for chunk in stream]


def chat_stream_usage(clients: Clients, route: Route) -> Any:
    stream = clients.openai(route).chat.completions.create(
        model="gpt-4o-mini", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    return [(chunk.choices and chunk.choices[0].delta.content, chunk.usage) for chunk in stream]


def completion(clients: Clients, route: Route) -> Any:
    return clients.openai(route).completions.create(model="gpt-3.5-turbo-instruct", prompt="hello").choices[0].text


def completion_stream(clients: Clients, route: Route) -> Any:
    stream = clients.openai(route).completions.create(model="gpt-3.5-turbo-instruct", prompt="hello", stream=True)
    return [chunk.choices[0].text for chunk in stream]


def responses(clients: Clients, route: Route) -> Any:
    return clients.openai(route).responses.create(model="gpt-4o-mini", input="hello").output_text


def responses_stream(clients: Clients, route: Route) -> Any:
    with clients.openai(route).responses.stream(model="gpt-4o-mini", input="hello") as stream:
        return [event.type for event in stream], stream.get_final_response().output_text


def azure(clients: Clients, route: Route) -> Any:
    return clients.azure(route).chat.completions.create(model="gpt-4o-mini", messages=ASK).choices[0].message.content


def azure_stream(clients: Clients, route: Route) -> Any:
    stream = clients.azure(route).chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    return [chunk.choices and chunk.choices[0].delta.content for chunk in stream]


def messages(clients: Clients, route: Route) -> Any:
    return clients.anthropic(route).messages.create(model=CLAUDE, max_tokens=100, messages=ASK).content[0].text


def messages_stream(clients: Clients, route: Route) -> Any:
    with clients.anthropic(route).messages.stream(model=CLAUDE, max_tokens=100, messages=ASK) as stream:
        return list(stream.text_stream), stream.get_final_message().usage.output_tokens


def gemini(clients: Clients, route: Route) -> Any:
    client = clients.gemini(route)
    return client.models.generate_content(model="gemini-2.5-flash", contents="hello").text


def gemini_stream(clients: Clients, route: Route) -> Any:
    client = clients.gemini(route)
    return [part.text for part in client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")]


CALLS = [
    chat, chat_stream, chat_stream_usage, completion, completion_stream, responses, responses_stream, azure,
    azure_stream, messages, messages_stream, gemini, gemini_stream,
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["", "accept"])
@pytest.mark.parametrize("call", CALLS)
def test_the_client_sees_what_a_direct_call_gives_and_every_token_is_counted(
    call: Callable[[Clients, Route], Any],
    encoding: str,
    clients: Clients,
    forward: Proxy,
    direct: Route,
    upstream: Upstream,
) -> None:
    upstream.behaviour = Behaviour(usage=TOKENS, encoding=encoding)
    expected = call(clients, direct)
    upstream.reset()
    upstream.behaviour = Behaviour(usage=TOKENS, encoding=encoding)
    counters = Counters(forward)

    found = call(clients, Route(proxy=forward.url, ca_file=forward.ca_file))

    assert expected == found
    counters.expect(calls=1, input=120, output=34, all=154, held=154)
    assert counters.grown("money") > 0
