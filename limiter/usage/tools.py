"""Tools that a request offers its model: those of the client, and those that the provider runs itself.

What the latter find comes into the prompt, and their use may be billed apart.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from limiter.usage.jsonpeek import opened
from limiter.usage.passages import note_cache
from limiter.usage.prompt import Prompt

SEARCHES = 10
"""Searches that a tool makes for one request, where the request does not say: more than models use, but for research
that goes on for minutes."""
PICTURES = 4
"""Pictures that a tool makes for one request, likewise."""

_OWN = frozenset({"function", "custom", "namespace"})
_BUILT_IN = re.compile(r"^(?:bash_|text_editor_|computer|memory_|local_shell|apply_patch)")
"""Types of tools that the provider describes and the client runs. All other types bring what they find into the prompt,
or call another model."""
_UNTYPED = frozenset({"name", "function", "parameter_definitions"})
"""A tool without a type, but with one of these, is the client's own."""
_OWN_OPTIONS = frozenset({"functionDeclarations", "function_declarations", "cachePoint", "toolSpec"})
ASK_TWICE = re.compile("advisor|compact")
"""Tools and edits that have a model read everything once more."""


def read_tools(prompt: Prompt, value: Any) -> None:
    """Adds what the tools may bring to what is known of the prompt."""
    if isinstance(value, dict):  # Bedrock
        value = opened(value.get("tools"))
    for raw in value if isinstance(value, list) else ():
        tool = opened(raw)
        if not isinstance(tool, dict):
            continue
        if "cache_control" in tool:
            note_cache(prompt, tool["cache_control"])
        if "cachePoint" in tool:
            note_cache(prompt, tool["cachePoint"])
        for kind in _served_kinds(tool):
            _read_served(prompt, kind, tool)
        kind = opened(tool.get("type"))
        prompt.built_in += isinstance(kind, str) and _BUILT_IN.match(kind) is not None


def _served_kinds(tool: Mapping[str, Any]) -> Iterable[str]:
    """What of a tool the provider runs."""
    kind = opened(tool.get("type"))
    if kind is not None:
        own = kind in _OWN or (isinstance(kind, str) and _BUILT_IN.match(kind) is not None)
        return () if own else (str(kind),)
    if tool.keys() & _OWN_OPTIONS or not tool.keys() & _UNTYPED:
        return tool.keys() - _OWN_OPTIONS  # Google's and Bedrock's are options of one object, each a tool of its own.
    return ()


def _read_served(prompt: Prompt, kind: str, tool: Mapping[str, Any]) -> None:
    """A tool that the provider runs."""
    prompt.hidden = True
    kind = kind.lower()
    if ASK_TWICE.search(kind):
        prompt.repeated = True
    if kind == "image_generation":
        prompt.draws = PICTURES
    elif "search" in kind or "research" in kind:
        parameters = opened(tool.get("parameters"))
        most = opened(tool.get("max_uses", parameters.get("max_uses") if isinstance(parameters, dict) else None))
        prompt.searches += most if type(most) is int and most >= 0 else SEARCHES
