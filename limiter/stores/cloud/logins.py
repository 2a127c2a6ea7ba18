"""Logins to a Redis with a cloud's tokens.

A server that has taken a token keeps the connection for a while: AWS for 12 hours, Azure until the token ends, Google
for ever. A connection is retired shortly before that, between two batches of calls, and the next one is opened with a
token that was fetched ahead of time. So no call meets a connection that is being dropped.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from limiter.cloud_identity import AwsIdentity, AzureIdentity, CloudIdentity, GcpIdentity
from limiter.stores.cloud.aws import AwsIssuer
from limiter.stores.cloud.azure import AzureIssuer
from limiter.stores.cloud.gcp import GcpIssuer
from limiter.stores.cloud.tokens import Issuer, Tokens
from limiter.stores.contract import Clock, StoreError
from limiter.stores.redis_dial import Login

EXTRAS: Mapping[type[CloudIdentity], tuple[str, str]] = MappingProxyType(
    {AzureIdentity: ("azure", "azure.identity"), GcpIdentity: ("gcp", "google.auth")}
)
"""The extra of this package that brings a module."""


class CloudLogins:
    """`Logins` of an identity. Begins at once to fetch the first token.

    Args:
        user: of the server; empty where the token names it, or the server has no names.

    Raises:
        StoreError: the cloud's library is not installed.
    """

    def __init__(self, identity: CloudIdentity, user: str, clock: Clock) -> None:
        self._issuer = _issuer(identity, user)
        self._user = user
        self._clock = clock
        self._tokens = Tokens(self._issuer, clock)
        self._tokens.renew()

    async def login(self) -> Login:
        token = await self._tokens.current()
        end = self._issuer.connection_end(token, self._clock())
        return Login(self._user or token.username, token.text, end)

    def holds(self, login: Login) -> bool:
        # Asked with each batch of calls, so that a token is renewed in time while there are any.
        self._tokens.renew()
        return login.use_until is None or self._clock() < login.use_until


def _issuer(identity: CloudIdentity, user: str) -> Issuer:
    extra, module = EXTRAS.get(type(identity), ("", ""))
    if module and not _is_installed(module):
        hint = f"expected it to be installed: pip install 'ai-limit[{extra}]'"
        raise StoreError(f"redis: auth_provider {extra} found no library ({module}), {hint}")
    match identity:
        case AwsIdentity():
            return AwsIssuer(identity, user)
        case AzureIdentity():
            return AzureIssuer(identity)
        case GcpIdentity():
            return GcpIssuer(identity)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
