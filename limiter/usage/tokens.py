"""Token counts without the provider: exact for OpenAI's vocabularies, near enough for the others."""

import math
import re
from collections.abc import Iterable

from toktok import batch_count  # type: ignore[import-untyped]

MODERN = "o200k_base"
OLDER = "cl100k_base"
_OLDER = re.compile(r"(?:^|[/.])(?:gpt-3\.?5|gpt-35|gpt-4(?!o|\.|5|-?omni)|text-embedding-|davinci|babbage)")
"""Models with OpenAI's former vocabulary, however the provider prefixes their names."""

MARGIN = 1.05
"""What the text of a cut stream costs, over its count: median 0.96 to 1.00 across providers, so a little is added."""
DENSE_MARGIN = 1.2
"""Claude and Mistral cut text into more tokens than o200k does, by 14 to 20 %."""
_DENSE = re.compile(r"claude|mistral|mixtral|codestral|ministral|magistral|devstral|pixtral")
_DENSE_PROVIDERS = frozenset({"anthropic", "mistral"})


def vocabulary(model: str) -> str:
    return OLDER if _OLDER.search(model.lower()) else MODERN


def count(texts: Iterable[str], model: str = "") -> int:
    """Tokens of all `texts`, in the vocabulary of `model`."""
    # Lone surrogates have no UTF-8; they count as the question marks they would be sent as.
    clean = [text if text.isascii() else text.encode("utf-8", "replace").decode() for text in texts]
    return sum(batch_count(clean, vocabulary(model), threads=1)) if clean else 0


def dense(provider: str, model: str) -> bool:
    """Whether the model needs markedly more tokens for a text than o200k."""
    return provider in _DENSE_PROVIDERS or _DENSE.search(model.lower()) is not None


def of_output(provider: str, model: str, text: str) -> int:
    """What a provider would bill for output that was seen and not reported: rather a little more than less."""
    margin = DENSE_MARGIN if dense(provider, model) else MARGIN
    return math.ceil(count([text]) * margin)
