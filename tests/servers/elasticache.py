"""The gatekeeper of an ElastiCache: checks signed tokens, by the description of Signature Version 4 and no library.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

HOURS = 3_600_000
MOST = 900
"""Seconds that a token may ask for."""


class RefusedError(Exception):
    """Why a token does not open a cache."""


@dataclass(frozen=True)
class ElastiCache:
    name: str
    region: str
    serverless: bool
    users: frozenset[str]
    secrets: Mapping[tuple[str, str], str]
    """By access key and session token; without one, the latter is empty."""
    clock: Callable[[], int]

    def admit(self, user: str, token: str) -> int | None:
        try:
            self.check(user, token)
        except RefusedError:
            return None
        return self.clock() + 12 * HOURS

    def check(self, user: str, token: str) -> None:
        host, _, query = token.partition("/?")
        pairs = [pair.split("=", 1) for pair in query.split("&")]
        given = {unquote(name): unquote(value) for name, value in pairs}
        wanted = {
            "Action": "connect",
            "User": user,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-SignedHeaders": "host",
        }
        if self.serverless:
            wanted["ResourceType"] = "ServerlessCache"
        signature = given.pop("X-Amz-Signature", "")
        others = {"X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token"}
        _expect(host == self.name, "cache")
        _expect(user in self.users, "user")
        _expect({name: value for name, value in given.items() if name not in others} == wanted, "parameters")
        access_key, day, *scope = given["X-Amz-Credential"].split("/")
        _expect(scope == [self.region, "elasticache", "aws4_request"], "scope")
        self._check_time(given, day)
        secret = self.secrets.get((access_key, given.get("X-Amz-Security-Token", "")))
        _expect(secret is not None, "access key")
        unsigned = sorted("=".join(pair) for pair in pairs if pair[0] != "X-Amz-Signature")
        canonical = f"GET\n/\n{'&'.join(unsigned)}\nhost:{host}\n\nhost\n{hashlib.sha256().hexdigest()}"
        digest = hashlib.sha256(canonical.encode("ascii")).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{day}/{'/'.join(scope)}\n{digest}"
        key = _mac(_mac(_mac(_mac(f"AWS4{secret}".encode(), day), self.region), "elasticache"), "aws4_request")
        _expect(hmac.compare_digest(_mac(key, to_sign).hex(), signature), "signature")

    def _check_time(self, given: Mapping[str, str], day: str) -> None:
        signed = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lifetime = int(given["X-Amz-Expires"])
        now = datetime.fromtimestamp(self.clock() / 1000, UTC)
        _expect(signed.strftime("%Y%m%d") == day, "day")
        _expect(0 < lifetime <= MOST, "lifetime")
        _expect(signed - timedelta(minutes=5) <= now < signed + timedelta(seconds=lifetime), "time")


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise RefusedError(what)
