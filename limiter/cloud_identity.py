"""Who a proxy is to a cloud whose Redis takes an identity in place of a password: frozen values.

Their fields, with the cloud's name before them, are those of `cloud_authentication` in Kong's redis records:
https://developer.konghq.com/plugins/ai-rate-limiting-advanced/reference/
What is left out is taken from the surroundings, as the cloud's own library does: environment, files, the machine.
No representation shows a secret, an id or a role.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

_CACHE_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """A user of ElastiCache whose authentication mode is IAM.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html

    Raises:
        ValueError: something is missing.
    """

    cache_name: str = ""
    """Of the serverless cache, or of the replication group."""
    region: str = ""
    """Empty: that of the surroundings."""
    is_serverless: bool = True
    access_key_id: str = field(default="", repr=False)
    """With its secret; both empty: the credentials of the surroundings."""
    secret_access_key: str = field(default="", repr=False)
    assume_role_arn: str = field(default="", repr=False)
    """A role that these credentials take on first."""
    role_session_name: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _demand("aws", self, ("cache_name",))
        if not _CACHE_NAME.fullmatch(self.cache_name):
            raise ValueError("aws_cache_name: expected a cache's name of letters, digits and hyphens, not its address")
        if self.access_key_id or self.secret_access_key:
            _demand("aws", self, ("access_key_id", "secret_access_key"))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is set and has no effect."""
        if self.role_session_name and not self.assume_role_arn:
            return ("aws_role_session_name: no effect without aws_assume_role_arn",)
        return ()


@dataclass(frozen=True, slots=True)
class AzureIdentity:
    """A principal of Entra: an application with a secret, otherwise a managed identity.

    https://learn.microsoft.com/azure/redis/entra-for-authentication

    Raises:
        ValueError: something is missing.
    """

    client_id: str = field(default="", repr=False)
    """Empty: the machine's own managed identity."""
    client_secret: str = field(default="", repr=False)
    tenant_id: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.client_secret:
            _demand("azure", self, ("client_id", "tenant_id"))

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class GcpIdentity:
    """A principal of Google Cloud: a service account by its key, otherwise that of the surroundings.

    https://cloud.google.com/memorystore/docs/valkey/about-iam-auth

    Raises:
        ValueError: the key is none.
    """

    service_account_json: str = field(default="", repr=False)
    """The text of a key file."""

    def __post_init__(self) -> None:
        if not self.service_account_json:
            return
        expected = ("client_email", "private_key", "token_uri")
        try:
            key = json.loads(self.service_account_json)
        except ValueError:
            key = None  # Its error quotes the text.
        if not isinstance(key, dict) or not all(isinstance(key.get(name), str) for name in expected):
            raise ValueError(f"gcp_service_account_json: expected a JSON object with {', '.join(expected)}")

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()


CloudIdentity = AwsIdentity | AzureIdentity | GcpIdentity
CLOUDS: Mapping[str, Callable[..., CloudIdentity]] = MappingProxyType(
    {"aws": AwsIdentity, "azure": AzureIdentity, "gcp": GcpIdentity}
)
"""By `auth_provider`."""
FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aws": tuple(f"aws_{item.name}" for item in fields(AwsIdentity)),
        "azure": tuple(f"azure_{item.name}" for item in fields(AzureIdentity)),
        "gcp": tuple(f"gcp_{item.name}" for item in fields(GcpIdentity)),
    }
)
"""The names that each cloud takes from a record."""


def cloud_identity(record: Mapping[str, Any]) -> CloudIdentity | None:
    """The identity that a record of Kong's names describes; None without `auth_provider`. Null counts as absent.

    Fields of other clouds are passed over, as Kong does.

    Raises:
        ValueError: with the name of what is missing or wrong, and never a value that may be secret.
    """
    cloud = record.get("auth_provider")
    if not cloud:
        return None
    if cloud not in CLOUDS:
        raise ValueError(f"auth_provider: expected {', '.join(CLOUDS)}")
    given = {name: record[name] for name in FIELDS[cloud] if record.get(name) is not None}
    return CLOUDS[cloud](**{name.removeprefix(f"{cloud}_"): value for name, value in given.items()})


def _demand(cloud: str, identity: CloudIdentity, names: tuple[str, ...]) -> None:
    missing = [f"{cloud}_{name}" for name in names if not getattr(identity, name)]
    if missing:
        given = [f"{cloud}_{name}" for name in names if getattr(identity, name)]
        raise ValueError(f"found no {' and no '.join(missing)}" + (f" beside {' and '.join(given)}" if given else ""))
