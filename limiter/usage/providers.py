"""The table of providers: where they are, what they offer, how they report usage.

A new provider is a new entry. Hosts are regular expressions over the whole lower-case host name; every entry names the
page (or the recorded traffic) that it was read from.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from limiter.usage import routes
from limiter.usage.routes import Endpoint, Route

__all__ = ["PROVIDERS", "PROVIDER_NAMES", "Directory", "Endpoint", "Provider", "is_known_host", "recognise"]


class Provider(NamedTuple):
    name: str
    hosts: tuple[str, ...] = ()
    """Public hosts."""
    routes: tuple[Route, ...] = routes.OPENAI
    api: str = "openai"
    reader: str = "openai"
    """Of routes that name none."""
    asks_usage: bool = False
    """Accepts `stream_options.include_usage`; only where recorded traffic or its documentation says so."""
    model_path: str = ""
    """Where the path names the model: a pattern with one group. The body's `model` otherwise."""
    local_ports: tuple[int, ...] = ()
    """Usual ports on this machine, recognised by exact paths only: other software may listen there."""
    ports: tuple[int, ...] = ()
    """Ports that are known on any host."""
    local: bool = False
    """Runs on the user's own machines, where not on a public host."""
    paths: str = ""
    """Where a host serves more than models: what paths of models contain. Unknown ones without it are not metered."""


_AZURE_MODEL = r"/deployments/([^/]+)/"
_GOOGLE_MODEL = r"/(?:models|tunedModels)/([^/:]+)"

PROVIDERS: tuple[Provider, ...] = (
    # https://platform.openai.com/docs/guides/your-data : eu. and us. are regional hosts.
    Provider("openai", (r"(?:[a-z]{2}\.)?api\.openai\.com",), asks_usage=True),
    # https://learn.microsoft.com/azure/ai-foundry/openai/reference
    # azure-api.net is API Management, which fronts anything.
    Provider(
        "azure",
        (
            r".+\.openai\.azure\.com",
            r".+\.cognitiveservices\.azure\.com",
            r".+\.services\.ai\.azure\.com",
            r".+\.models\.ai\.azure\.com",
            r"models\.inference\.ai\.azure\.com",
            r".+\.azure-api\.net",
        ),
        routes.AZURE,
        api="azure",
        asks_usage=True,
        model_path=_AZURE_MODEL,
        paths="/openai/|/models/|/anthropic/",
    ),
    # https://docs.anthropic.com/en/api/overview
    Provider("anthropic", (r"api\.anthropic\.com",), routes.ANTHROPIC, api="anthropic", reader="anthropic"),
    # https://ai.google.dev/api
    Provider(
        "gemini",
        (r"generativelanguage\.googleapis\.com",),
        routes.GEMINI,
        api="gemini",
        reader="gemini",
        model_path=_GOOGLE_MODEL,
    ),
    # https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest ; the global host has no region.
    Provider(
        "vertex",
        (r"(?:[a-z0-9-]+-)?aiplatform\.googleapis\.com",),
        routes.VERTEX,
        api="gemini",
        reader="gemini",
        model_path=_GOOGLE_MODEL,
        paths="/models/|/endpoints/",
    ),
    # https://docs.aws.amazon.com/general/latest/gr/bedrock.html
    Provider(
        "bedrock",
        (
            r"bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?",
            r"vpce-[a-z0-9-]+\.bedrock-runtime\..+\.amazonaws\.com",
        ),
        routes.BEDROCK,
        api="bedrock",
        reader="bedrock-converse",
        model_path=r"/model/(.+)/[a-z-]+$",
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html : OpenAI's format.
    Provider("bedrock-mantle", (r"bedrock-mantle\.[a-z0-9-]+\.api\.aws",), routes.OPENAI_AND_ANTHROPIC),
    # https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-test-endpoints.html
    Provider(
        "sagemaker",
        (r"runtime\.sagemaker\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?",),
        routes.SAGEMAKER,
        api="bedrock",
        reader="sniff",
        model_path=r"/endpoints/([^/]+)/",
        paths="/invocations",
    ),
    # https://docs.cohere.com/reference/about
    Provider("cohere", (r"api\.cohere\.(?:com|ai)",), routes.COHERE, api="cohere", reader="cohere"),
    # https://docs.mistral.ai/api : usage is in every stream's last chunk, and unknown stream_options are refused (422).
    Provider("mistral", (r"(?:api|codestral)\.mistral\.ai",), routes.MISTRAL, api="mistral", reader="openai"),
    # https://github.com/ollama/ollama/blob/main/docs/api.md
    Provider("ollama", (r"ollama\.com",), routes.OLLAMA, asks_usage=True, ports=(11434,), local=True),
    # https://huggingface.co/docs/inference-providers ; https://huggingface.co/docs/inference-endpoints
    Provider(
        "huggingface",
        (r"router\.huggingface\.co", r"api-inference\.huggingface\.co", r".+\.endpoints\.huggingface\.cloud"),
        routes.HUGGINGFACE_HOSTED,
        asks_usage=True,
        local_ports=(8080,),
    ),
    # https://openrouter.ai/docs/api-reference/overview
    Provider(
        "openrouter",
        (r"openrouter\.ai",),
        (*routes.OPENAI_AND_ANTHROPIC, Route(re.compile("/images$"), "images")),
        reader="openrouter",
        asks_usage=True,
    ),
    # https://console.groq.com/docs/api-reference
    Provider("groq", (r"api\.groq\.com",), asks_usage=True),
    # https://api-docs.deepseek.com
    Provider("deepseek", (r"api\.deepseek\.com",), routes.OPENAI_AND_ANTHROPIC, asks_usage=True),
    # https://docs.x.ai/docs/api-reference
    Provider("xai", (r"(?:[a-z0-9-]+\.)?api\.x\.ai",), routes.OPENAI_AND_ANTHROPIC, reader="xai", asks_usage=True),
    # https://docs.together.ai/reference
    Provider("together", (r"api\.together\.(?:xyz|ai)",), asks_usage=True),
    # https://docs.fireworks.ai/api-reference
    Provider("fireworks", (r"api\.fireworks\.ai",), routes.OPENAI_AND_ANTHROPIC, asks_usage=True),
    # https://docs.perplexity.ai/api-reference
    Provider("perplexity", (r"api\.perplexity\.ai",), reader="perplexity", asks_usage=True),
    # https://help.aliyun.com/zh/model-studio/
    Provider("dashscope", (r"dashscope(?:-intl|-us|-finance)?\.aliyuncs\.com",), routes.DASHSCOPE, asks_usage=True),
    # https://platform.moonshot.ai/docs/api/chat
    Provider(
        "moonshot", (r"api\.moonshot\.(?:ai|cn)",), routes.OPENAI_AND_ANTHROPIC, reader="moonshot", asks_usage=True
    ),
    # https://inference-docs.cerebras.ai/api-reference
    Provider("cerebras", (r"api\.cerebras\.ai",), asks_usage=True),
    # https://docs.z.ai/api-reference
    Provider("zai", (r"api\.z\.ai", r"open\.bigmodel\.cn"), routes.OPENAI_AND_ANTHROPIC, asks_usage=True),
    # https://docs.voyageai.com/reference
    Provider("voyageai", (r"api\.voyageai\.com",), routes.VOYAGE),
    # https://dev.writer.com/api-reference
    Provider("writer", (r"api\.writer\.com",), routes.WRITER, asks_usage=True),
    # https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api ; the host is that of all Snowflake
    # traffic.
    Provider(
        "snowflake",
        (r".+\.snowflakecomputing\.(?:com|cn)",),
        routes.OPENAI_AND_ANTHROPIC,
        asks_usage=True,
        paths="/cortex/",
    ),
    # https://docs.databricks.com/api/workspace/servingendpoints/query : usage is in every chunk, unasked.
    Provider(
        "databricks",
        (r".+\.azuredatabricks\.net", r".+\.cloud\.databricks\.com", r".+\.gcp\.databricks\.com"),
        routes.DATABRICKS,
        model_path=r"/serving-endpoints/([^/]+)/invocations",
        paths="/serving-endpoints/",
    ),
    # https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/ ; the host is that of the whole
    # API.
    Provider("cloudflare", (r"api\.cloudflare\.com",), routes.CLOUDFLARE, asks_usage=True, paths="/ai/"),
    # https://portkey.ai/docs/api-reference/inference-api
    Provider("portkey", (r"api\.portkey\.ai",), routes.PORTKEY),
    # https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions
    Provider("heroku", (r"(?:us|eu)\.inference\.heroku\.com",), routes.OPENAI_AND_ANTHROPIC),
    # https://docs.crusoecloud.com/managed-inference/overview
    Provider("crusoe", (r"api\.inference\.crusoecloud\.com",), asks_usage=True),
    # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    Provider("vllm", (), routes.OPENAI_AND_ANTHROPIC, asks_usage=True, local_ports=(8000,), local=True),
    # https://lmstudio.ai/docs/developer/openai-compat
    Provider("lmstudio", (), routes.OPENAI_AND_ANTHROPIC, local_ports=(1234,), local=True),
    # https://docs.gpustack.ai/latest/integrations/openai-compatible-apis/
    Provider("gpustack", (), asks_usage=True, local_ports=(9000,), local=True),
)

BY_NAME: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in PROVIDERS})
PROVIDER_NAMES = tuple(BY_NAME)

_HOSTS = tuple((re.compile(host), provider) for provider in PROVIDERS for host in provider.hosts)
_PORTS = {port: provider for provider in PROVIDERS for port in provider.ports}
_LOCAL_PORTS = {port: provider for provider in PROVIDERS for port in provider.local_ports}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "host.docker.internal"})
_FREE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})

_AZURE_ASKS_SINCE = "2024-09"
"""Deployments refuse `stream_options` under older `api-version`s; Foundry's `/models` route takes it under all."""
_API_VERSION = re.compile(r"[?&]api-version=(\d{4}-\d\d)")
_SLASHES = re.compile("/{2,}")
_BRACKETS = re.compile(r"[\[\]]")


class _Match(NamedTuple):
    provider: Provider
    local: bool
    exact: bool = False
    """Only paths of the table: the port is a guess."""


@lru_cache(maxsize=4096)
def _public(host: str) -> Provider | None:
    return next((provider for pattern, provider in _HOSTS if pattern.fullmatch(host)), None)


@lru_cache(maxsize=4096)
def _path_route(provider: str, method: str, path: str) -> Route | None:
    return next(
        (route for route in BY_NAME[provider].routes if route.method == method and route.pattern.search(path)), None
    )


class Directory:
    """Finds the provider and the endpoint that a request calls, the hosts of the configuration included."""

    def __init__(self, extra: Mapping[str, str] = MappingProxyType({})) -> None:
        """`extra` maps `host` or `host:port`, lower case, to a provider's name; it goes before the table.

        Raises:
            ValueError: no such provider; the text lists those that there are.
        """
        unknown = sorted({name for name in extra.values() if name not in BY_NAME})
        if unknown:
            raise ValueError(
                f"unknown provider {', '.join(map(repr, unknown))}, expected one of {', '.join(PROVIDER_NAMES)}"
            )
        # IPv6 hosts are written in brackets and given without.
        self._extra = {_BRACKETS.sub("", host.lower()).rstrip("."): BY_NAME[name] for host, name in extra.items()}

    def is_known_host(self, host: str, port: int) -> bool:
        """Whether a TLS connection to this host is worth opening. Ports that are mere guesses are not."""
        match = self._match(host, port)
        return match is not None and not match.exact

    def recognise(self, host: str, port: int, method: str, path: str, headers: Mapping[str, str]) -> Endpoint | None:  # noqa: ARG002
        """What the request calls; None for a host that is no provider's.

        Args:
            path: with the query.
            headers: lower-case names. No provider of the table needs them so far.
        """
        match = self._match(host, port)
        if match is None:
            return None
        provider = match.provider
        bare, _, _ = path.partition("?")
        bare = _SLASHES.sub("/", bare).rstrip("/") or "/"
        method = method.upper()
        route = _path_route(provider.name, method, bare)
        if route is not None:
            return Endpoint(
                provider.name, route.name, route.api or provider.api, route.metered, route.reader or provider.reader,
                route.streams_usage_on_request and provider.asks_usage and _may_ask(provider, path),
                match.local, route.repeats,
            )  # fmt: skip
        if match.exact:
            return None
        metered = method not in _FREE_METHODS and (not provider.paths or re.search(provider.paths, bare) is not None)
        return Endpoint(provider.name, "other", provider.api, metered, "sniff", False, match.local)

    def _match(self, host: str, port: int) -> _Match | None:
        host = host.lower().rstrip(".")
        if self._extra:
            provider = self._extra.get(f"{host}:{port}") or self._extra.get(host)
            if provider is not None:
                return _Match(provider, provider.local and _public(host) is not provider)
        provider = _public(host)
        if provider is not None:
            return _Match(provider, local=False)
        if port in _PORTS:
            return _Match(_PORTS[port], local=True)
        if port in _LOCAL_PORTS and host in _LOOPBACK:
            return _Match(_LOCAL_PORTS[port], local=True, exact=True)
        return None


def _may_ask(provider: Provider, path: str) -> bool:
    if provider.name != "azure" or "/deployments/" not in path:
        return True
    version = _API_VERSION.search(path)
    return version is None or version[1] >= _AZURE_ASKS_SINCE


_DEFAULT = Directory()
is_known_host = _DEFAULT.is_known_host
recognise = _DEFAULT.recognise
