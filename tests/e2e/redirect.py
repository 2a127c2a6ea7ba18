"""A second script of the tested mitmdump: connections to the providers' hosts go to the local upstream instead.

Addresses are replaced where the socket is opened, not in `server_connect`: the flow, the TLS name and mitmproxy's reuse
of connections all see the provider's host, as in production. Nothing but loopback is ever dialled.
Being the last script, its log line says that all scripts before it are loaded and running.
"""

import asyncio
import logging
import os
import signal
import sys
from typing import Any

LOCAL = ("127.0.0.1", "::1", "localhost")
PORTS = {
    80: int(os.environ.get("AI_LIMIT_TEST_HTTP", "0")),
    443: int(os.environ.get("AI_LIMIT_TEST_HTTPS", "0")),
    11434: int(os.environ.get("AI_LIMIT_TEST_HTTP", "0")),  # Ollama's
}
"""Port that a host would be dialled on → port of the local upstream; 0: there is none."""

_open_connection = asyncio.open_connection


async def _redirected(host: str, port: int, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if host not in LOCAL:
        if not PORTS.get(port):
            raise OSError(f"{host}:{port} is out of reach of the tests")
        host, port = "127.0.0.1", PORTS[port]
    return await _open_connection(host, port, **options)


def load(loader: Any) -> None:
    asyncio.open_connection = _redirected  # type: ignore[assignment]


def running() -> None:
    # The test holds the other end: its death, even by SIGKILL, ends this process.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: os.killpg(0, signal.SIGKILL))
    logging.getLogger(__name__).info("test harness ready")
