"""Who is asking: address, credential, application and session of a request, from its headers.

Secrets leave this module only as digests. Header names are lower case, as in `Facts`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from limiter.settings import Network

__all__ = ["CLIENTS", "Client", "client", "client_address", "credential", "digest", "is_trusted", "session"]

Address = IPv4Address | IPv6Address

_LONGEST = 200
"""Characters of a session id that are kept; it becomes part of keys."""


def digest(secret: str) -> str:
    """16 hexadecimal digits that tell secrets apart and do not give them away; empty for the empty text."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:16] if secret else ""


# --- credential ---------------------------------------------------------------------------------------------------

_ANY = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
KEY_HEADERS: Mapping[str, tuple[str, ...]] = {
    "openai": ("authorization",),  # https://platform.openai.com/docs/api-reference/authentication
    "anthropic": ("x-api-key", "authorization", "api-key"),  # https://docs.anthropic.com/en/api/overview
    "azure": ("api-key", "authorization"),  # https://learn.microsoft.com/azure/ai-foundry/openai/reference
    "gemini": ("x-goog-api-key", "authorization"),  # https://ai.google.dev/gemini-api/docs/api-key
    "bedrock": ("authorization",),  # https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
    "cohere": ("authorization",),  # https://docs.cohere.com/reference/about
    "mistral": ("authorization",),  # https://docs.mistral.ai/api
}
"""Wire format → headers that may hold the key, those that the API prefers first. Only these count: in a header that the
upstream does not read, a client could send a new value each time and so never meet a limit per credential."""
KEY_PARAMETERS = ("key", "api-key")
"""Query parameters that hold a key: Gemini's, and Azure's for WebSockets."""

_SIGNED = re.compile(r"AWS4-[A-Z0-9-]+\s+.*?Credential=([^/,\s]+)", re.IGNORECASE | re.DOTALL)
"""Signatures change with each request; the id of the access key stays."""
_SCHEME = re.compile(r"(?:bearer|basic|token)(?:\s+|$)", re.IGNORECASE)
_SUBPROTOCOL = re.compile(r"openai-insecure-api-key\.([^,\s]+)")
"""Browsers' WebSockets cannot set headers: https://platform.openai.com/docs/guides/realtime-websocket"""


def credential(headers: Mapping[str, str], query: Mapping[str, str], api: str = "") -> str:
    """Digest of the key or token that the request shows to the model's provider; empty when it shows none.

    One key has one digest, whichever header holds it. `proxy-authorization` is meant for the proxy and is not read.

    Args:
        api: wire format (`Facts.api`); without it any header that ever holds a key counts.
    """
    for name in KEY_HEADERS.get(api, _ANY):
        if value := headers.get(name, "").strip():
            signed = _SIGNED.match(value)
            return digest(signed[1] if signed else _SCHEME.sub("", value, count=1).strip())
    for name in KEY_PARAMETERS:
        if value := query.get(name, "").strip():
            return digest(value)
    if signer := query.get("X-Amz-Credential", ""):
        return digest(signer.partition("/")[0])
    offered = _SUBPROTOCOL.search(headers.get("sec-websocket-protocol", ""))
    return digest(offered[1]) if offered else ""


# --- address ------------------------------------------------------------------------------------------------------

_FORWARDED_FOR = re.compile(r'(?:^|[;\s])for\s*=\s*("[^"]*"|[^;\s]*)', re.IGNORECASE)


def client_address(peer: str, headers: Mapping[str, str], trusted: tuple[Network, ...]) -> str:
    """The client's address, canonical; the empty text where the peer has none (a Unix socket).

    Forwarded addresses count only from trusted peers, and are walked from the peer outwards up to the first that is not
    trusted: that one was seen by a trusted machine, whatever stands before it is the client's own word. A hop that is
    no address ends the walk.

    Args:
        peer: address at the other end of the connection.
    """
    found = _parse(peer)
    if found is None:
        return ""
    for hop in _hops(headers) if trusted else ():
        if not any(found in network for network in trusted):
            break
        before = _parse(hop)
        if before is None:
            break
        found = before
    return str(found)


def is_trusted(peer: str, trusted: tuple[Network, ...]) -> bool:
    """Whether headers that tell of others count when they come from that address."""
    found = _parse(peer) if trusted else None
    return found is not None and any(found in network for network in trusted)


def _hops(headers: Mapping[str, str]) -> Iterator[str]:
    """Forwarded addresses, the nearest first. Of several headers only one is read, as others may be the client's."""
    if listed := headers.get("x-forwarded-for", "").strip():
        yield from reversed(listed.split(","))
    elif forwarded := headers.get("forwarded", "").strip():  # RFC 7239
        for element in reversed(forwarded.split(",")):
            named = _FORWARDED_FOR.search(element)
            yield named[1] if named else ""
    elif single := headers.get("x-real-ip", ""):
        yield single


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    """An address with or without port, brackets, quotes and zone."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


# --- application and session --------------------------------------------------------------------------------------


class Client(NamedTuple):
    """How an application is recognised: by any of these."""

    name: str
    agent: str = r"(?!)"
    """Regular expression, searched in `user-agent`; case does not matter."""
    headers: Mapping[str, str] = {}
    """Header → regular expression, searched in its value."""


CLIENTS: tuple[Client, ...] = (
    # Coding agents come first: they embed the SDKs below and some carry both names.
    Client("claude-code", r"^claude-(?:cli|code)/", {"x-claude-code-session-id": ""}),
    Client("codex", r"^codex", {"originator": "^codex", "x-codex-turn-metadata": "", "x-codex-window-id": ""}),
    Client("gemini-cli", r"^GeminiCLI"),
    Client("opencode", r"\bopencode/", {"x-opencode-session": "", "x-session-affinity": ""}),
    Client("aider", r"\baider/", {"x-title": "^aider$", "http-referer": r"//aider\.chat"}),
    Client("cline", r"\bcline/", {"x-title": "^cline$", "http-referer": r"//cline\.bot"}),
    Client("roo-code", r"\bRooCode/", {"x-title": "^roo code$"}),
    Client("kilo-code", r"\bKilo-?Code/", {"x-title": "^kilo code$"}),
    Client("cursor", r"\bcursor/", {"x-cursor-client-version": ""}),
    Client("github-copilot", r"^GitHubCopilot", {"copilot-integration-id": ""}),
    # Frameworks, over the SDKs.
    Client("litellm", r"\blitellm/"),
    Client("langchain", r"\blangchain", {"x-goog-api-client": "langchain"}),
    Client("vercel-ai-sdk", r"\bai-sdk/|^ai/\d"),
    # SDKs. Stainless builds: `[Async][Azure|Bedrock|Vertex…]Name/Language version`.
    Client("anthropic-python", r"\bAsyncAnthropic\w*/Python|\bAnthropic\w*/Python"),
    Client("anthropic-ts", r"\bAnthropic\w*/JS"),
    Client("anthropic-go", r"\bAnthropic\w*/Go"),
    Client("anthropic-java", r"\bAnthropic\w*/Java"),
    Client("openai-python", r"\b(?:Async)?(?:Azure|Bedrock)?OpenAI/Python"),
    Client("openai-node", r"\b(?:Azure|Bedrock)?OpenAI/JS"),
    Client("openai-go", r"\b(?:Azure)?OpenAI/Go"),
    Client("openai-java", r"\b(?:Azure)?OpenAI(?:Client\w*)?/Java"),
    Client("groq-python", r"\b(?:Async)?Groq/Python"),
    Client("groq-node", r"\bGroq/JS"),
    Client("google-genai", r"\bgoogle-genai-sdk/", {"x-goog-api-client": "google-genai-sdk/"}),
    Client("cohere", r"^cohere[/-]", {"x-fern-sdk-name": "^cohere"}),
    Client("mistral", r"\bmistral(?:ai|-client)", {"x-fern-sdk-name": "^mistral"}),
    Client("boto3", r"^(?:boto3|botocore|aws-cli)/"),
    Client("aws-sdk", r"^aws-sdk-"),
    Client("ollama", r"^ollama[/-]"),
    Client("huggingface", r"\bhf_hub/"),
    # Anything else.
    Client("curl", r"^curl/"),
    Client("python-requests", r"^python-requests/"),
    Client("httpx", r"^python-httpx"),
    Client("browser", r"^Mozilla/5\.0 .*(?:Gecko|WebKit)"),
)
"""Read off the clients' own traffic. `x-title` and `http-referer` are what applications tell OpenRouter of themselves,
https://openrouter.ai/docs/app-attribution."""

_AGENTS = tuple((each.name, re.compile(each.agent, re.IGNORECASE)) for each in CLIENTS)
_MARKS = tuple(
    (each.name, name, re.compile(pattern, re.IGNORECASE)) for each in CLIENTS for name, pattern in each.headers.items()
)
_RANK = {each.name: rank for rank, each in enumerate(CLIENTS)}


def client(headers: Mapping[str, str]) -> str:
    """Name of the calling application in `CLIENTS`; empty when it is none of them."""
    found = [name for name, header, pattern in _MARKS if header in headers and pattern.search(headers[header])]
    if named := _by_agent(headers.get("user-agent", "")):
        found.append(named)
    return min(found, key=_RANK.__getitem__, default="")


@lru_cache(maxsize=1024)
def _by_agent(agent: str) -> str:
    return next((name for name, pattern in _AGENTS if pattern.search(agent)), "")


SESSION_HEADERS = (
    "x-claude-code-session-id",  # Claude Code
    "session-id",  # Codex; `session_id` before 2026
    "session_id",
    "thread-id",
    "x-session-id",  # opencode
    "x-opencode-session",
    "x-session-affinity",
)


def session(headers: Mapping[str, str]) -> str:
    """The id that the application gives to the conversation at hand; empty when it gives none."""
    values = (headers.get(name, "").strip() for name in SESSION_HEADERS)
    return next(filter(None, values), "")[:_LONGEST]
