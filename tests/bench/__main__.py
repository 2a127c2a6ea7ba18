"""Measures what ai-limit costs beside bare mitmdump: `scripts/bench [--rounds N] [--seconds S] [NAME …]`.

All targets run at once; in each round each of them is loaded once, in an order drawn anew, and compared with the
reference of the same round: absolute numbers say little on a busy machine, ratios do. Always exits with 0 when it could
measure: it is no gate.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.bench import rounds, stores
from tests.bench.consumers import consumers
from tests.bench.items import items
from tests.bench.lua_calls import lua_calls
from tests.bench.overshoot import overshoot
from tests.bench.room import room
from tests.bench.table import note
from tests.bench.targets import ROOT, STOCK, STREAMING, TARGETS, Running, Target, pin, started

SECTIONS = ("throughput", "streams", "tap", "decision", "items", "consumers", "stores", "sync", "lua")


def main() -> None:
    options = _options()
    names = {*options.only, *options.names}
    sections = [name for name in SECTIONS if name in names] or list(SECTIONS)
    chosen = [target for target in TARGETS if target.name in names]
    with tempfile.TemporaryDirectory(prefix="ai-limit-bench-") as name:
        folder = Path(name)
        if "throughput" in sections or "streams" in sections:
            _proxies(options, sections, chosen, folder)
        if "tap" in sections:
            # Imported here: a part of the product that cannot be loaded must not keep the others from being measured.
            from tests.bench.taps import taps

            taps()
        if "decision" in sections:
            from tests.bench.decisions import decisions

            decisions(folder)
        if "items" in sections:
            items()
        if "consumers" in sections:
            consumers()
        if "stores" in sections:
            stores.stores()
            room()
        if "sync" in sections:
            overshoot()
        if "lua" in sections:
            lua_calls()


def _proxies(options: argparse.Namespace, sections: Sequence[str], chosen: Sequence[Target], folder: Path) -> None:
    wanted = [target for target in TARGETS if not chosen or target in (*chosen, STOCK, STREAMING)]
    pin(os.getpid(), 1)
    with ExitStack() as stack:
        upstream = stack.enter_context(_upstream())
        urls: dict[str, str] = {}
        for kind in {target.store for target in wanted}.intersection(stores.SERVERS):
            urls[kind], process = stack.enter_context(stores.served(kind, folder))
            pin(process, 1)
        running: list[Running] = []
        for target in wanted:
            note(f"starting {target.name}")
            try:
                placed = replace(target, store=urls.get(target.store, target.store))
                running.append(stack.enter_context(started(placed, upstream, folder)))
            except RuntimeError as problem:
                note(f"{problem}\nleft out: {target.name}")
        note(f"{options.rounds} rounds of {options.seconds} s")
        if "throughput" in sections:
            rounds.throughput([r for r in running if r.target != STREAMING], options.rounds, options.seconds)
        if "streams" in sections:
            streaming = [r for r in running if r.target == STREAMING or r.target.store]
            for ask_usage in (True, False):
                rounds.streams(streaming, options.rounds, options.seconds, ask_usage=ask_usage)


@contextmanager
def _upstream() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.server"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    try:
        pin(process.pid, 1)
        yield int(process.stdout.readline())
    finally:
        # Its standard input is closed, which ends it.
        process.communicate(timeout=10)


def _options() -> argparse.Namespace:
    names = (*SECTIONS, *(target.name for target in TARGETS))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="scripts/bench")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that each target is measured in (7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (2)")
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME", help="as --only")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=names,
        metavar="NAME",
        help=f"may be repeated: {', '.join(names)}",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
