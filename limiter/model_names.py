"""The spellings under which a price list may know a model that a request names."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

_PATH = re.compile(r"^(?:.*/)?(?:models|tunedmodels|foundation-model|inference-profile|deployments|endpoints)/(?=.)")
"""`models/x` and `publishers/google/models/x` (Google), `accounts/fireworks/models/x`, ARNs of Bedrock.
The id in the ARN of an application profile or a custom model says nothing of the model and is left as it is."""
_VARIANT = re.compile(r":(?:thinking|nitro|floor|online|exacto|extended|beta)$")
"""How OpenRouter routes, https://openrouter.ai/docs/guides/routing/model-variants. Not `:free`, which is a price."""
_REGION = re.compile(r"^(?:us|us-gov|eu|apac|ap|au|jp|ca|sa|global)\.(?=[a-z0-9]+\.)")
"""Bedrock's cross-region inference profiles."""
_VENDOR_VERSION = re.compile(r"-v\d+(?::\d+[a-z0-9:]*)?$")
"""Bedrock's `-v1:0`."""
_SNAPSHOT = re.compile(r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d|\d{3,4})|-latest|@default)$")
"""Date or number of a snapshot. A new snapshot mostly costs what the model costs."""
_OLD_CLAUDE = re.compile(r"^(?:anthropic\.)?claude-v2(?::\d+)*$")
"""Bedrock's name of Claude 2."""
_GLUED = re.compile(r"\bgpt(?=\d)")
"""`gpt4o`, as Azure deployments are often called."""

NAMED_BY_USERS = frozenset({"azure"})
"""Providers where the name is that of a deployment: `prod-gpt-4o-eu`."""


def spellings(provider: str, model: str) -> Iterator[str]:
    """Lower-case names to look for, the most exact first; they may repeat."""
    name = unquote(model).strip().lower()
    yield name
    bare = _PATH.sub("", name)
    yield bare
    for shorter in (_VARIANT.sub("", bare), _REGION.sub("", bare)):
        yield shorter
        yield _SNAPSHOT.sub("", shorter)
    if provider in NAMED_BY_USERS:
        yield from _within(_GLUED.sub("gpt-", bare.replace("_", "-").replace(" ", "-")))


def _within(name: str) -> Iterator[str]:
    """Runs of the name's words, the longest first: a deployment is usually called after its model."""
    words = name.split("-")[:8]
    for length in range(len(words), 1, -1):
        for start in range(len(words) - length + 1):
            yield "-".join(words[start : start + length])
    yield from (word for word in words if any(map(str.isdigit, word)))  # `prod-o3`


def vendor(model: str) -> tuple[str, str]:
    """Who made the model and what they call it, where the name says so: `openai/gpt-4o`, `us.anthropic.claude-x-v1:0`.

    Both empty where it does not.
    """
    name = _REGION.sub("", _PATH.sub("", unquote(model).strip().lower()))
    if "/" in name:
        maker, _, rest = name.rpartition("/")
        return maker.rpartition("/")[2], _VARIANT.sub("", rest)
    maker, dot, rest = name.partition(".")
    if _OLD_CLAUDE.match(name):
        return "anthropic", "claude-2"
    if dot and maker.isalpha():
        return maker, _VENDOR_VERSION.sub("", rest)
    return "", ""
