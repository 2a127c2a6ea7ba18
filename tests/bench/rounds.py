"""Requests as fast as they go: answers a second and processor time a request, each beside bare mitmdump's."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench import load
from tests.bench.table import head, ratios, row, show, verdict
from tests.bench.targets import STOCK, STREAMING, Running

CONNECTIONS = 16
STREAMS = 8
CHUNKS = 500
"""Pieces of a stream that goes as fast as it can; so many that the cost of the request itself hardly counts."""
PACED = 100
"""Pieces of a stream that takes its time."""
GAP_US = 5_000
CHUNK_BOUND_US = 20.0


@dataclass(frozen=True, slots=True)
class Sample:
    rate: float
    """Answers a second."""
    cpu_us: float
    """Processor time of the proxy for one answer."""
    delay_us: float = 0.0
    """Median time from the upstream's send of a piece to its arrival."""


Samples = dict[str, list[Sample]]
Measure = Callable[[Running], Sample]


def throughput(targets: Sequence[Running], rounds: int, seconds: float) -> None:
    """JSON answers of 1 KB over keep-alive connections."""
    samples = _alternate(targets, rounds, lambda target: _measure(target, seconds, CONNECTIONS))
    show(
        head(f"JSON, {CONNECTIONS} connections", "req/s", "x stock", "bound", "CPU us/req", "CPU x stock", "x from–to")
    )
    reference = samples[STOCK.name]
    for target in (running.target for running in targets):
        rates = ratios([s.rate for s in samples[target.name]], [s.rate for s in reference])
        cpus = ratios([s.cpu_us for s in samples[target.name]], [s.cpu_us for s in reference])
        show(
            row(
                target.name,
                f"{median(s.rate for s in samples[target.name]):.0f}",
                f"{median(rates):.3f}",
                verdict(median(rates), target.bound, least=True, form=".2f"),
                f"{median(s.cpu_us for s in samples[target.name]):.0f}",
                f"{median(cpus):.3f}",
                f"{min(rates):.2f}–{max(rates):.2f}",
            )
        )


def streams(targets: Sequence[Running], rounds: int, seconds: float, *, ask_usage: bool) -> None:
    """Streams: our part of the processor time of a chunk, and the delay that we add to one that comes alone."""

    def measure(target: Running) -> Sample:
        burst = _measure(target, seconds, STREAMS, chunks=CHUNKS, ask_usage=ask_usage)
        paced = _measure(target, 0.1, 1, chunks=PACED, gap_us=GAP_US, ask_usage=ask_usage)
        return Sample(burst.rate, burst.cpu_us / CHUNKS, paced.delay_us)

    samples = _alternate(targets, rounds, measure)
    who = "client asks usage" if ask_usage else "proxy asks usage"
    show(head(f"SSE, {who}", "streams/s", "x streaming", "CPU us/chunk", "ours us", "bound us", "delay us", "added us"))
    reference = samples[STREAMING.name]
    for target in (running.target for running in targets):
        own = samples[target.name]
        ours = median(s.cpu_us - r.cpu_us for s, r in zip(own, reference, strict=True))
        show(
            row(
                target.name,
                f"{median(s.rate for s in own):.1f}",
                f"{median(ratios([s.rate for s in own], [r.rate for r in reference])):.3f}",
                f"{median(s.cpu_us for s in own):.1f}",
                f"{ours:+.1f}",
                verdict(ours, CHUNK_BOUND_US if target.store else None, least=False, form=".0f"),
                f"{median(s.delay_us for s in own):.0f}",
                f"{median(s.delay_us - r.delay_us for s, r in zip(own, reference, strict=True)):+.0f}",
            )
        )


def _alternate(targets: Sequence[Running], rounds: int, measure: Measure) -> Samples:
    """Every target once in each round, in an order drawn anew; the first, unrecorded round warms them up."""
    samples: Samples = defaultdict(list)
    for number in range(rounds + 1):
        for target in random.sample(targets, len(targets)):
            sample = measure(target)
            if number:
                samples[target.target.name].append(sample)
    return samples


def _measure(
    target: Running, seconds: float, connections: int, *, chunks: int = 0, gap_us: int = 0, ask_usage: bool = True
) -> Sample:
    sent = load.request(f"127.0.0.1:{target.port}", chunks=chunks, gap_us=gap_us, ask_usage=ask_usage)
    before = target.cpu()
    tally = asyncio.run(load.run(target.port, sent, seconds=seconds, connections=connections, stamped=gap_us > 0))
    used = target.cpu() - before
    delay = median(tally.delays) / 1e3 if tally.delays else 0.0
    return Sample(tally.answers / tally.seconds, used * 1e6 / tally.answers, delay)
