"""What an exchange is charged for: what its tap saw, and an estimate of what was consumed but not reported."""

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from limiter.meters import Usage
from limiter.usage.forecast import SPEAKS, Forecast
from limiter.usage.requests import Ask
from limiter.usage.tap import Observation

_HIDES_REASONING = re.compile(r"(?:^|[/.])(?:o\d|gpt-5|gemini-(?:2\.5|[3-9])|grok-[3-9]|deepseek-r)")
"""Models that bill reasoning which a cut stream need not have shown."""


def consumed(ask: Ask, observation: Observation | None, status: int | None, forecast: Callable[[], Forecast]) -> Usage:
    """The usage to settle on.

    Args:
        observation: what the tap reported; None when no response began.
        status: of the response; None when no response began though the request was sent. The provider works on, so the
            input and a likely answer are charged.
        forecast: counts the request's tokens; called only when something must be estimated.
    """
    if ask.endpoint.defers:
        return Usage()
    if status is not None and status >= 300:  # Redirects are no answers either.
        return observation.usage if observation and observation.usage else Usage()
    if observation is not None and observation.usage is not None:
        return observation.usage
    if not ask.endpoint.estimated:
        return Usage()
    expected = forecast()
    completion = _completion(ask, observation, expected)
    return Usage(
        prompt_tokens=expected.prompt_tokens,
        completion_tokens=completion,
        total_tokens=expected.prompt_tokens + completion,
        estimated=True,
        asked_tier=expected.scope.tier,
        premium=expected.scope.premium,
        units=expected.units,
    )


def _completion(ask: Ask, observation: Observation | None, expected: Forecast) -> int:
    seen = observation.visible_tokens if observation else 0
    if observation is not None and observation.complete and not SPEAKS.search(ask.endpoint.name):
        return seen
    if not seen or _HIDES_REASONING.search(ask.model):
        return max(seen, expected.likely_completion)
    return seen


def unreported(ask: Ask, observation: Observation | None, status: int | None) -> bool:
    """Whether a successful, complete answer of a metered endpoint carried no usage: worth an alarm."""
    return (
        ask.endpoint.metered
        and ask.endpoint.estimated
        and observation is not None
        and observation.usage is None
        and observation.complete
        and status is not None
        and 200 <= status < 300
    )


def with_request_tier(usage: Usage, ask: Ask) -> Usage:
    """The usage with the tier that the request asks for, where the response named none; see `Usage.asked_tier`."""
    if usage.service_tier or usage.asked_tier or not ask.service_tier:
        return usage
    return replace(usage, asked_tier=ask.service_tier)


def work(ask: Ask, observation: Observation, place: str) -> str:
    """The name of what a response reports on, the same in whatever answers show it: a digest.

    Args:
        place: host and path of the request, which name the work where the response does not.
    """
    name = observation.response_id or place
    return sha256(f"{ask.endpoint.provider}\0{name}".encode("utf-8", "replace")).hexdigest()[:32]


def waits_for_poll(ask: Ask, observation: Observation) -> bool:
    """Whether the provider only took the work on, and a later request will show what it used."""
    return (
        observation.pending and not ask.endpoint.repeats and not ask.endpoint.defers and observation.response_id != ""
    )
