"""The cheapest script that looks at every exchange: what any addon pays for being called."""

from mitmproxy import http


async def request(flow: http.HTTPFlow) -> None:
    flow.metadata["seen"] = True


async def response(flow: http.HTTPFlow) -> None:
    flow.metadata["seen"] = True
