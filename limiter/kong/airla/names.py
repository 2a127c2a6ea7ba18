"""Names of the plugin: of windows in headers, and of providers."""

from collections.abc import Mapping
from types import MappingProxyType

WINDOWS: Mapping[int, str] = MappingProxyType(
    {1: "second", 60: "minute", 3600: "hour", 86_400: "day", 2_592_000: "month", 31_536_000: "year"}
)
"""Seconds → label. Other sizes go by their number."""

REQUEST_PROMPT = "requestPrompt"
"""Counts what a function makes of the request."""
CUSTOM_COST = "customCost"
"""Counts what a function makes of the exchange."""

PROVIDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anthropic": ("anthropic",),
        "azure": ("azure",),
        "bedrock": ("bedrock", "bedrock-mantle"),
        "cohere": ("cohere",),
        "gemini": ("gemini", "vertex"),
        "huggingface": ("huggingface",),
        # Llama on one's own machines, whatever serves it.
        "llama2": ("llama2", "ollama", "vllm", "lmstudio", "gpustack"),
        "mistral": ("mistral",),
        "openai": ("openai",),
    }
)
"""Kong's name → ours, in the provider table."""
KNOWN: frozenset[str] = frozenset(PROVIDERS).union(*PROVIDERS.values())
"""Names of providers of either kind; ours are more."""
_THEIRS: Mapping[str, str] = MappingProxyType({name: kong for kong, ours in PROVIDERS.items() for name in ours})


def window_label(seconds: int) -> str:
    """`minute`, `hour`, `300`."""
    return WINDOWS.get(seconds, str(seconds))


def ours(provider: str) -> frozenset[str]:
    """Our names of a provider; its own where Kong has no such provider."""
    return frozenset(PROVIDERS.get(provider, (provider,)))


def theirs(provider: str) -> str:
    """Kong's name of a provider of ours; ours where Kong does not know it."""
    return _THEIRS.get(provider, provider)
