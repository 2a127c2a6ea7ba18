"""What is known of one request: the values that rules match on and counters are kept by.

Everything here is plain text, parsed once at the edge; secrets arrive only as digests (see `identity`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One request, as far as limits care. Absent text is the empty string."""

    provider: str = ""
    """Name in the provider table: `openai`, `azure`, `anthropic`, `gemini` …"""
    endpoint: str = ""
    """Name of the called endpoint in the provider table: `chat`, `responses`, `messages` …"""
    api: str = ""
    """Wire format of requests and errors: `openai`, `azure`, `anthropic`, `gemini` …"""
    model: str = ""
    """As the request names it; for Azure the deployment."""
    host: str = ""
    """Lower case; with `:port` where the port is not the scheme's own."""
    method: str = ""
    asked_host: str = ""
    """As the client says it, lower case without a port, where a gateway may send the request elsewhere."""
    asked_scheme: str = ""
    """`http` or `https`, between the client and the gateway."""
    path: str = ""
    """Without the query."""
    target: str = field(default="", repr=False)
    """Path and query as sent."""
    ip: str = ""
    """The client's address, canonical text."""
    peer: str = ""
    """The address at the other end of the connection, canonical text."""
    trusted: bool = False
    """What the peer's headers say of others' addresses and identities counts (`settings.Settings.trusted_peers`)."""
    credential: str = ""
    """Digest of the API key or token that the request carries."""
    consumer: str = ""
    """Name of who asks, as far as it may be believed: proven by a key, or told by a trusted peer."""
    consumer_id: str = ""
    custom_id: str = ""
    """What a Kong consumer is called in another system."""
    credential_id: str = ""
    """Of the key by which the consumer was told."""
    groups: tuple[str, ...] = ()
    """Of the consumer; sorted."""
    service: str = ""
    """Id of the Kong service that the request is routed to."""
    route: str = ""
    """Id of the Kong route that the request matched."""
    client: str = ""
    """The calling application: `claude-code`, `codex`, `openai-python` … (see `identity.CLIENTS`)."""
    session: str = ""
    machine: str = ""
    """Name of the machine that the proxy runs on: tells laptops apart on a shared store."""
    headers: Mapping[str, str] = field(default=_EMPTY, repr=False)
    """Lower-case names; repeated fields are joined. Left out of `repr`, as they hold secrets."""
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Header fields one by one, in their order, with lower-case names."""
    query: Mapping[str, str] = field(default=_EMPTY, repr=False)
    cookies: Mapping[str, str] = field(default=_EMPTY, repr=False)
