"""Signed tokens, by the word of Amazon's own library and of a gatekeeper that knows none."""

import datetime as dt
from urllib.parse import urlencode

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from limiter.stores.cloud.sigv4 import Cache, Keys, connect_token
from tests.servers.elasticache import ElastiCache, RefusedError

NOW = 1_760_000_000_000
KEYS = Keys("AKIDEXAMPLE", "the/secret+key")
CACHE = Cache("limits", "eu-central-1", True)


def by_the_library(keys: Keys, user: str, cache: Cache, now: int) -> str:
    fields = {"Action": "connect", "User": user}
    if cache.is_serverless:
        fields["ResourceType"] = "ServerlessCache"
    request = AWSRequest("GET", f"https://{cache.name.lower()}/?{urlencode(fields)}")
    credentials = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token or None)
    with pytest.MonkeyPatch.context() as patch:
        # The signer takes no time as an argument.
        instant = dt.datetime.fromtimestamp(now // 1000, dt.UTC)
        patch.setattr(auth, "get_current_datetime", lambda: instant)
        auth.SigV4QueryAuth(credentials, "elasticache", cache.region, expires=900).add_auth(request)
    return str(request.url).removeprefix("https://")


@given(
    keys=st.builds(Keys, st.from_regex(r"[A-Z0-9]{4,20}", fullmatch=True), st.text(min_size=1), st.text()),
    user=st.text(min_size=1),
    cache=st.builds(
        Cache,
        st.from_regex(r"[A-Za-z0-9-]{1,40}", fullmatch=True),
        st.sampled_from(["us-east-1", "cn-north-1"]),
        st.booleans(),
    ),
    now=st.integers(0, 4_000_000_000_000),
)
def test_tokens_are_those_of_amazons_library(keys: Keys, user: str, cache: Cache, now: int) -> None:
    assert connect_token(keys, user, cache, now) == by_the_library(keys, user, cache, now)


def gate(now: int, *, serverless: bool = True) -> ElastiCache:
    secrets = {("AKIDEXAMPLE", ""): "the/secret+key", ("ASIATEMP", "se/ss=ion"): "other"}
    return ElastiCache("limits", "eu-central-1", serverless, frozenset({"me", "you"}), secrets, lambda: now)


@pytest.mark.parametrize("seconds", [-300, 0, 899])
def test_a_token_opens_its_cache_for_a_quarter_of_an_hour(seconds: int) -> None:
    gate(NOW + seconds * 1000).check("me", connect_token(KEYS, "me", CACHE, NOW))
    temporary = Keys("ASIATEMP", "other", "se/ss=ion")
    gate(NOW, serverless=False).check("me", connect_token(temporary, "me", CACHE._replace(is_serverless=False), NOW))


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (connect_token(KEYS, "me", CACHE, NOW - 900_000), "time"),
        (connect_token(KEYS, "me", CACHE, NOW + 301_000), "time"),
        (connect_token(KEYS, "you", CACHE, NOW), "parameters"),
        (connect_token(KEYS, "me", CACHE._replace(is_serverless=False), NOW), "parameters"),
        (connect_token(KEYS, "me", CACHE._replace(name="other"), NOW), "cache"),
        (connect_token(KEYS, "me", CACHE._replace(region="eu-west-1"), NOW), "scope"),
        (connect_token(Keys("AKIDEXAMPLE", "wrong"), "me", CACHE, NOW), "signature"),
        (connect_token(Keys("AKIDOTHER", "wrong"), "me", CACHE, NOW), "access key"),
        (connect_token(KEYS, "me", CACHE, NOW).replace("Expires=900", "Expires=901"), "lifetime"),
        (connect_token(KEYS, "me", CACHE, NOW).replace("Expires=900", "Expires=899"), "signature"),
    ],
)
def test_no_other_token_does(token: str, problem: str) -> None:
    with pytest.raises(RefusedError, match=problem):
        gate(NOW).check("me", token)
