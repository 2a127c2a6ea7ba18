"""The table of WebSocket protocols, by the names that `routes` uses."""

from collections.abc import Mapping
from types import MappingProxyType

from limiter.usage.event_session import Realtime, Responses
from limiter.usage.live_session import Live
from limiter.usage.requests import Ask
from limiter.usage.session import Session

PROTOCOLS: Mapping[str, type[Session]] = MappingProxyType(
    {"openai-realtime": Realtime, "openai-responses": Responses, "gemini-live": Live}
)


def session(ask: Ask, path: str) -> Session:
    """A session that begins with an upgrade to an endpoint of one of the protocols.

    Args:
        path: with the query.
    """
    return PROTOCOLS[ask.endpoint.protocol](ask, path)
