"""Streams every answer and looks at none: the reference for streams, as bare mitmdump buffers them."""

from mitmproxy import http


def responseheaders(flow: http.HTTPFlow) -> None:
    if flow.response:
        flow.response.stream = True
