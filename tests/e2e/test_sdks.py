"""SDKs of other providers, by their own transports: each sees what a direct call gives, and every token is counted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.answers.cohere import TEMPLATE
from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

ASK: list[Any] = [{"role": "user", "content": "hello"}]
ASK_BEDROCK: list[Any] = [{"role": "user", "content": [{"text": "hello"}]}]
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"
LLAMA = "meta.llama3-70b-instruct-v1:0"
ROUTED = "meta-llama/Llama-3.1-8B-Instruct"
TGI = "https://tgi.us-east-1.aws.endpoints.huggingface.cloud"
OLLAMA_CLOUD = "https://ollama.com"
OLLAMA_LOCAL = "http://gpu.example.com:11434"
TOKENS = Tokens(prompt=120, completion=34, cached=20)
CONFIG = """
settings: {providers: [{host: "127.0.0.1:PORT", provider: ollama}]}
---
limits:
  - {name: calls, amount: 1000 requests per day}
  - {name: input, amount: 1M prompt tokens per day}
  - {name: output, amount: 1M completion tokens per day}
  - {name: all, amount: 2M tokens per day, reserve: estimate}
  - {name: money, amount: $100 per day, reserve: estimate}
"""


@pytest.fixture(scope="module")
def forward(module_proxy_factory: ProxyFactory, shared_upstream: Upstream) -> Proxy:
    return module_proxy_factory(config=CONFIG.replace("PORT", str(shared_upstream.http_port)))


@pytest.fixture
def direct(upstream: Upstream) -> Route:
    """By the upstream as a forward proxy: the SDKs address the providers' hosts here too."""
    return Route(proxy=upstream.http_url, ca_file=upstream.ca_file)


def cohere_chat(clients: Clients, route: Route) -> Any:
    return clients.cohere(route).chat(model="command-r-08-2024", messages=ASK).dict()


def cohere_chat_stream(clients: Clients, route: Route) -> Any:
    return [event.dict() for event in clients.cohere(route).chat_stream(model="command-r-08-2024", messages=ASK)]


def cohere_embed(clients: Clients, route: Route) -> Any:
    client = clients.cohere(route)
    return client.embed(model="embed-v4.0", texts=["a"], input_type="search_query", embedding_types=["float"]).dict()


def mistral_chat(clients: Clients, route: Route) -> Any:
    return clients.mistral(route).chat.complete(model="mistral-small-latest", messages=ASK).model_dump()


def mistral_chat_stream(clients: Clients, route: Route) -> Any:
    with clients.mistral(route).chat.stream(model="mistral-small-latest", messages=ASK) as stream:
        return [event.data.model_dump() for event in stream]


def mistral_fim(clients: Clients, route: Route) -> Any:
    return (
        clients.mistral(route).fim.complete(model="codestral-latest", prompt="def f(", suffix="return a").model_dump()
    )


def mistral_fim_stream(clients: Clients, route: Route) -> Any:
    with clients.mistral(route).fim.stream(model="codestral-latest", prompt="def f(") as stream:
        return [event.data.model_dump() for event in stream]


def mistral_embeddings(clients: Clients, route: Route) -> Any:
    return clients.mistral(route).embeddings.create(model="mistral-embed", inputs=["a"]).model_dump()


def groq_chat(clients: Clients, route: Route) -> Any:
    return clients.groq(route).chat.completions.create(model="llama-3.3-70b-versatile", messages=ASK).model_dump()


def groq_chat_stream(clients: Clients, route: Route) -> Any:
    stream = clients.groq(route).chat.completions.create(model="llama-3.3-70b-versatile", messages=ASK, stream=True)
    # The usage stands a second time in the last chunk, as it was asked for on the way.
    return [chunk.model_dump(exclude={"usage"}) for chunk in stream]


def bedrock_converse(clients: Clients, route: Route) -> Any:
    return body(clients.bedrock(route).converse(modelId=NOVA, messages=ASK_BEDROCK))


def bedrock_converse_stream(clients: Clients, route: Route) -> Any:
    return list(clients.bedrock(route).converse_stream(modelId=CLAUDE, messages=ASK_BEDROCK)["stream"])


def bedrock_profile(clients: Clients, route: Route) -> Any:
    profile = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}"
    return body(clients.bedrock(route).converse(modelId=profile, messages=ASK_BEDROCK))


def bedrock_invoke(model: str) -> Callable[[Clients, Route], Any]:
    def call(clients: Clients, route: Route) -> Any:
        response = clients.bedrock(route).invoke_model(modelId=model, body=json.dumps(INVOKED[model]))
        return json.loads(response["body"].read())

    return call


def bedrock_invoke_stream(model: str) -> Callable[[Clients, Route], Any]:
    def call(clients: Clients, route: Route) -> Any:
        client = clients.bedrock(route)
        response = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(INVOKED[model]))
        return [json.loads(event["chunk"]["bytes"]) for event in response["body"]]

    return call


def ollama_chat(clients: Clients, route: Route) -> Any:
    return clients.ollama(route, OLLAMA_CLOUD).chat("gpt-oss:120b", messages=ASK).model_dump()


def ollama_chat_stream(clients: Clients, route: Route) -> Any:
    stream = clients.ollama(route, OLLAMA_CLOUD).chat("gpt-oss:120b", messages=ASK, stream=True)
    return [part.model_dump() for part in stream]


def ollama_local_generate(clients: Clients, route: Route) -> Any:
    return clients.ollama(route, OLLAMA_LOCAL).generate("llama3.2", prompt="hello").model_dump()


def ollama_local_generate_stream(clients: Clients, route: Route) -> Any:
    stream = clients.ollama(route, OLLAMA_LOCAL).generate("llama3.2", prompt="hello", stream=True)
    return [part.model_dump() for part in stream]


def ollama_embed(clients: Clients, route: Route) -> Any:
    return clients.ollama(route, OLLAMA_LOCAL).embed("all-minilm", input="hello").model_dump()


def huggingface_chat(clients: Clients, route: Route) -> Any:
    return clients.huggingface(route).chat_completion(ASK, model=ROUTED)


def huggingface_chat_stream(clients: Clients, route: Route) -> Any:
    client = clients.huggingface(route)
    return list(client.chat_completion(ASK, model=ROUTED, stream=True))


def tgi_generate(clients: Clients, route: Route) -> Any:
    return clients.huggingface(route, model=TGI).text_generation("hello", details=True)


def tgi_own_generate(clients: Clients, route: Route) -> Any:
    return clients.huggingface(route, model=f"{TGI}/generate").text_generation("hello", details=True)


def tgi_generate_stream(clients: Clients, route: Route) -> Any:
    client = clients.huggingface(route, model=TGI)
    return list(client.text_generation("hello", details=True, stream=True))


INVOKED = {
    CLAUDE: {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": ASK},
    NOVA: {"schemaVersion": "messages-v1", "messages": ASK_BEDROCK, "inferenceConfig": {"maxTokens": 100}},
    LLAMA: {"prompt": "hello", "max_gen_len": 100},
}
"""Body of `invoke` by model."""
CALLS = {
    call.__name__: call
    for call in (
        cohere_chat, cohere_chat_stream, mistral_chat, mistral_chat_stream, mistral_fim, mistral_fim_stream, groq_chat,
        groq_chat_stream, bedrock_converse, bedrock_converse_stream, bedrock_profile, ollama_chat, ollama_chat_stream,
        ollama_local_generate, ollama_local_generate_stream, huggingface_chat, huggingface_chat_stream, tgi_generate,
        tgi_own_generate, tgi_generate_stream,
    )
}  # fmt: skip
CALLS |= {f"bedrock_invoke {model}": bedrock_invoke(model) for model in INVOKED}
CALLS |= {f"bedrock_invoke_stream {model}": bedrock_invoke_stream(model) for model in INVOKED}
EMBEDS = {call.__name__: call for call in (cohere_embed, mistral_embeddings, ollama_embed)}
FREE = {"ollama_local_generate", "ollama_local_generate_stream", "ollama_embed"}
"""Calls of a machine of one's own."""


@pytest.mark.parametrize("name", [*CALLS, *EMBEDS])
def test_the_client_sees_what_a_direct_call_gives_and_every_token_is_counted(
    name: str, clients: Clients, forward: Proxy, direct: Route, upstream: Upstream
) -> None:
    call = (CALLS | EMBEDS)[name]
    output = 0 if name in EMBEDS else 34
    # Coded as each SDK accepts it, which is not at all for Bedrock's.
    behaviour = Behaviour(usage=TOKENS, encoding="accept")
    upstream.behaviour = behaviour
    expected = call(clients, direct)
    upstream.reset()
    upstream.behaviour = behaviour
    counters = Counters(forward)

    found = call(clients, Route(proxy=forward.url, ca_file=forward.ca_file))

    assert expected == found
    counters.expect(calls=1, input=120, output=output, all=120 + output)
    assert (counters.grown("money") == 0) == (name in FREE)
    assert upstream.only


def test_cohere_rankings_are_priced_by_the_search(clients: Clients, forward: Proxy, upstream: Upstream) -> None:
    counters = Counters(forward)
    client = clients.cohere(Route(proxy=forward.url, ca_file=forward.ca_file))

    ranked = client.rerank(model="rerank-v3.5", query="a", documents=["b", "c"])

    assert [each.index for each in ranked.results] == [0, 1]
    # At $2 for a thousand.
    counters.expect(calls=1, all=0, money=2_000_000)


def test_cohere_charges_billed_units_and_not_its_own_template(
    clients: Clients, forward: Proxy, upstream: Upstream
) -> None:
    upstream.behaviour = Behaviour(usage=Tokens(prompt=100 + TEMPLATE, completion=10))
    counters = Counters(forward)

    cohere_chat(clients, Route(proxy=forward.url, ca_file=forward.ca_file))

    # 100 input and 10 output tokens at $0.15 and $0.60 a million.
    counters.expect(input=100 + TEMPLATE, output=10, money=21_000)


def test_a_mapped_host_is_metered_as_its_provider(clients: Clients, forward: Proxy, upstream: Upstream) -> None:
    counters = Counters(forward)
    client = clients.ollama(Route(proxy=forward.url, ca_file=forward.ca_file), upstream.http_url)

    assert client.chat("llama3.2", messages=ASK).message.content

    counters.expect(calls=1, input=10, output=5, money=0)


def test_mistral_is_never_asked_for_the_usage_that_it_gives_anyway(
    clients: Clients, forward: Proxy, upstream: Upstream
) -> None:
    mistral_chat_stream(clients, Route(proxy=forward.url, ca_file=forward.ca_file))

    assert "stream_options" not in upstream.only.json


def test_frames_of_an_event_stream_arrive_while_it_runs(clients: Clients, forward: Proxy, upstream: Upstream) -> None:
    upstream.behaviour = Behaviour(hold_after=3)
    counters = Counters(forward)
    client = clients.bedrock(Route(proxy=forward.url, ca_file=forward.ca_file))
    stream = iter(client.converse_stream(modelId=NOVA, messages=ASK_BEDROCK)["stream"])

    assert [next(iter(next(stream))) for _ in range(3)] == ["messageStart", "contentBlockDelta", "contentBlockDelta"]

    upstream.only.release()
    assert next(iter(list(stream)[-1])) == "metadata"
    counters.expect(calls=1, input=10, output=5)


def body(response: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}
