"""Anthropic: the three parts of the prompt are disjoint, and there is no total.

https://docs.anthropic.com/en/api/messages#response-usage
https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool
https://platform.claude.com/docs/en/build-with-claude/fast-mode
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from limiter.usage.counts import Counts, sums
from limiter.usage.jsonpeek import count, dig, text
from limiter.usage.reader import Reader, paths, tree


def prepared(native: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was served fast has a price of its own, like a tier, though its tier is another matter."""
    if dig(native, ("speed",)) == FAST:
        native = {**native, "service_tier": FAST}
    return _all_passes(native)


def _all_passes(native: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sum of the passes, where some are no message: the top-level counts leave out compaction and advisors."""
    passes = native.get("iterations")
    if not isinstance(passes, list) or all(dig(one, ("type",)) == "message" for one in passes):
        return native
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    totals = {name: sum(count(dig(one, (name,))) or 0 for one in passes) for name in names}
    created = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
    totals["cache_creation"] = {
        name: sum(count(dig(one, ("cache_creation", name))) or 0 for one in passes) for name in created
    }  # type: ignore[assignment]
    return {**native, **totals}


def advisors(native: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Passes of other models, which are paid at their own rates."""
    passes = native.get("iterations")
    for one in passes if isinstance(passes, list) else ():
        if isinstance(one, dict) and one.get("type") != "message" and (model := text(one.get("model"))):
            yield model, {**one, "iterations": None, "inference_geo": native.get("inference_geo")}


FAST = "fast"
US_PREMIUM = 10
"""Hundredths that it costs more to stay within the United States.
https://platform.claude.com/docs/en/manage-claude/data-residency , read on 2026-11-25"""
CREATION = (
    "cache_creation_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens + cache_creation.ephemeral_1h_input_tokens",
)
_COUNTS = Counts(
    prompt=sums("input_tokens + cache_read_input_tokens + cache_creation_input_tokens"),
    completion=sums("output_tokens"),
    cached=sums("cache_read_input_tokens"),
    cache_creation=sums(*CREATION),
    cache_creation_1h=sums("cache_creation.ephemeral_1h_input_tokens"),
    apart=sums("cache_read_input_tokens + cache_creation_input_tokens"),
    reasoning=sums("output_tokens_details.thinking_tokens"),
    web_searches=sums("server_tool_use.web_search_requests"),
    tier=paths("service_tier"),
    premiums=((("inference_geo",), "us", US_PREMIUM),),
    prepare=prepared,
    others=advisors,
    also=("iterations", "speed"),
)
ANTHROPIC = Reader(
    counts=_COUNTS,
    # message_start has the prompt and a placeholder for the output, message_delta what is true at the end.
    usage=paths("message.usage", "usage"),
    model=paths("message.model", "model"),
    id=paths("message.id", "id"),
    text=tree(
        "delta.text", "delta.thinking", "delta.partial_json", "content_block.text", "content_block.name",
        "content.text", "content.thinking", "content.name", "content.input", "completion",
    ),
    ends=((("type",), frozenset({"message_stop"})), (("stop_reason",), frozenset({"stop_sequence", "max_tokens"}))),
    stops=tree("delta.stop_reason"),
)  # fmt: skip
ANTHROPIC_BATCH_RESULTS = replace(
    ANTHROPIC, usage=paths("result.message.usage"), model=paths("result.message.model"), id=paths("result.message.id"),
    text={}, sums=True, service_tier="batch",
)  # fmt: skip
