"""Tokens of Entra, for Azure Managed Redis.

https://learn.microsoft.com/azure/redis/entra-for-authentication
"""

import os
import re
from base64 import urlsafe_b64decode
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from limiter.cloud_identity import AzureIdentity
from limiter.stores.cloud.tokens import Token, silence

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SCOPE = "https://redis.azure.com/.default"
SECONDS_TO_CONNECT = 5
SECONDS_TO_ANSWER = 10
_CODE = re.compile(r"AADSTS\d+")


class AzureIssuer:
    """An `Issuer`.

    Without a secret in the settings, one in `AZURE_CLIENT_SECRET` counts, as everywhere on Azure, and otherwise the
    machine's managed identity.
    """

    cloud = "Azure"

    def __init__(self, identity: AzureIdentity) -> None:
        self._identity = identity

    def issue(self, now: int) -> Token:
        found = self._credential.get_token(SCOPE)
        return Token.lasting(found.token, now, found.expires_on * 1000, principal(found.token))

    def connection_end(self, token: Token, now: int) -> int | None:  # noqa: ARG002 it does not matter when it is shown
        return token.usable_until

    def explain(self, problem: BaseException) -> str:
        code = _CODE.search(str(problem))
        return f"{type(problem).__name__} {code[0]}" if code else type(problem).__name__

    @cached_property
    def _credential(self) -> "TokenCredential":
        # Loading it takes more than a second.
        from azure.identity import ClientSecretCredential, ManagedIdentityCredential  # noqa: PLC0415

        silence("azure", "msal")
        identity = self._identity
        client = identity.client_id or os.environ.get("AZURE_CLIENT_ID", "")
        secret = identity.client_secret or os.environ.get("AZURE_CLIENT_SECRET", "")
        limits: dict[str, Any] = {"connection_timeout": SECONDS_TO_CONNECT, "read_timeout": SECONDS_TO_ANSWER}
        if not secret:
            return ManagedIdentityCredential(client_id=client or None, **limits)
        return ClientSecretCredential(
            identity.tenant_id or os.environ.get("AZURE_TENANT_ID", ""),
            client,
            secret,
            # The authority is the operator's word (AZURE_AUTHORITY_HOST), and Microsoft need not be asked about it.
            disable_instance_discovery=True,
            **limits,
        )


class _Claims(msgspec.Struct):
    oid: str = ""


def principal(token: str) -> str:
    """The object id of whom a token was issued to; empty if it does not say so. Nothing is verified: that is the
    server's affair."""
    _, _, rest = token.partition(".")
    body = rest.partition(".")[0]
    try:
        return msgspec.json.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Claims).oid
    except ValueError:
        return ""
