"""The providers' SDKs, made to talk through a proxy or to another base URL.

No client retries, and none reads proxies or authorities from the environment.
"""

import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import AzureOpenAI, OpenAI

if TYPE_CHECKING:  # Imported where they are made: few tests need them.
    import cohere
    import groq
    import httpx
    import huggingface_hub
    import mistralai.client
    import ollama

KEY = "sk-test-0123456789"
AZURE_HOST = "myres.openai.azure.com"


@dataclass(frozen=True, slots=True)
class Route:
    """How clients reach the providers."""

    proxy: str = ""
    """URL of a forward proxy; empty: none."""
    base: str = ""
    """Scheme, host and port that stand in for each provider's; empty: the provider's own."""
    ca_file: Path | None = None
    """What the clients trust, and nothing else."""

    def http(self) -> httpx2.Client:
        """A plain HTTP client. The SDKs accept one, which is how proxy and trust are set without the environment."""
        return httpx2.Client(proxy=self.proxy or None, verify=self.trust(), trust_env=False, timeout=30)

    def async_http(self) -> httpx2.AsyncClient:
        """The same for the SDKs' asynchronous clients."""
        return httpx2.AsyncClient(proxy=self.proxy or None, verify=self.trust(), trust_env=False, timeout=30)

    def old_http(self) -> "httpx.Client":
        """As `http()`, of the library's former name, which some SDKs still stand on."""
        import httpx

        return httpx.Client(proxy=self.proxy or None, verify=self.trust(), trust_env=False, timeout=30)

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


class Clients:
    """Makes SDK clients for a route; all of them are closed by `close()`.

    Those of `cohere` and after keep their own rules of when to retry. But for `cohere` and `bedrock` they always ask
    the provider's own host.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def http(self, route: Route) -> httpx2.Client:
        return self._stack.enter_context(route.http())

    def openai(self, route: Route, key: str = KEY) -> OpenAI:
        base = f"{route.base or 'https://api.openai.com'}/v1"
        return OpenAI(api_key=key, base_url=base, http_client=self.http(route), max_retries=0)

    def azure(self, route: Route, key: str = KEY) -> AzureOpenAI:
        return AzureOpenAI(
            api_key=key,
            azure_endpoint=route.base or f"https://{AZURE_HOST}",
            api_version="2024-10-21",
            http_client=self.http(route),
            max_retries=0,
        )

    def anthropic(self, route: Route, key: str = KEY) -> Anthropic:
        return Anthropic(
            api_key=key, base_url=route.base or "https://api.anthropic.com", http_client=self.http(route), max_retries=0
        )

    def gemini(self, route: Route, key: str = KEY) -> genai.Client:
        """Keep it in a variable while a stream is read: it closes its connections when it is collected."""
        base = route.base or "https://generativelanguage.googleapis.com"
        options = types.HttpOptions(base_url=base, httpx_client=self.http(route))
        return genai.Client(api_key=key, http_options=options, vertexai=False)

    def cohere(self, route: Route, key: str = KEY) -> "cohere.ClientV2":
        import cohere

        base = route.base or "https://api.cohere.com"
        return cohere.ClientV2(key, httpx_client=self._old_http(route), base_url=base)

    def mistral(self, route: Route, key: str = KEY) -> "mistralai.client.Mistral":
        from mistralai.client import Mistral

        # It would make an asynchronous client that reads the environment.
        return Mistral(api_key=key, client=self.http(route), async_client=route.async_http())

    def groq(self, route: Route, key: str = KEY) -> "groq.Groq":
        import groq

        return groq.Groq(api_key=key, base_url="https://api.groq.com", http_client=self._old_http(route))

    def ollama(self, route: Route, host: str, key: str = KEY) -> "ollama.Client":
        import ollama

        way = {"proxy": route.proxy or None, "verify": route.trust(), "trust_env": False, "timeout": 30}
        client = ollama.Client(host, headers={"authorization": f"Bearer {key}"}, **way)
        self._stack.callback(client.close)
        return client

    def huggingface(self, route: Route, **options: Any) -> "huggingface_hub.InferenceClient":
        """One at a time: all share one HTTP client. Keep it in a variable while a stream is read, as for `gemini`."""
        import huggingface_hub
        from huggingface_hub.utils import _http

        # Else it would ask the hub which programs are agents.
        huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
        huggingface_hub.set_client_factory(route.http)
        self._stack.callback(huggingface_hub.set_client_factory, _http.default_client_factory)
        return huggingface_hub.InferenceClient(token="hf_0123456789", **options)

    def bedrock(self, route: Route, **options: Any) -> Any:
        """
        Args:
            options: of `botocore.config.Config`.
        """
        import boto3
        from botocore.config import Config

        proxies = {"http": route.proxy, "https": route.proxy} if route.proxy else {}
        config = Config(proxies=proxies, ignore_configured_endpoint_urls=True, **options)
        client = boto3.Session("AKIATEST", "secret", region_name="us-east-1").client(
            "bedrock-runtime",
            config=config,
            endpoint_url=route.base or None,
            verify=str(route.ca_file) if route.ca_file else True,
        )
        self._stack.callback(client.close)
        return client

    def close(self) -> None:
        self._stack.close()

    def _old_http(self, route: Route) -> "httpx.Client":
        return self._stack.enter_context(route.old_http())
