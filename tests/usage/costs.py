"""Prints what recorded exchanges cost by list beside what their providers reported: see scripts/corpus.

Exit status 1 when a difference has no reason, or a reason no difference.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from limiter.metering.formats import Recordings
from limiter.metering.meter import Meter
from limiter.metering.rows import dollars
from limiter.meters import Usage
from limiter.prices import Priced, Prices
from limiter.usage.providers import Directory

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
}
"""Recordings whose reported cost is not what list prices give, and why. The reported one is what is charged."""


class Unheeding(Prices):
    """Prices as if nobody had reported a cost."""

    def price(self, usage: Usage, *args: Any, **kwargs: Any) -> Priced:
        return super().price(replace(usage, cost=None), *args, **kwargs)


class Pair(NamedTuple):
    """What one recorded exchange cost, in billionths of a dollar."""

    id: str
    model: str
    listed: int
    reported: int

    @property
    def differs(self) -> bool:
        return abs(self.listed - self.reported) > CLOSE * self.reported


def pairs(folder: Path) -> Iterator[Pair]:
    """Of every recorded exchange whose provider told its cost."""
    meter = Meter(Unheeding(), Directory())
    for name in ("labelled", "unlabelled"):
        with Recordings(str(folder / f"{name}.jsonl.gz")) as recordings:
            for found in map(meter.measure, recordings):
                if found.priced and found.reported and found.reported.cost is not None:
                    yield Pair(found.id, found.model, found.priced.cost, found.reported.cost)


def main() -> None:
    found = list(pairs(Path(os.environ.get("AI_LIMIT_CORPUS", ""))))
    different = [pair for pair in found if pair.differs]
    print(f"{len(found) - len(different)} of {len(found)} costs by list are within {CLOSE:.0%} of what was reported:")
    for pair in different:
        reason = DIFFERENT.get(pair.id, "no reason is known")
        print(f"{pair.id}  {pair.model}  ${dollars(pair.listed)} / ${dollars(pair.reported)}  {reason}")
    sys.exit({pair.id for pair in different} != set(DIFFERENT))


if __name__ == "__main__":
    main()
