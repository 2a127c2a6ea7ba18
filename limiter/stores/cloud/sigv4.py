"""Tokens of AWS for ElastiCache: a request to connect that is signed and never sent. Pure.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

Its own and not the library's, whose signer reads the machine's clock; the tests hold it against that one's signatures.
"""

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

SERVICE = "elasticache"
LIFETIME = 900
"""Seconds that a token is taken; AWS allows no more."""
_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()
"""Of the body."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of AWS. The representation shows none of them."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    """Of temporary credentials."""


class Cache(NamedTuple):
    """What a token opens."""

    name: str
    region: str
    is_serverless: bool


def connect_token(keys: Keys, user: str, cache: Cache, now: int) -> str:
    """The token with which a user may authenticate to a cache. `now`: milliseconds since the epoch."""
    instant = dt.datetime.fromtimestamp(now // 1000, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{instant[:8]}/{cache.region}/{SERVICE}/aws4_request"
    fields = {"Action": "connect", "User": user}
    if cache.is_serverless:
        fields["ResourceType"] = "ServerlessCache"
    fields |= {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key_id}/{scope}",
        "X-Amz-Date": instant,
        "X-Amz-Expires": str(LIFETIME),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.session_token:
        fields["X-Amz-Security-Token"] = keys.session_token
    pairs = [f"{name}={quote(value, safe='-_.~')}" for name, value in fields.items()]
    # Names of caches lose their case when they are created.
    host = cache.name.lower()
    request = "\n".join(["GET", "/", "&".join(sorted(pairs)), f"host:{host}", "", "host", _EMPTY])
    text = "\n".join([_ALGORITHM, instant, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return f"{host}/?{'&'.join(pairs)}&X-Amz-Signature={_hmac(key, text).hex()}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
