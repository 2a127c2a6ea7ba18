"""Answers of our own: what HTTP does not let have a body has none, or the client would take it for its next answer."""

import pytest
from mitmproxy.net.http.http1.assemble import assemble_response
from mitmproxy.test import tflow, tutils

from addons.answers import give
from limiter.voices import Answer


@pytest.mark.parametrize(
    ("method", "status", "length", "body"),
    [
        ("POST", 429, b"4", b"body"),
        ("GET", 407, b"4", b"body"),
        ("HEAD", 429, b"4", b""),
        ("POST", 204, None, b""),
        ("POST", 205, None, b""),
        ("HEAD", 304, None, b""),
    ],
)
def test_only_what_may_have_a_body_has_one(method: str, status: int, length: bytes | None, body: bytes) -> None:
    flow = tflow.tflow(req=tutils.treq(method=method.encode()))
    give(flow, Answer(status, (("x-Why", "spent"),), b"body"))

    assert flow.response is not None
    head, _, sent = assemble_response(flow.response).partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert (fields.get(b"content-length"), sent) == (length, body)
    assert fields[b"x-why"] == b"spent"


def test_fields_are_written_as_the_version_of_http_wants_them() -> None:
    flow = tflow.tflow(req=tutils.treq(http_version=b"HTTP/2.0"))
    give(flow, Answer(429, (("X-Why", "spent"),), b""))
    assert flow.response is not None
    assert (b"x-why", b"spent") in flow.response.headers.fields
