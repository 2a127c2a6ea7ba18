"""Errors in the wire format of the API that was asked: bodies, and the headers that belong to the format."""

import json
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from limiter.voices import Fields

Kind = Literal["rate", "budget", "forbidden", "invalid", "internal", "unavailable", "unsupported"]


class Problem(NamedTuple):
    """What went wrong, in no format yet."""

    kind: Kind
    status: int
    message: str
    id: str = ""
    """Of the request; empty: none is named."""
    counted: str = ""
    """Meter of the limit that refused."""
    limit: str = ""
    """Its name."""
    retry_after: int = 0
    """Seconds; 0: waiting does not help, or nobody knows."""
    array: bool = False
    """The answer was asked for as a JSON array (Gemini)."""


class _Names(NamedTuple):
    """One kind of problem in the words of each API."""

    openai_type: str
    openai_code: str
    anthropic: str
    google: str
    aws: str


# Sources: platform.openai.com/docs/guides/error-codes · docs.anthropic.com/en/api/errors ·
# ai.google.dev/gemini-api/docs/troubleshooting · docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
_NAMES: Mapping[Kind, _Names] = {
    "rate": _Names("tokens", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException"),
    "budget": _Names(
        "insufficient_quota", "insufficient_quota", "billing_error",
        "RESOURCE_EXHAUSTED", "ServiceQuotaExceededException",
    ),
    "forbidden": _Names(
        "invalid_request_error", "not_allowed", "permission_error", "PERMISSION_DENIED", "AccessDeniedException"
    ),
    "invalid": _Names(
        "invalid_request_error", "invalid_request", "invalid_request_error", "INVALID_ARGUMENT", "ValidationException"
    ),
    "internal": _Names("server_error", "internal_error", "api_error", "INTERNAL", "InternalServerException"),
    "unavailable": _Names(
        "server_error", "service_unavailable", "api_error", "UNAVAILABLE", "ServiceUnavailableException"
    ),
    "unsupported": _Names(
        "invalid_request_error", "not_supported", "invalid_request_error", "UNIMPLEMENTED", "ValidationException"
    ),
}  # fmt: skip


def _openai(problem: Problem) -> object:
    names = _NAMES[problem.kind]
    kind = "requests" if problem.kind == "rate" and problem.counted == "requests" else names.openai_type
    return {"error": {"message": problem.message, "type": kind, "param": None, "code": names.openai_code}}


def _azure(problem: Problem) -> object:
    kind = _NAMES[problem.kind].openai_type
    return {"error": {"code": str(problem.status), "message": problem.message, "type": kind}}


def _anthropic(problem: Problem) -> object:
    body = {"type": "error", "error": {"type": _NAMES[problem.kind].anthropic, "message": problem.message}}
    return {**body, "request_id": problem.id} if problem.id else body


_RPC = "type.googleapis.com/google.rpc."


def _gemini(problem: Problem) -> object:
    details: list[object] = []
    if problem.kind == "budget":
        # Gemini CLI waits and retries unless `quotaId` contains PerDay, whatever the window is.
        violation = {"quotaMetric": f"ai-limit/{problem.counted}", "quotaId": f"{problem.limit}-PerDay"}
        details.append({"@type": f"{_RPC}QuotaFailure", "violations": [violation]})
    if problem.retry_after:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{problem.retry_after}s"})
    error: dict[str, object] = {"code": problem.status, "message": problem.message}
    error["status"] = _NAMES[problem.kind].google
    if details:
        error["details"] = details
    return [{"error": error}] if problem.array else {"error": error}


def _cohere(problem: Problem) -> object:
    return {"id": problem.id, "message": problem.message} if problem.id else {"message": problem.message}


def _mistral(problem: Problem) -> object:
    names = _NAMES[problem.kind]
    kind, code = ("rate_limited", "1300") if problem.kind == "rate" else (names.openai_type, names.openai_code)
    return {
        "object": "error",
        "message": problem.message,
        "type": kind,
        "param": None,
        "code": code,
        "raw_status_code": problem.status,
    }


def _bedrock(problem: Problem) -> object:
    return {"message": problem.message}


def _ollama(problem: Problem) -> object:
    return {"error": problem.message}


def _huggingface(problem: Problem) -> object:
    kind = "overloaded" if problem.kind in ("rate", "budget", "unavailable") else "validation"
    return {"error": problem.message, "error_type": kind}


BODIES: Mapping[str, Callable[[Problem], object]] = {
    "openai": _openai,
    "azure": _azure,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "cohere": _cohere,
    "mistral": _mistral,
    "bedrock": _bedrock,
    "ollama": _ollama,
    "huggingface": _huggingface,
}
"""Wire format (`Facts.api`) → body. Any other API is answered as OpenAI's, which most imitate."""

ID_HEADERS: Mapping[str, str] = {
    "openai": "x-request-id",
    "azure": "apim-request-id",
    "anthropic": "request-id",
    "bedrock": "x-amzn-requestid",
}
"""Wire format → header that names the request."""


def encoded(body: object) -> bytes:
    """JSON in ASCII: no text that a client or a file name brings along can break it."""
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def body(api: str, problem: Problem) -> bytes:
    """The error as the API would word it."""
    return encoded(BODIES.get(api, _openai)(problem))


def headers(api: str, problem: Problem) -> Fields:
    """What belongs to the format; `content-type` comes first."""
    found = [("content-type", "application/json")]
    if problem.id and api in ID_HEADERS:
        found.append((ID_HEADERS[api], problem.id))
    if api == "bedrock":
        found.append(("x-amzn-errortype", _NAMES[problem.kind].aws))
    return tuple(found)
