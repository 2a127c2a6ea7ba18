"""Requests and configurations for tests of Higress's rules."""

from typing import Any

from limiter.config import parse
from limiter.facts import Facts
from limiter.selection import Selector

REDIS = "redis: {service_name: redis}\n"


def facts(*fields: tuple[str, str], target: str = "/v1/chat/completions", **more: Any) -> Facts:
    """Of a request with these header fields, from a peer whose word counts."""
    known: dict[str, Any] = {"host": "api.openai.com", "peer": "192.0.2.1", "ip": "192.0.2.1", "trusted": True}
    return Facts(fields=fields, target=target, **{**known, **more})


def plugin(items: str, *, overlay: bool = False, name: str = "r") -> str:
    """A configuration with these `rule_items`, each a mapping on a line of its own."""
    mode = "mode: overlay\n" if overlay else ""
    listed = "".join(f"  - {{{item.strip()}}}\n" for item in items.strip().splitlines())
    return f"rule_name: {name}\n{mode}rule_items:\n{listed}{REDIS}"


def keys(text: str, request: Facts, *more: str) -> list[str]:
    """The Redis keys of the limits that apply to a request."""
    plans = Selector(parse("---\n".join((text, *more)), "test.yaml").policy).select(request)
    return [plan.bare(request, 0).key for plan in plans]


def key(text: str, request: Facts) -> str:
    """What follows the rule's name in the one key of a request; empty where no limit applies."""
    found = keys(text, request)
    assert len(found) <= 1, found
    return found[0].removeprefix("higress-token-ratelimit:r:") if found else ""
