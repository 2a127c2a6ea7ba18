"""Answers of our own in place of the upstream's."""

from mitmproxy import http

from limiter.voices import Answer

OURS = "ai_limit.answered"
"""Metadata of flows whose response was made here: neither metered nor touched again."""

BODILESS = (204, 205, 304)
"""Statuses without a body: https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1"""


def field_name(flow: http.HTTPFlow, name: str) -> str:
    """The name as the flow's version of HTTP writes it: mitmproxy logs each one that it has to put right."""
    return name if flow.request.http_version.startswith("HTTP/1") else name.lower()


def give(flow: http.HTTPFlow, answer: Answer, more: tuple[tuple[str, str], ...] = ()) -> None:
    """Answers the flow; the upstream is not contacted."""
    fields = [(field_name(flow, name).encode(), value.encode()) for name, value in (*answer.headers, *more)]
    flow.response = http.Response.make(answer.status, answer.body, fields)
    flow.metadata[OURS] = True
    if flow.request.method == "HEAD" or answer.status in BODILESS:
        # mitmproxy would send the body all the same, and the client take it for its next answer.
        flow.response.data.content = b""
        if answer.status in BODILESS:
            flow.response.headers.pop("content-length", None)
