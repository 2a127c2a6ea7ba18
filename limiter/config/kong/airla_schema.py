"""The schema of Kong's plugin ai-rate-limiting-advanced.

Fields and defaults are those of 3.14 to 3.16 and of AI Gateway 2.0 together, so that either is read; single numbers,
as 3.9 and older had them, stand for lists of one.
https://developer.konghq.com/plugins/ai-rate-limiting-advanced/reference/

Where Kong's own words or bounds are not public, they are chosen here: llm_providers and policies exclude one another
and one of them is needed; `identifier: header` needs header_name and `identifier: path` a path; amounts are at least
0 and windows more than 0 seconds. Any whole number is an error_code, as from 3.10 on; which of them are answered says
`limiter.kong.airla`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from limiter.config.kong.redis import ENTERPRISE, modern
from limiter.config.kong.schema import Fields, Flag, Listed, Number, Text, Wrong
from limiter.windows import zone_of

PROVIDERS = (
    "anthropic",
    "azure",
    "bedrock",
    "cohere",
    "customCost",
    "gemini",
    "huggingface",
    "llama2",
    "mistral",
    "openai",
    "requestPrompt",
)
IDENTIFIERS = ("consumer", "consumer-group", "credential", "header", "ip", "path", "service")
STRATEGIES = ("total_tokens", "prompt_tokens", "completion_tokens", "cost")
FORMATS = ("openai", "bedrock", "gemini", "cohere", "huggingface", "anthropic")
MATCHERS = ("consumer", "consumer_group", "header", "ip", "model", "path", "provider")
MATCHER_KEYS: Mapping[str, tuple[str, ...]] = {
    "consumer": ("id", "username", "custom_id"),
    "consumer_group": ("id", "name"),
}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST = 10**15
"""Of an amount: tokens, or units of money."""
LONGEST = 100 * 366 * 86_400
"""Seconds of a window."""

_HEADER = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def header_name(text: str) -> str:
    """What is wrong with the name of a header."""
    if _HEADER.fullmatch(text):
        return ""
    return f"bad header name '{text}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"


def path(text: str) -> str:
    """What is wrong with the path of a request."""
    if not text.startswith("/"):
        return "should start with: /"
    return "must not have empty segments" if "//" in text else ""


def time_zone(text: str) -> str:
    """What is wrong with the name of a time zone."""
    try:
        zone_of(text)
    except ValueError:
        return "expected an IANA time zone such as Europe/Berlin"
    return ""


_amount = Number(between=(0, MOST))
_seconds = Number(between=(0, LONGEST), above=0)


def _same_length(provider: Mapping[str, Any]) -> Iterator[Wrong]:
    limits, windows = provider["limit"], provider["window_size"]
    if limits is not None and windows is not None and len(limits) != len(windows):
        yield Wrong((), "You must provide the same number of windows and limits", entity=True)


def _matcher(match: Mapping[str, Any]) -> Iterator[Wrong]:
    kind, key = match["type"], match["key"]
    if kind == "header" and key is None:
        yield Wrong(("key",), "required field missing")
    elif kind == "header" and key is not None and (wrong := header_name(key)):
        yield Wrong(("key",), wrong)
    elif kind in MATCHER_KEYS and key is not None and key not in MATCHER_KEYS[kind]:
        yield Wrong(("key",), f"expected one of: {', '.join(MATCHER_KEYS[kind])}")


def _policy(policy: Mapping[str, Any]) -> Iterator[Wrong]:
    if policy["id"] is not None and policy["limits"] is not None:
        yield Wrong((), "only one or none of these fields must be set: 'id', 'limits'", entity=True)
    if policy["id"] is None and policy["limits"] is None:
        yield Wrong((), "at least one of these fields must be non-empty: 'id', 'limits'", entity=True)
    for index, limit in enumerate(policy["limits"] or ()):
        for wrong in _span(limit or {}, policy["window_type"]):
            yield Wrong(("limits", index, *wrong.path), wrong.text)


def _span(limit: Mapping[str, Any], window_type: str | None) -> Iterator[Wrong]:
    period, day, weekday = (limit.get(name) for name in ("period", "month_day", "week_start_day"))
    if window_type == "calendar":
        if period is None:
            yield Wrong(("period",), "required field missing")
        if period == "month" and day is None:
            yield Wrong(("month_day",), "required field missing")
        if limit.get("window_size") is not None:
            yield Wrong(("window_size",), "value must be null")
    elif period is not None:
        yield Wrong(("period",), "value must be null")
    elif limit.get("window_size") is None:
        yield Wrong(("window_size",), "required field missing")
    if day is not None and period != "month":
        yield Wrong(("month_day",), "value must be null")
    if weekday is not None and period != "week":
        yield Wrong(("week_start_day",), "value must be null")


def _whole(config: Mapping[str, Any]) -> Iterator[Wrong]:
    both = "'llm_providers', 'policies'"
    if config["llm_providers"] is not None and config["policies"] is not None:
        yield Wrong((), f"only one or none of these fields must be set: {both}", entity=True)
    if config["llm_providers"] is None and config["policies"] is None:
        yield Wrong((), f"at least one of these fields must be non-empty: {both}", entity=True)
    rate = config["sync_rate"]
    if rate is not None and rate not in (-1, 0) and rate < SHORTEST_SYNC:
        yield Wrong(("sync_rate",), "value must be -1, 0, or at least 0.02")
    for identifier, name in (("header", "header_name"), ("path", "path")):
        if config["identifier"] == identifier and config[name] is None:
            yield Wrong((name,), "required field missing")


SHORTEST_SYNC = 0.02
"""Seconds."""

SCHEMA = Fields(
    filled=True,
    check=_whole,
    fields={
        "identifier": Text(default="consumer", one_of=IDENTIFIERS),
        "window_type": Text(default="sliding", one_of=("sliding", "fixed")),
        "sync_rate": Number(),
        "llm_providers": Listed(
            of=Fields(
                check=_same_length,
                fields={
                    "name": Text(required=True, one_of=PROVIDERS),
                    "limit": Listed(required=True, wraps=True, shortest=1, of=_amount),
                    "window_size": Listed(required=True, wraps=True, shortest=1, of=_seconds),
                },
            )
        ),
        "policies": Listed(
            shortest=1,
            of=Fields(
                check=_policy,
                fields={
                    "id": Text(),
                    "match": Listed(
                        of=Fields(
                            check=_matcher,
                            fields={
                                "type": Text(required=True, one_of=MATCHERS),
                                "key": Text(),
                                "values": Listed(of=Text()),
                                "partition_by": Flag(default=False),
                            },
                        )
                    ),
                    "limits": Listed(
                        shortest=1,
                        of=Fields(
                            fields={
                                "limit": Number(required=True, between=(0, MOST)),
                                "window_size": Number(whole=True, between=(0, LONGEST), above=0),
                                "tokens_count_strategy": Text(default="total_tokens", one_of=STRATEGIES),
                                "period": Text(one_of=("month", "week")),
                                "month_day": Number(whole=True, between=(1, 31)),
                                "week_start_day": Text(one_of=WEEKDAYS),
                            }
                        ),
                    ),
                    # Kong's default is sliding; here none tells that it is left out (`limiter.kong.airla`).
                    "window_type": Text(one_of=("sliding", "fixed", "calendar")),
                    "timezone": Text(check=time_zone),
                },
            ),
        ),
        "strategy": Text(default="local", one_of=("local", "cluster", "redis")),
        "dictionary_name": Text(default="kong_rate_limiting_counters"),
        "namespace": Text(),
        "hide_client_headers": Flag(default=False),
        "retry_after_jitter_max": Number(default=0, between=(0, 86_400)),
        "header_name": Text(check=header_name),
        "path": Text(check=path),
        "redis": ENTERPRISE,
        "disable_penalty": Flag(default=False),
        "request_prompt_count_function": Text(),
        "custom_cost_count_function": Text(),
        "error_code": Number(default=429, whole=True),
        "error_message": Text(default="AI token rate limit exceeded for provider(s): "),
        "error_hide_providers": Flag(default=False),
        "tokens_count_strategy": Text(default="total_tokens", one_of=STRATEGIES),
        "llm_format": Text(one_of=FORMATS),
        "decrease_by_fractions_in_redis": Flag(default=False),
    },
)


def renewed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration as documents hold it, with today's names of the Redis record."""
    redis = config.get("redis")
    return {**config, "redis": modern(redis)} if isinstance(redis, dict) else config
