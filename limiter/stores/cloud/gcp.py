"""Tokens of Google, for Memorystore.

https://cloud.google.com/memorystore/docs/valkey/about-iam-auth
"""

import datetime as dt
import json
from functools import cached_property, partial
from typing import Any

from limiter.cloud_identity import GcpIdentity
from limiter.stores.cloud.tokens import Token, silence

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SECONDS_TO_ANSWER = 10


class GcpIssuer:
    """An `Issuer`: of a service account's key, or of what `google.auth.default` finds."""

    cloud = "Google"

    def __init__(self, identity: GcpIdentity) -> None:
        self._identity = identity

    def issue(self, now: int) -> Token:
        from google.auth.transport.requests import Request  # noqa: PLC0415 half a second to load

        credentials = self._credentials
        credentials.refresh(partial(Request(), timeout=SECONDS_TO_ANSWER))
        # It has no time zone, and means UTC.
        until = credentials.expiry.replace(tzinfo=dt.UTC).timestamp()
        return Token.lasting(credentials.token, now, int(until * 1000))

    def connection_end(self, token: Token, now: int) -> int | None:  # noqa: ARG002 neither matters
        """A connection outlives its token, and new ones are let in at a slow rate only."""
        return None

    def explain(self, problem: BaseException) -> str:
        details = [item.get("error") for item in problem.args if isinstance(item, dict)]
        code = next((item for item in details if isinstance(item, str) and item.isidentifier()), "")
        return f"{type(problem).__name__} {code}".rstrip()

    @cached_property
    def _credentials(self) -> Any:
        import google.auth  # noqa: PLC0415 as above
        from google.oauth2 import service_account  # noqa: PLC0415 as above

        silence("google.auth", "google.oauth2")
        key = self._identity.service_account_json
        if key:
            load: Any = service_account.Credentials.from_service_account_info
            return load(json.loads(key), scopes=[SCOPE])
        return google.auth.default(scopes=[SCOPE])[0]
