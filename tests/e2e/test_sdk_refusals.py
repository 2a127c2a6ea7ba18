"""Other providers' SDKs at a limit, by their own rules of when to retry: one request, their own error, no upstream."""

import json
import re
import time
from typing import Any

import pytest

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

ASK: list[Any] = [{"role": "user", "content": "hello"}]
ASK_BEDROCK: list[Any] = [{"role": "user", "content": [{"text": "hello"}]}]
TGI = "https://tgi.us-east-1.aws.endpoints.huggingface.cloud"
QUICK = 10.0
"""Seconds for all calls of a test. An SDK that waits for the next day waits longer, if it ever returns."""
CONFIG = """
limits:
  - {name: spent, amount: 1 request per day, per: provider, match: {model: "*once"}}
  - {name: spent-tgi, amount: 1 request per day, match: {host: "*.endpoints.huggingface.cloud"}}
  - {name: soon, amount: 1 request per 2 seconds, window: anchored, per: provider, match: {model: "*soon"}}
  - {name: burst, amount: 1 request per 30 seconds, window: anchored, per: provider, match: {model: "*burst"}}
"""


@pytest.fixture(scope="module")
def proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    return module_proxy_factory(config=CONFIG, args=("--flow-detail", "2"))


@pytest.fixture
def route(proxy: Proxy, upstream: Upstream) -> Route:
    return Route(proxy=proxy.url, ca_file=proxy.ca_file)


class Expected:
    """Counts what the proxy answered, by its log, and how long it took; made before the calls."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._start = len(proxy.log)
        self._began = time.monotonic()

    def answers(self, *statuses: int) -> None:
        """These were all: an SDK that tried again would have been answered again."""
        assert time.monotonic() - self._began < QUICK
        pattern = ".*?".join(rf"<< {status} " for status in statuses)
        self._proxy.wait_log(rf"(?s){pattern}", start=self._start)
        assert re.findall(r"<< (\d+) ", self._proxy.log[self._start :]) == [str(status) for status in statuses]


def test_cohere_raises_at_once(clients: Clients, route: Route, upstream: Upstream, proxy: Proxy) -> None:
    from cohere.core.api_error import ApiError

    expected = Expected(proxy)
    client = clients.cohere(route)
    client.chat(model="once", messages=ASK)
    for call in (client.chat, lambda **ask: list(client.chat_stream(**ask))):
        with pytest.raises(ApiError) as caught:
            call(model="once", messages=ASK)
        assert caught.value.status_code == 402
        assert caught.value.body["message"].startswith('ai-limit: limit "spent" reached')

    expected.answers(200, 402, 402)
    assert upstream.only


def test_mistral_raises_its_error(clients: Clients, route: Route, upstream: Upstream, proxy: Proxy) -> None:
    from mistralai.client.errors import SDKError

    expected = Expected(proxy)
    client = clients.mistral(route)
    client.chat.complete(model="once", messages=ASK)
    for call in (client.chat.complete, client.chat.stream):
        with pytest.raises(SDKError, match=r'limit \\"spent\\" reached') as caught:
            call(model="once", messages=ASK)
        assert caught.value.status_code == 402
        assert json.loads(caught.value.body)["code"] == "insufficient_quota"

    expected.answers(200, 402, 402)
    assert upstream.only


def test_groq_raises_a_status_error_without_a_retry(
    clients: Clients, route: Route, upstream: Upstream, proxy: Proxy
) -> None:
    import groq

    expected = Expected(proxy)
    create = clients.groq(route).chat.completions.create
    create(model="once", messages=ASK)
    for stream in (False, True):
        with pytest.raises(groq.APIStatusError, match='limit "spent" reached') as caught:
            create(model="once", messages=ASK, stream=stream)
        assert caught.value.body["error"]["code"] == "insufficient_quota"

    expected.answers(200, 429, 429)
    assert upstream.only


def test_bedrock_raises_a_named_exception(clients: Clients, route: Route, upstream: Upstream, proxy: Proxy) -> None:
    expected = Expected(proxy)
    client = clients.bedrock(route)
    client.converse(modelId="amazon.nova-once", messages=ASK_BEDROCK)
    body = b'{"messages": []}'
    for call in (client.invoke_model, client.invoke_model_with_response_stream):
        with pytest.raises(client.exceptions.ServiceQuotaExceededException, match='limit "spent" reached'):
            call(modelId="amazon.nova-once", body=body)
    for call in (client.converse, client.converse_stream):
        with pytest.raises(client.exceptions.ServiceQuotaExceededException, match='limit "spent" reached') as caught:
            call(modelId="amazon.nova-once", messages=ASK_BEDROCK)
    metadata = caught.value.response["ResponseMetadata"]

    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (402, 0)
    assert metadata["RequestId"].startswith("req_")
    expected.answers(200, 402, 402, 402, 402)
    assert upstream.only


def test_ollama_raises_its_error(clients: Clients, route: Route, upstream: Upstream, proxy: Proxy) -> None:
    import ollama

    expected = Expected(proxy)
    client = clients.ollama(route, "https://ollama.com")
    client.chat("once", messages=ASK)
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError, match=r'^ai-limit: limit "spent" reached'):
            list(client.chat("once", messages=ASK, stream=stream))

    expected.answers(200, 400, 400)
    assert upstream.only


def test_huggingface_raises_its_errors(clients: Clients, route: Route, upstream: Upstream, proxy: Proxy) -> None:
    from huggingface_hub.errors import BadRequestError, OverloadedError

    expected = Expected(proxy)
    client = clients.huggingface(route)
    client.chat_completion(ASK, model="org/once")
    client.text_generation("hello", model=TGI)
    for stream in (False, True):
        with pytest.raises(BadRequestError, match='limit "spent" reached'):
            client.chat_completion(ASK, model="org/once", stream=stream)
        # The form of text-generation-inference, which the SDK has its own errors for.
        with pytest.raises(OverloadedError, match=r'^ai-limit: limit "spent-tgi" reached'):
            client.text_generation("hello", model=TGI, stream=stream)

    expected.answers(200, 200, 400, 400, 400, 400)
    assert len(upstream.exchanges) == 2


def test_a_short_wait_is_the_rate_limit_error_of_cohere_and_bedrock(
    clients: Clients, route: Route, upstream: Upstream
) -> None:
    import cohere

    chat = clients.cohere(route).chat
    chat(model="burst", messages=ASK)
    with pytest.raises(cohere.TooManyRequestsError) as limited:
        chat(model="burst", messages=ASK, request_options={"max_retries": 0})
    assert 0 < int(limited.value.headers["retry-after"]) <= 30

    bedrock = clients.bedrock(route, retries={"total_max_attempts": 1})
    bedrock.converse(modelId="amazon.nova-burst", messages=ASK_BEDROCK)
    with pytest.raises(bedrock.exceptions.ThrottlingException, match='limit "burst" reached') as throttled:
        bedrock.converse_stream(modelId="amazon.nova-burst", messages=ASK_BEDROCK)
    assert 0 < int(throttled.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"]) <= 30_000

    assert len(upstream.exchanges) == 2


def test_cohere_and_bedrock_wait_out_a_short_limit_and_get_their_answer(
    clients: Clients, route: Route, upstream: Upstream, proxy: Proxy
) -> None:
    chat, converse = clients.cohere(route).chat, clients.bedrock(route).converse
    start = len(proxy.log)
    for _ in range(2):
        assert chat(model="soon", messages=ASK).message.content
    for _ in range(2):
        assert converse(modelId="amazon.nova-soon", messages=ASK_BEDROCK)["output"]

    assert len(upstream.exchanges) == 4
    assert re.findall(r"<< (4\d+) ", proxy.log[start:]) == ["429", "429"]
