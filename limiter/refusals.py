"""The answer to a refused request: understood by the API's clients, read by people, no reason to retry in vain.

Clients differ in what stops them and in what makes them wait for hours. So the wire format follows the API that was
asked, and status and headers follow the application that asked, by the table `MANNERS`.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import NamedTuple

from limiter import error_bodies
from limiter.decisions import SHORT, Refusal
from limiter.error_bodies import Kind, Problem
from limiter.facts import Facts
from limiter.voices import Answer, Fields
from limiter.wording import refused


class Moment(NamedTuple):
    """What the extras of an answer are made from."""

    refusal: Refusal
    problem: Problem

    @property
    def resets_at(self) -> int:
        """Unix seconds; not earlier than the request could pass."""
        return -(-self.refusal.now // 1000) + self.refusal.retry_after


class Manner(NamedTuple):
    """How one application is best refused."""

    spent: int
    """Status when the wait is long."""
    never: int = 0
    """Status when waiting does not help; 0: as `spent`."""
    patience: int = SHORT
    """Seconds that it may be told to wait."""
    waits: bool = True
    """`retry-after` may stand on a 429 that means a long wait: it is read by people, or overruled by `x-should-retry`.
    False: the application would sleep for that long."""
    short: Callable[[Moment], Fields] = lambda _: ()
    """Headers for a short wait, beside `retry-after`."""
    long: Callable[[Moment], Fields] = lambda _: ()
    """Headers for a long wait."""
    body: Callable[[Moment], bytes | None] = lambda _: None
    """Body for a long wait, where it is not the API's."""


def _milliseconds(moment: Moment) -> Fields:
    return (("retry-after-ms", str(moment.refusal.retry_after * 1000)),)


_PERIODS = {"day": "daily", "week": "weekly", "month": "monthly"}


def _spend_meter(moment: Moment) -> Fields:
    """Claude Code's contract with a gateway (the protocol text of Anthropic's own, which leaves the claim out here)."""
    if not moment.problem.retry_after:
        return ()
    window = moment.refusal.limit.window
    reset = str(moment.resets_at)
    fields = {"status": "rejected", "reset": reset, "overage-reset": reset, "overage-utilization": "1"}
    if window.count == 1 and window.unit in _PERIODS:
        fields["overage-period"] = _PERIODS[window.unit]
    fields["overage-disabled-reason"] = "org_spend_cap_reached"
    return tuple((f"anthropic-ratelimit-unified-{name}", value) for name, value in fields.items())


def _codex_window(moment: Moment) -> Fields:
    if not moment.problem.retry_after:
        return ()
    sizes = (each.size for each in moment.refusal.standings if each.limit is moment.refusal.limit)
    return (
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", str(max(1, next(sizes, 0) // 60_000))),
        ("x-codex-primary-reset-at", str(moment.resets_at)),
    )


def _codex_body(moment: Moment) -> bytes | None:
    """Codex stops at this type only, and prints the time; its own wording."""
    if not moment.problem.retry_after:
        return None
    error = {
        "type": "usage_limit_reached",
        "message": moment.problem.message,
        "resets_at": moment.resets_at,
        "resets_in_seconds": moment.problem.retry_after,
    }
    return error_bodies.encoded({"error": error})


def _aws_wait(moment: Moment) -> Fields:
    return (("x-amz-retry-after", str(moment.refusal.retry_after * 1000)),)


_STAINLESS = Manner(429)
_OPENAI = Manner(429, short=_milliseconds)
_TOLD_402 = Manner(402, waits=False)
_AI_SDK = Manner(402, waits=False, patience=59)
_TOLD_400 = Manner(400, waits=False)

MANNERS: Mapping[str, Manner] = {
    # 400 costs it six requests, 403 is shown as a failed login.
    "claude-code": Manner(429, long=_spend_meter),
    # Five retries of `retry-after` seconds each, in silence. Without a time to name, 400 shows the message.
    "codex": Manner(429, never=400, patience=5, long=_codex_window, body=_codex_body),
    "gemini-cli": Manner(429),
    "google-genai": Manner(429),
    # Retries 429 for ever. Its SDK honours `retry-after` below a minute.
    "opencode": _AI_SDK,
    "vercel-ai-sdk": _AI_SDK,
    # Retry everything but 400.
    "aider": _TOLD_400,
    "litellm": _TOLD_400,
    # Sleeps on retry-after, and does not know `x-should-retry`.
    "cohere": _TOLD_402,
    "mistral": _TOLD_402,
    "boto3": Manner(402, waits=False, short=_aws_wait),
    "aws-sdk": Manner(402, waits=False, short=_aws_wait),
    "anthropic-python": _STAINLESS,
    "anthropic-ts": _STAINLESS,
    "anthropic-go": _STAINLESS,
    "anthropic-java": _STAINLESS,
    "groq-python": _STAINLESS,
    "groq-node": _STAINLESS,
    "openai-python": _OPENAI,
    "openai-node": _OPENAI,
    "openai-go": _OPENAI,
    "openai-java": _OPENAI,
    "langchain": _OPENAI,
}
"""Client (`Facts.client`) → manner. Measured with the clients' releases of November 2026."""

UNKNOWN = _TOLD_400
"""400 stops the most clients at once."""


def answer(refusal: Refusal, *, streaming: bool) -> Answer:
    """The answer in the format of the API that was asked.

    Args:
        streaming: a streamed answer was asked for. Refusals are never streamed, but Gemini frames them alike.
    """
    facts = refusal.facts
    manner = MANNERS.get(facts.client, UNKNOWN)
    short = refusal.retry_after <= manner.patience and not refusal.impossible
    status = refusal.limit.status or (429 if short else (refusal.impossible and manner.never) or manner.spent)
    problem = Problem(
        kind="rate" if short else "budget",
        status=status,
        message=refused(refusal),
        id=_id(refusal),
        counted=refusal.limit.meter,
        limit=refusal.limit.name,
        retry_after=0 if refusal.impossible else refusal.retry_after,
        array=streaming and _in_array(facts),
    )
    moment = Moment(refusal, problem)
    fields = error_bodies.headers(facts.api, problem)
    if short:
        fields += (("retry-after", str(refusal.retry_after)), *manner.short(moment))
        return Answer(status, fields, error_bodies.body(facts.api, problem))
    if problem.retry_after and status == 429 and manner.waits:
        fields += (("retry-after", str(problem.retry_after)),)
    fields += (("x-should-retry", "false"), *manner.long(moment))
    return Answer(status, fields, manner.body(moment) or error_bodies.body(facts.api, problem))


def _id(refusal: Refusal) -> str:
    """Tells refusals apart in a client's log. Derived, since nothing here may be random."""
    facts = refusal.facts
    parts = (refusal.limit.name, str(refusal.now), str(refusal.used), facts.credential, facts.ip, facts.session)
    return "req_" + sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]


def _in_array(facts: Facts) -> bool:
    """Gemini answers a stream that is not asked for as events with a JSON array."""
    return facts.path.endswith(":streamGenerateContent") and facts.query.get("alt") != "sse"


class _Failure(NamedTuple):
    kind: Kind
    retry_after: int = 0
    """Seconds; 0: it is not worth a retry."""


_FAILURES: Mapping[int, _Failure] = {
    400: _Failure("invalid"),
    403: _Failure("forbidden"),
    413: _Failure("invalid"),
    426: _Failure("unsupported"),
    500: _Failure("internal"),
    501: _Failure("unsupported"),
    # A store that restarts is back in seconds.
    503: _Failure("unavailable", 5),
}
_STOPPED_BY: Mapping[str, int] = {"claude-code": 402, "codex": 400, "aider": 400, "litellm": 400}
"""Client → what stops it and shows the message, where 403 does not (see `MANNERS`)."""


def failure(facts: Facts, status: int, message: str) -> Answer:
    """An error of ours that is no limit's: a bug (500), a store that is away (503), a model without price (403) …

    Only 503 asks to be tried again. Without known facts (`Facts()`) the format is OpenAI's.
    """
    found = _FAILURES.get(status, _Failure("internal" if status >= 500 else "invalid"))
    if found.kind == "forbidden":
        status = _STOPPED_BY.get(facts.client, status)
    problem = Problem(found.kind, status, message, retry_after=found.retry_after, array=_in_array(facts))
    again = (("retry-after", str(found.retry_after)),) if found.retry_after else (("x-should-retry", "false"),)
    return Answer(status, error_bodies.headers(facts.api, problem) + again, error_bodies.body(facts.api, problem))
