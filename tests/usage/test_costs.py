"""Costs by list price against those that providers reported, over recordings: set AI_LIMIT_CORPUS to run these."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from limiter.metering.formats import Recordings
from limiter.metering.meter import Meter
from limiter.meters import Usage
from limiter.prices import Priced, Prices
from limiter.usage.providers import Directory
from tests.usage.table import differences, labels, metered

FOLDER = os.environ.get("AI_LIMIT_CORPUS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="AI_LIMIT_CORPUS is not set")

CLOSE = 0.02
"""Of the reported cost."""

FEE = "a fee of OpenRouter's for a tool, a search or a request, of which its counts show nothing"
ROUTE = "OpenRouter took another party than the one whose price is listed"
EARLIER = "the price changed since, and the recording bears no date"
IMAGES = "priced by the image; the list knows tokens only"
DIFFERENT: dict[str, str] = {
    "openrouter/chat-json-03": FEE,
    "openrouter/chat-json-09": FEE,
    "openrouter/chat-json-17": FEE,
    "openrouter/chat-json-thinking-03": FEE,
    "openrouter/chat-json-thinking-04": ROUTE,
    "openrouter/chat-json-thinking-07": FEE,
    "openrouter/chat-json-thinking-08": EARLIER,
    "openrouter/chat-json-tools-04": ROUTE,
    "openrouter/chat-sse-05": FEE,
    "openrouter/chat-sse-07": FEE,
    "openrouter/chat-sse-08": FEE,
    "openrouter/images-json-media-01": "the list has Google's price of image tokens and not OpenRouter's",
    "openrouter/images-json-media-02": "the list has Google's price of image tokens and not OpenRouter's",
    "openrouter/responses-json-cached-01": EARLIER,
    "openrouter/responses-json-cachewrite-01": EARLIER,
    "openrouter/responses-sse-thinking-01": ROUTE,
    "perplexity/chat-json-01": "the list assumes the dearest search context, the request took the smallest",
    "perplexity/chat-json-02": "the list assumes the dearest search context, the request took the smallest",
    "perplexity/chat-sse-01": "the list assumes the dearest search context, the request took the smallest",
    "xai/images-edits-json-01": IMAGES,
    "xai/images-generations-json-01": IMAGES,
    "xai/responses-json-thinking-cached-03": "two web searches, which are counted apart from `usage`",
}
"""Recordings whose reported cost is not what list prices give, and why. The reported one is what is charged."""


class Unheeding(Prices):
    """Prices as if nobody had reported a cost."""

    def price(self, usage: Usage, *args: Any, **kwargs: Any) -> Priced:
        return super().price(replace(usage, cost=None), *args, **kwargs)


def pairs() -> Iterator[tuple[str, int, int]]:
    """Id, cost by list, cost as reported."""
    meter = Meter(Unheeding(), Directory())
    for name in ("labelled", "unlabelled"):
        with Recordings(str(Path(FOLDER) / f"{name}.jsonl.gz")) as recordings:
            for found in map(meter.measure, recordings):
                if found.priced and found.reported and found.reported.cost is not None:
                    yield found.id, found.priced.cost, found.reported.cost


def test_costs_are_those_that_providers_report() -> None:
    """But for the differences that are listed with their reasons; no reason is left over."""
    found = list(pairs())
    different = {name for name, ours, theirs in found if abs(ours - theirs) > CLOSE * theirs}

    assert len(found) > 70
    assert different == set(DIFFERENT)


def test_every_exchange_is_measured_as_labelled() -> None:
    """By the path that `ai-limit meter` takes."""
    expected = labels(Path(FOLDER))
    wrong = [
        found.id
        for found in metered(Path(FOLDER), "labelled")
        if expected[found.id]["exactness"] != "ambiguous" and any(differences(expected[found.id], found).values())
    ]

    # The labels take xAI's realtime sessions to report nothing; their `response.done` has a `usage` beside `response`.
    assert wrong == ["xai/realtime-xai-01", "xai/realtime-xai-03"]
