"""The providers' SDKs, made to talk through a proxy or to another base URL.

No client retries, and none reads proxies or authorities from the environment.
"""

import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import AzureOpenAI, OpenAI

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
        return httpx2.Client(proxy=self.proxy or None, verify=self._trust(), trust_env=False, timeout=30)

    def async_http(self) -> httpx2.AsyncClient:
        """The same for the SDKs' asynchronous clients."""
        return httpx2.AsyncClient(proxy=self.proxy or None, verify=self._trust(), trust_env=False, timeout=30)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


class Clients:
    """Makes SDK clients for a route; all of them are closed by `close()`."""

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

    def close(self) -> None:
        self._stack.close()
