"""Recorded exchanges as mitmproxy's flow files (`mitmdump -w FILE`)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from mitmproxy import exceptions, http, io

from addons.traffic import fields
from limiter.metering.recording import Damaged, Frame, Recording


def read_flows(file: BinaryIO, name: str) -> Iterator[Recording | Damaged]:
    """Every HTTP flow; others are passed over. What follows a damaged flow is lost."""
    number = 0
    try:
        for flow in io.FlowReader(file).stream():
            number += 1
            if isinstance(flow, http.HTTPFlow):
                yield _recording(flow)
    except exceptions.FlowReadException as error:
        yield Damaged(f"{name}#{number}", f"the file is damaged: {error}")


def _recording(flow: http.HTTPFlow) -> Recording:
    request, response = flow.request, flow.response
    problems = []
    if request.raw_content is None:
        problems.append("the request's body was not recorded")
    if response is not None and response.raw_content is None:
        problems.append("the response's body was not recorded (store_streamed_bodies keeps those of streams)")
    if flow.error is not None:
        problems.append(str(flow.error.msg))
    return Recording(
        id=flow.id,
        method=request.method,
        url=request.url,
        request_headers=fields(request.headers),
        request_body=request.raw_content or b"",
        status=response.status_code if response else None,
        response_headers=fields(response.headers) if response else {},
        response_body=(response.raw_content or b"") if response else b"",
        frames=_frames(flow),
        started=datetime.fromtimestamp(request.timestamp_start, UTC),
        problem="; ".join(problems),
    )


def _frames(flow: http.HTTPFlow) -> tuple[Frame, ...] | None:
    if flow.websocket is None:
        return None
    return tuple(Frame(message.from_client, message.content) for message in flow.websocket.messages)
