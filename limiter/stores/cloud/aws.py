"""Tokens of AWS: signed here, with credentials from the settings, a role, or the surroundings.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
"""

from functools import cached_property
from typing import Any, NamedTuple

from limiter.cloud_identity import AwsIdentity
from limiter.stores.cloud.sigv4 import LIFETIME, Cache, Keys, connect_token
from limiter.stores.cloud.tokens import LATE, MINUTE, Token, silence

CONNECTION = 12 * 60 * MINUTE
"""How long AWS keeps one, as the documentation says under Limitations."""
SESSION_NAME = "ai-limit"
NETWORK = {"connect_timeout": 5, "read_timeout": 10, "retries": {"mode": "standard", "total_max_attempts": 2}}


class Role(NamedTuple):
    """A role that was taken on. Instants are milliseconds since the epoch."""

    keys: Keys
    renew_at: int
    ends_at: int


class AwsIssuer:
    """An `Issuer`. The surroundings are looked at by boto3, which is not loaded when nothing is asked of them."""

    cloud = "AWS"

    def __init__(self, identity: AwsIdentity, user: str) -> None:
        self._identity = identity
        self._user = user
        self._role: Role | None = None

    def issue(self, now: int) -> Token:
        identity = self._identity
        until = now + LIFETIME * 1000
        if identity.assume_role_arn:
            role = self._assumed(now)
            keys, until = role.keys, min(until, role.ends_at)
        else:
            keys = self._own()
        cache = Cache(identity.cache_name, self._region, identity.is_serverless)
        return Token.lasting(connect_token(keys, self._user, cache, now), now, until)

    def connection_end(self, token: Token, now: int) -> int | None:  # noqa: ARG002 the token may end before
        return now + CONNECTION - LATE

    def explain(self, problem: BaseException) -> str:
        if isinstance(problem, _MissingError):
            return str(problem)
        answer = getattr(problem, "response", None)
        code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
        return f"{type(problem).__name__} {code}" if code else type(problem).__name__

    @cached_property
    def _session(self) -> Any:
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 takes a second to load

        silence("boto3", "botocore")
        identity = self._identity
        return boto3.Session(
            aws_access_key_id=identity.access_key_id or None,
            aws_secret_access_key=identity.secret_access_key or None,
            region_name=identity.region or None,
        )

    @property
    def _region(self) -> str:
        region: str = self._identity.region or self._session.region_name or ""
        if not region:
            raise _MissingError("found no region, expected aws_region, or AWS_REGION in the environment")
        return region

    def _own(self) -> Keys:
        if self._identity.access_key_id:
            return Keys(self._identity.access_key_id, self._identity.secret_access_key)
        found = self._session.get_credentials()
        if found is None:
            raise _MissingError("found no credentials in the environment, in files or from the machine")
        # Renews what runs out.
        frozen = found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _assumed(self, now: int) -> Role:
        role = self._role
        if role is None or now >= role.renew_at:
            try:
                role = self._role = self._assume(now)
            except Exception:
                if role is None or now >= role.ends_at - MINUTE:
                    raise
        return role

    def _assume(self, now: int) -> Role:
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415 as boto3

        identity = self._identity
        client = self._session.client("sts", region_name=self._region, config=Config(**NETWORK))
        granted = client.assume_role(
            RoleArn=identity.assume_role_arn, RoleSessionName=identity.role_session_name or SESSION_NAME
        )["Credentials"]
        keys = Keys(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"])
        ends_at = int(granted["Expiration"].timestamp() * 1000)
        # A token that is signed with it must not outlive it by far.
        return Role(keys, ends_at - min(2 * LIFETIME * 1000, (ends_at - now) // 2), ends_at)


class _MissingError(Exception):
    """In words of ours."""
