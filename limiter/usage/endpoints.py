"""What a request may call, and the rows of the tables that tell: see `routes`."""

import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a request calls."""

    provider: str
    """`openai`, `azure`, `anthropic` …: a key of `providers.PROVIDERS`."""
    name: str
    """`chat`, `responses`, `messages` …; `other` for a path that is not in the table."""
    api: str
    """Wire format of errors: `openai`, `azure`, `anthropic`, `gemini`, `cohere`, `mistral`, `bedrock` …"""
    metered: bool
    """False: costs nothing (`count_tokens`, lists, `HEAD` …), is forwarded and not counted."""
    reader: str
    """A key of `readers.READERS`."""
    asks_usage: bool
    """`stream_options.include_usage` may be set in the request on our own account."""
    local: bool = False
    """The user's own server (Ollama, vLLM …): costs nothing unless priced."""
    repeats: bool = False
    """Reports the usage of work that an earlier request started, each time it is asked: a poll of a background
    response, the results of a batch. Count it once per `Observation.response_id`, and as no request. It may be absent.
    """
    protocol: str = ""
    """A key of `sessions.PROTOCOLS`: how the messages of this WebSocket are read. Empty: no WebSocket that is known."""
    defers: bool = False
    """Starts work that reports its usage elsewhere, if at all: a batch, a training. It is admitted and counted as one
    request, and no tokens are expected of it, held or charged."""
    estimated: bool = True
    """A successful answer without usage is an alarm, and its tokens are estimated. Not so for paths that nobody knows:
    they are charged what they report."""
    json: bool = False
    """The body must be JSON, and says which model is to do what: what cannot be read must not pass (`Ask.problem`)."""
    opaque: bool = False
    """No call of a model: it counts as a request, and its bodies are not looked into."""
    host: str = ""
    """The canonical name by which the provider was recognised."""


class Route(NamedTuple):
    pattern: re.Pattern[str]
    name: str
    reader: str = ""
    """Empty: the provider's own reader."""
    method: str = "POST"
    metered: bool = True
    streams_usage_on_request: bool = False
    repeats: bool = False
    api: str = ""
    """Empty: the provider's."""
    protocol: str = ""
    """Of a WebSocket's messages: see `Endpoint.protocol`."""
    defers: bool = False
    json: bool = True
    """See `Endpoint`; counts for metered `POST`s only."""


UPGRADE = "WEBSOCKET"
"""Stands for the method of a request that asks for a WebSocket. No plain request has it, so the two never mix."""


def route(path: str, name: str, reader: str = "", **more: str | bool) -> Route:
    """A `POST` to any path that ends so."""
    return Route(re.compile(rf"(?:^|/){path}$", re.IGNORECASE), name, reader, **more)  # type: ignore[arg-type]


def free(path: str, name: str, method: str = "POST") -> Route:
    """Costs nothing."""
    return route(path, name, method=method, metered=False)


def free_below(names: str, name: str) -> Route:
    """All that is below a folder. Only at the root: elsewhere it may be the base path of anything."""
    return Route(re.compile(rf"^/(?:v\d\w*/)?(?:{names})(?:/.*)?$", re.IGNORECASE), name, metered=False)


def upload(path: str, name: str, reader: str = "", **more: str | bool) -> Route:
    """Takes a form, or any bytes, rather than JSON."""
    return route(path, name, reader, json=False, **more)


def defers(path: str, name: str) -> Route:
    """Starts work for later."""
    return route(path, name, defers=True)


def socket(path: str, name: str, reader: str, protocol: str) -> Route:
    """A WebSocket."""
    return route(path, name, reader, method=UPGRADE, protocol=protocol)
