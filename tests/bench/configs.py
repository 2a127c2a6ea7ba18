"""Configurations of the benchmark, in the native dialect: limits that apply to every request and are never reached."""

import json
from collections.abc import Callable

_AMOUNTS = (
    "$1000000 per day",
    "1000000000 tokens per minute",
    "1000000000 requests per hour",
    "1000000000 prompt tokens per day",
    "1000000000 completion tokens per month",
)


IDLE: dict[str, tuple[int, Callable[[int], dict[str, str]]]] = {
    "exact keys": (10_000, lambda n: {"header:x-team": f"team-{n}"}),
    "networks": (1_000, lambda n: {"ip": f"10.{n // 256}.{n % 256}.0/24"}),
    "expressions": (100, lambda n: {"model": f"never-{n}-*"}),
}
"""Kinds of conditions that no request of the benchmark meets, and how many limits have one."""


def limits(store: str, count: int, *, upstream: int = 0, idle: str = "") -> str:
    """A configuration with `count` limits that apply.

    Args:
        upstream: port of a local host that is taken for OpenAI; 0: none.
        idle: a key of `IDLE`: that many more limits, which do not apply.
    """
    settings: dict[str, object] = {"store": store}
    if upstream:
        settings["providers"] = [{"host": f"127.0.0.1:{upstream}", "provider": "openai"}]
    entries: list[dict[str, object]] = [
        {"name": f"limit-{n}", "amount": _AMOUNTS[n % len(_AMOUNTS)], "per": [("credential", "model", "ip")[n % 3]]}
        for n in range(count)
    ]
    if idle:
        many, match = IDLE[idle]
        entries += [{"name": f"idle-{n}", "amount": _AMOUNTS[1], "match": match(n)} for n in range(many)]
    # JSON is YAML, and quotes what needs quotes.
    return json.dumps({"settings": settings, "limits": entries}, indent=1)
