"""Whose prices count for what, and the few that genai-prices' data lack: tables."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

SOURCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "gemini": (("google", ""),),
    "vertex": (("google", ""),),
    "bedrock": (("aws", ""),),
    "bedrock-mantle": (("aws", ""),),
    "azure-ai": (("azure", ""),),
    "xai": (("x-ai", ""),),
    "moonshot": (("moonshotai", ""),),
    "voyage": (("voyageai", ""),),
    "zhipu": (("zhipuai", ""),),
    "copilot": (("github-copilot", ""),),
    # Not in the data under its own name; OpenRouter passes list prices on.
    "dashscope": (("openrouter", "qwen/"),),
    "writer": (("openrouter", "writer/"),),
    "ai21": (("openrouter", "ai21/"),),
    "huggingface": tuple(
        (f"huggingface_{name}", "")
        for name in (
            *("novita", "together", "fireworks-ai", "nebius", "nscale", "hyperbolic"),
            *("groq", "cerebras", "sambanova", "ovhcloud", "publicai"),
        )
    ),
}
"""Our provider → (provider of the data, what to put before the model's name). Others bear the same name in both."""

MAKERS: Mapping[str, str] = {
    "meta": "meta",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "xai": "x-ai",
    "z-ai": "zai",
}
"""Maker as model names spell it → provider of the data. Others bear the same name in both."""

GREAT = ("openai", "anthropic", "google")
"""Stand in for a provider that the data do not know."""

FREE: Mapping[str, tuple[str, ...]] = {
    "openai": ("moderation",),
    "google": ("gemma",),
    "github-copilot": ("gpt-",),
}
"""Provider → beginnings of models that are listed without any price as they are free. `:free` is so anywhere."""

GRATIS = ":free"
"""Ends the names of OpenRouter's models that cost nothing, listed or not."""


class Supplement(NamedTuple):
    """A price that the data lack."""

    provider: str
    """Of the data."""
    model: str
    """Beginning of the model's name."""
    prices: Mapping[str, str]
    """Dollars, by the keys of the data."""


# https://cohere.com/pricing ; https://docs.voyageai.com/docs/pricing ; Voyage's as passed on by
# https://openrouter.ai/voyageai , read on 2026-11-25.
# Not here: ollama.com, which tells no price by the token (the dearest price counts, unless `prices` says better), and
# DALL·E, which was shut down on 2026-05-12 (https://developers.openai.com/api/docs/deprecations).
SUPPLEMENTS = (
    Supplement("cohere", "rerank-v4.0-pro", {"rerank_searches_kcount": "2.5"}),
    Supplement("cohere", "rerank-", {"rerank_searches_kcount": "2"}),
    Supplement("cohere", "embed-", {"input_mtok": "0.1"}),
    Supplement("voyageai", "rerank-2.5-lite", {"input_mtok": "0.02"}),
    Supplement("voyageai", "rerank-2-lite", {"input_mtok": "0.02"}),
    Supplement("voyageai", "rerank-lite-1", {"input_mtok": "0.02"}),
    Supplement("voyageai", "rerank-", {"input_mtok": "0.05"}),
)
"""Looked at after the data; the first that begins the name counts."""

EXTRAS: Mapping[str, Mapping[str, Decimal]] = {
    # https://docs.x.ai/developers/pricing#tool-invocation-costs , read on 2026-11-25
    "x-ai": {"web_searches_kcount": Decimal(5)},
}
"""Provider of the data → what all its models cost beside what is listed of them."""


class Premium(NamedTuple):
    """What a place costs more than the listed one."""

    provider: str
    """Ours."""
    host: re.Pattern[str]
    model: re.Pattern[str]
    added: int
    """Hundredths."""


# The list has the prices of the global host.
# https://platform.claude.com/docs/en/about-claude/pricing#third-party-platform-pricing , read on 2026-11-25
PREMIUMS = (
    Premium(
        "vertex",
        re.compile(r"(?!aiplatform\.googleapis\.com$).+"),
        re.compile(r"claude-(?:(?:opus|sonnet|haiku)-(?:4[-.][5-9]|[5-9])|fable|mythos)"),
        10,
    ),
)

CONTEXTS: Mapping[str, Mapping[str, str]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    # OpenAI's tier, and Anthropic's `speed`; each reads its own key.
    "fast": {"service_tier": "fast", "speed": "fast"},
    # Vertex: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/deploy/consumption-options
    "on_demand_flex": {"service_tier": "flex"},
    "on_demand_priority": {"service_tier": "priority"},
}
"""Service tier as responses name it → genai-prices' `price_context`. Other tiers cost the standard price."""
