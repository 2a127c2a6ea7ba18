"""Answers of our own in place of the upstream's."""

from mitmproxy import http

from limiter.voices import Answer

OURS = "ai_limit.answered"
"""Metadata of flows whose response was made here: neither metered nor touched again."""


def field_name(flow: http.HTTPFlow, name: str) -> str:
    """The name as the flow's version of HTTP writes it: mitmproxy logs each one that it has to put right."""
    return name if flow.request.http_version.startswith("HTTP/1") else name.lower()


def give(flow: http.HTTPFlow, answer: Answer, more: tuple[tuple[str, str], ...] = ()) -> None:
    """Answers the flow; the upstream is not contacted."""
    fields = [(field_name(flow, name).encode(), value.encode()) for name, value in (*answer.headers, *more)]
    flow.response = http.Response.make(answer.status, answer.body, fields)
    flow.metadata[OURS] = True
