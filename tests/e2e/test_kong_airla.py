"""Published examples of ai-rate-limiting-advanced through a real proxy: each behind a route of its own."""

import asyncio
import re
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
import yaml

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream
from tests.servers import shared
from tests.servers.elasticache import ElastiCache
from tests.servers.guarded import Guarded

CONFIGS = Path(__file__).parents[2] / "configs" / "kong"
ASK: list[Any] = [{"role": "user", "content": "hi"}]
PREFIX = "x-ai-ratelimit-"
SETTLED = r"tokens, \$"
"""What the log says when an exchange is booked."""
COUNT = (CONFIGS / "request-prompt-count-function.yaml").read_text()
TWICE = "local usage = kong.log.serialize().ai.proxy.usage\nreturn usage.total_tokens * 2"
KEYED = {"name": "key-auth", "config": {"hide_credentials": True}}
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"
CONDITION = {
    "condition": 'http.headers.x_team == "research" && route.name == "condition" && net.protocol == "http"'
    ' && http.host == "127.0.0.1" && http.path_segments[0] == "condition" && http.queries.none == null'
}
"""What a request asks for before it is sent on to its service."""
STD = {"limit": [100, 1000], "window_size": [60, 3600]}


def example(name: str) -> Any:
    """The first plugin instance of a published example."""
    document = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    return next(plugin for plugin in document["plugins"] if plugin["name"] == "ai-rate-limiting-advanced")


def airla(**config: Any) -> dict[str, Any]:
    return {"name": "ai-rate-limiting-advanced", "config": config}


CACHE = {
    "DECK_INSTANCE_ADDRESS": "127.0.0.1",
    "DECK_INSTANCE_USERNAME": "app",
    "DECK_AWS_CACHE_NAME": "cache",
    "DECK_AWS_REGION": "eu-central-1",
    "DECK_AWS_ACCESS_KEY_ID": "AKIATEST",
    "DECK_AWS_ACCESS_SECRET_KEY": "nobody-knows",
}
"""What the example for AWS takes from the environment."""


def declaration(upstream: Upstream, redis_port: int, cache_port: int) -> str:
    """A service for each provider, a route for each example; consumers and groups beside them."""
    function = example("how-to-custom-function")
    function["config"]["redis"] = {"host": "127.0.0.1", "port": redis_port}
    cloud = example("request-prompt-count-aws-instance")
    cloud["config"]["redis"] |= {"port": cache_port, "ssl": False}
    prompt = yaml.safe_load(COUNT)["plugins"][0]["config"]["request_prompt_count_function"]
    # Its consumer is in no group: the plugin of a group would come before that of a route.
    both = example("rate-limiting-multiple-conditions")
    both["config"]["policies"][0]["match"][1]["values"] = ["dora"]
    costs = yaml.safe_load((CONFIGS / "cookbook-llm-cost-optimization.yaml").read_text())
    workshop = yaml.safe_load((CONFIGS / "workshop-two-consumers.yaml").read_text())
    claude = yaml.safe_load((CONFIGS / "cookbook-claude-code-sso.yaml").read_text())
    names = ("llm-provider-rate-limiting", "header-rate-limiting", "llm-model-rate-limiting", "ip-rate-limiting",
             "llm-provider-policy-based-rate-limiting", "path-rate-limiting")  # fmt: skip
    counting = airla(llm_providers=[{"name": "requestPrompt", **STD}], request_prompt_count_function=prompt)
    openai_routes: dict[str, list[Any]] = {name: [example(name)] for name in names} | {
        "prompt": [counting],
        "custom": [airla(llm_providers=[{"name": "customCost", **STD}], custom_cost_count_function=TWICE)],
        "trace": [airla(llm_providers=[{"name": "openai", "limit": [1], "window_size": [1]}])],
        "workshop": [KEYED],
        "costs": [KEYED, *costs["services"][0]["routes"][0]["plugins"][1:]],
        "group": [KEYED, example("consumer-group-rate-limiting")],
        "both": [KEYED, both],
        "condition": [airla(llm_providers=[{"name": "openai", "limit": [1], "window_size": [60]}]) | CONDITION],
    }
    echo = f"http://localhost:{upstream.http_port}"
    services = [
        {"name": "echo", "url": echo, "routes": [_route("grpc", [counting])]},
        {"name": "openai", "url": upstream.http_url, "routes": [_route(*pair) for pair in openai_routes.items()]},
        {
            "name": "cohere",
            "url": upstream.https_url,
            "routes": [_route("function", [function]), _route("cloud", [cloud])],
        },
        {"name": "anthropic", "url": "https://api.anthropic.com", "routes": [_route("claude", [KEYED])]},
        {"name": "bedrock", "url": f"https://{BEDROCK}", "routes": [_route("bedrock", [KEYED])]},
    ]
    consumers = [
        *workshop["consumers"],
        *costs["consumers"],
        {"username": "carl", "groups": [{"name": "gold"}], "keyauth_credentials": [{"key": "carl-key"}]},
        {"username": "dora", "keyauth_credentials": [{"key": "dora-key"}]},
        {"username": "eve", "groups": [{"name": "standard"}], "keyauth_credentials": [{"key": "eve-key"}]},
        {"username": "finn", "groups": [{"name": "standard"}], "keyauth_credentials": [{"key": "finn-key"}]},
        {"username": "gail", "groups": [{"name": "power"}], "keyauth_credentials": [{"key": "gail-key"}]},
        # As the workshop's first consumer before it went from Bedrock to OpenAI.
        {
            "username": "consumer0",
            "keyauth_credentials": [{"key": "bedrock-key"}],
            "plugins": [airla(llm_providers=[{"name": "bedrock", "limit": [500], "window_size": [60]}])],
        },
    ]
    groups = [*costs["consumer_groups"], *claude["consumer_groups"], {"name": "gold"}]
    kong = {"_format_version": "3.0", "services": services, "consumers": consumers, "consumer_groups": groups}
    urls = {"openai": upstream.http_url, "cohere": upstream.https_url, "other": echo}
    hosts = [{"host": url.partition("//")[2], "provider": name} for name, url in urls.items()]
    return yaml.safe_dump_all([kong, {"settings": {"providers": hosts}}], sort_keys=False)


def _route(name: str, plugins: list[Any]) -> dict[str, Any]:
    return {"name": name, "paths": [f"/{name}"], "plugins": plugins}


@pytest.fixture(name="cache", scope="module")
def _cache() -> Iterator[Guarded]:
    """An ElastiCache that lets in whoever signs with the right key, before the Redis of the other examples."""
    shared.standalone_url()
    secrets = {(CACHE["DECK_AWS_ACCESS_KEY_ID"], ""): CACHE["DECK_AWS_ACCESS_SECRET_KEY"]}
    keeper = ElastiCache("cache", "eu-central-1", False, frozenset({"app"}), secrets, _milliseconds)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run[Result](work: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    guarded = Guarded(shared.standalone().address, keeper.admit, _milliseconds)
    run(guarded.__aenter__())
    yield guarded
    run(guarded.__aexit__())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(name="gateway", scope="module")
def _gateway(module_proxy_factory: ProxyFactory, shared_upstream: Upstream, cache: Guarded) -> Proxy:
    text = declaration(shared_upstream, shared.standalone().port, cache.address.port)
    return module_proxy_factory(config=text, mode=f"reverse:{shared_upstream.http_url}", env=CACHE)


class Caller:
    """Asks through one route with the OpenAI SDK, and waits until what it used is booked."""

    def __init__(self, gateway: Proxy, clients: Clients, route: str) -> None:
        self._gateway = gateway
        self._client = clients.openai(Route(base=f"{gateway.url}/{route}"))

    def ask(
        self, prompt: int = 10, completion: int = 5, model: str = "gpt-4o-mini", *, stream: bool = False, **headers: str
    ) -> httpx2.Response:
        start = len(self._gateway.log)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        told["x-test-usage"] = f"prompt={prompt},completion={completion}"
        create = self._client.chat.completions.with_raw_response.create
        try:
            answer = create(model=model, messages=ASK, extra_headers=told, stream=stream)  # type: ignore[call-overload]
        except openai.APIStatusError as refused:
            return refused.response  # type: ignore[return-value]
        answer.http_response.read()
        if any(name.startswith(PREFIX) for name in answer.headers):
            self._gateway.wait_log(SETTLED, start=start)
        return answer.http_response  # type: ignore[no-any-return]


@pytest.fixture(name="caller")
def _caller(gateway: Proxy, clients: Clients, upstream: Upstream) -> Any:
    return lambda route: Caller(gateway, clients, route)


def told(response: Any) -> dict[str, str]:
    """The limit headers, without their common beginning."""
    return {name.removeprefix(PREFIX): value for name, value in response.headers.items() if name.startswith(PREFIX)}


def test_a_provider_s_limits(caller: Any, upstream: Upstream) -> None:
    """The published example, with the answer's own tokens, streamed too."""
    ask = caller("llm-provider-rate-limiting").ask
    first = ask(40, 30)
    assert told(first) == {
        "limit-minute-openai": "100",
        "remaining-minute-openai": "100",
        "limit-hour-openai": "1000",
        "remaining-hour-openai": "1000",
    }
    assert told(ask(20, 20, stream=True))["remaining-hour-openai"] == "930"
    refused = ask()
    assert refused.status_code == 429
    assert refused.content == b'{"message":"AI token rate limit exceeded for provider(s): openai"}'
    assert refused.headers["content-type"] == "application/json; charset=utf-8"
    found = told(refused)
    assert (found["remaining-minute-openai"], found["remaining-hour-openai"]) == ("0", "890")
    assert found["reset"] == found["reset-minute-openai"] == found["retry-after"] == found["retry-after-minute-openai"]
    assert 1 <= int(found["reset"]) <= 120
    assert "retry-after" not in refused.headers
    assert len(upstream.exchanges) == 2


@pytest.mark.parametrize("route", ["function", "cloud"])
def test_the_how_to_s_function(
    gateway: Proxy, clients: Clients, upstream: Upstream, cache: Guarded, route: str
) -> None:
    """Its own check with Cohere's SDK, counted in Redis: a first request passes whatever its header says, a second not.

    Also where the Redis is AWS ElastiCache, whose password is a token that IAM made.
    """
    import cohere

    start = len(gateway.log)
    client = clients.cohere(Route(base=f"{gateway.url}/{route}"))

    def ask(count: str) -> Any:
        headers = {"x-prompt-count": count, "x-test-usage": "prompt=90,completion=70"}
        options: Any = {"additional_headers": headers, "max_retries": 0}
        return client.with_raw_response.chat(model="command", messages=ASK, request_options=options)

    first = ask("100000")
    assert first.data.usage.tokens.input_tokens == 90
    assert told(first)["limit-minute-cohere"] == "100"
    gateway.wait_log(SETTLED, start=start)
    with pytest.raises(cohere.TooManyRequestsError) as refused:
        ask("950000")
    assert refused.value.body == {"message": "AI token rate limit exceeded for provider(s): cohere"}
    with shared.standalone().client() as redis:
        assert any(f"kong.route.{route}".encode() in key for key in redis.scan_iter())
    assert len(upstream.exchanges) == 1
    if route == "cloud":
        assert cache.shown
        assert not cache.refused


def test_claude_code_s_groups(gateway: Proxy, clients: Clients, upstream: Upstream) -> None:
    """With Anthropic's SDK: one counter for all of a group, streams included."""
    client = clients.anthropic(Route(base=f"{gateway.url}/claude"))

    def ask(who: str, *, stream: bool = False) -> Any:
        start = len(gateway.log)
        headers = {"apikey": f"{who}-key", "x-test-usage": "prompt=9000,completion=3000"}
        create = client.messages.with_raw_response.create
        answer = create(model="claude-sonnet-4-6", max_tokens=99, messages=ASK, extra_headers=headers, stream=stream)
        answer.http_response.read()
        gateway.wait_log(SETTLED, start=start)
        return answer

    assert told(ask("eve"))["remaining-minute-policy-1"] == "20000"
    assert told(ask("finn", stream=True))["remaining-minute-policy-1"] == "8000"
    with pytest.raises(anthropic.RateLimitError, match=r"exceeded for provider\(s\): anthropic") as refused:
        ask("eve")
    assert told(refused.value.response)["remaining-minute-policy-1"] == "0"
    assert told(ask("gail"))["remaining-minute-policy-1"] == "100000"
    assert len(upstream.exchanges) == 3


def test_the_workshop_s_first_trace(gateway: Proxy, clients: Clients, upstream: Upstream) -> None:
    """With boto3: the header fields and the length of the refusal that were published."""
    import botocore.exceptions

    start = len(gateway.log)
    client = clients.bedrock(Route(base=f"{gateway.url}/bedrock"), retries={"total_max_attempts": 1})

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"] |= {"apikey": "bedrock-key", "x-test-usage": "prompt=300,completion=275"}

    client.meta.events.register("before-call.bedrock-runtime.Converse", add)
    call: Any = {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    assert client.converse(**call)["usage"]["totalTokens"] == 575
    gateway.wait_log(SETTLED, start=start)
    with pytest.raises(botocore.exceptions.ClientError, match=r"exceeded for provider\(s\): bedrock") as refused:
        client.converse(**call)
    metadata = refused.value.response["ResponseMetadata"]
    fields = metadata["HTTPHeaders"]
    assert (metadata["HTTPStatusCode"], fields["content-length"]) == (429, "67")
    assert {name.removeprefix(PREFIX) for name in fields if name.startswith(PREFIX)} == {
        "limit-minute-bedrock",
        "remaining-minute-bedrock",
        "reset-minute-bedrock",
        "retry-after-minute-bedrock",
        "reset",
        "retry-after",
    }
    assert (fields[f"{PREFIX}limit-minute-bedrock"], fields[f"{PREFIX}remaining-minute-bedrock"]) == ("500", "0")
    assert len(upstream.exchanges) == 1


def test_a_condition(caller: Any) -> None:
    """Only requests that meet it are limited, by what they asked the gateway for."""
    ask = caller("condition").ask
    assert told(ask(x_team="other")) == {}
    assert told(ask(x_team="research"))["remaining-minute-openai"] == "1"
    assert ask(x_team="research").status_code == 429
    assert ask().status_code == 200


def test_grpc_clients_are_told_in_their_own_way(gateway: Proxy, upstream: Upstream) -> None:
    """As a status and metadata, without a body; of services that are no models, too."""
    url = f"{gateway.url}/grpc/echo.Echo/Say"
    call = {"content": b"\0\0\0\0\0", "headers": {"content-type": "application/grpc", "x-prompt-count": "60"}}
    assert told(httpx2.post(url, **call))["query-cost"] == "60"
    refused = httpx2.post(url, **call)
    assert (refused.status_code, refused.content) == (200, b"")
    assert refused.headers["grpc-status"] == "8"
    assert refused.headers["grpc-message"] == "AI token rate limit exceeded for provider(s): requestPrompt"
    assert told(refused)["remaining-minute-requestprompt"] == "0"
    assert len(upstream.exchanges) == 1


def test_a_function_counts_requests(caller: Any, upstream: Upstream) -> None:
    """Under the name that calls it, what it makes of the header is charged before the request is sent."""
    ask = caller("prompt").ask
    first = ask(x_prompt_count="60")
    assert first.status_code == 200
    assert told(first)["query-cost"] == "60"
    assert told(first)["remaining-minute-requestprompt"] == "100"
    assert told(ask())["query-cost"] == "0"
    refused = ask(x_prompt_count="60.5")
    assert refused.status_code == 429
    assert told(refused)["query-cost"] == "60.5"
    assert refused.json() == {"message": "AI token rate limit exceeded for provider(s): requestPrompt"}
    assert len(upstream.exchanges) == 2


def test_a_function_counts_exchanges(caller: Any) -> None:
    """It reads the exchange's usage from Kong's log table."""
    ask = caller("custom").ask
    ask(20, 25)
    assert told(ask(1, 4))["remaining-minute-customcost"] == "10"
    assert ask().status_code == 429


def test_the_published_trace(caller: Any) -> None:
    """A token a window: one request passes, the next two do not, and after two windows again."""
    ask = caller("trace").ask
    seen = [ask().status_code for _ in range(3)]
    time.sleep(2.05)
    seen += [ask().status_code for _ in range(3)]
    assert seen == [200, 429, 429, 200, 429, 429]


def test_the_workshop_s_consumers(caller: Any) -> None:
    """Each key has the limits of its consumer."""
    ask = caller("workshop").ask
    assert told(ask(300, 275, apikey="123456"))["limit-minute-openai"] == "500"
    refused = ask(apikey="123456")
    assert (refused.status_code, told(refused)["remaining-minute-openai"]) == (429, "0")
    assert told(ask(300, 275, apikey="987654"))["remaining-minute-openai"] == "10000"
    assert told(ask(apikey="987654"))["remaining-minute-openai"] == "9425"
    assert ask().status_code == 401


def test_budgets_of_groups(caller: Any) -> None:
    """Costs by the declaration's prices: the cheap model leaves more than the dear one."""
    ask = caller("costs").ask
    assert told(ask(14, 7, apikey="alice-key"))["limit-hour-openai"] == "1"
    assert told(ask(0, 100_000, "gpt-4o", apikey="alice-key"))["remaining-hour-openai"] == "0.9999937"
    assert ask(apikey="alice-key").status_code == 429
    assert told(ask(0, 100_000, "gpt-4o", apikey="bob-key"))["limit-hour-openai"] == "5"
    assert told(ask(apikey="bob-key"))["remaining-hour-openai"] == "4"


@pytest.mark.parametrize(
    ("route", "meets", "misses"),
    [
        ("header-rate-limiting", {"x_team": "research"}, {"x_team": "other"}),
        ("llm-model-rate-limiting", {"model": "gpt-5.1"}, {"model": "gpt-4o-mini"}),
        ("ip-rate-limiting", {}, None),
        ("llm-provider-policy-based-rate-limiting", {}, None),
        ("group", {"apikey": "carl-key"}, {"apikey": "bob-key"}),
        ("both", {"apikey": "dora-key"}, {"apikey": "carl-key"}),
    ],
)
def test_policies(caller: Any, route: str, meets: dict[str, str], misses: dict[str, str] | None) -> None:
    """What an example's `match` is for is limited, the rest is not."""
    ask = caller(route).ask
    first = told(ask(60, 50, **meets))
    assert (first["limit-minute-policy-1"], first["remaining-hour-policy-1"]) == ("100", "1000")
    refused = ask(**meets)
    assert refused.status_code == 429
    assert refused.json() == {"message": "AI token rate limit exceeded for provider(s): openai"}
    if misses is not None:
        answer = ask(**misses)
        assert (answer.status_code, [name for name in told(answer) if "policy" in name]) == (200, [])


def test_a_path_is_the_one_that_was_asked_for(caller: Any) -> None:
    """The route's own path comes before what the example matches, so that it limits nothing here."""
    assert told(caller("path-rate-limiting").ask()) == {}


def test_nothing_went_wrong(gateway: Proxy) -> None:
    """No error of ours, and warnings only of what the examples have without effect."""
    assert "internal error" not in gateway.log
    assert re.findall(r"config\.(\w+): is never called", gateway.log) == ["request_prompt_count_function"] * 2
