"""Identity providers of clouds on the loopback: one HTTP server, and what it answers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Question:
    """A request that arrived."""

    method: str
    path: str
    fields: dict[str, str]
    """Of the query and of a form in the body."""
    headers: dict[str, str]
    """By lower-case names."""


Answer = tuple[int, str | dict[str, Any]]
"""Status and body; a dictionary is sent as JSON."""


@dataclass
class Provider:
    port: int
    scheme: str
    questions: list[Question] = field(default_factory=list)
    failure: Answer | None = None
    """In place of any other answer."""
    ready: threading.Event = field(default_factory=threading.Event)
    """Cleared: no answer is given until it is set."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{'localhost' if self.scheme == 'https' else '127.0.0.1'}:{self.port}"


def assumed_role(key: str, secret: str, session: str, until: datetime) -> Answer:
    """How AWS STS grants a role."""
    return 200, (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
        f"<SessionToken>{session}</SessionToken><Expiration>{until.isoformat()}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


@contextmanager
def provider(answer: Callable[[Question], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """A provider that answers on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            pairs = parse_qs(parts.query) | parse_qs(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            question = Question(self.command, parts.path, {name: value[0] for name, value in pairs.items()}, headers)
            found.questions.append(question)
            found.ready.wait(10)
            status, content = found.failure or answer(question)
            text = content if isinstance(content, str) else json.dumps(content)
            self.send_response(status)
            self.send_header("content-type", "text/xml" if isinstance(content, str) else "application/json")
            self.send_header("metadata-flavor", "Google")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815 the handler's own names

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Provider(server.server_address[1], "https" if tls else "http")
    found.ready.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.ready.set()
        server.shutdown()
        server.server_close()
        thread.join()
