"""URLs of stores, and the settings that they stand for."""

import re

import pytest

from limiter.cloud_identity import FIELDS, AwsIdentity, AzureIdentity, GcpIdentity
from limiter.redis_settings import (
    Address,
    Cluster,
    Credentials,
    RedisSettings,
    Sentinel,
    Timeouts,
    Tls,
)
from limiter.stores.redis_parameters import ELSEWHERE, PARAMETERS
from limiter.stores.redis_urls import parse_url

LOCAL = Address("127.0.0.1", 6379)
KNOWN = {
    "redis://": RedisSettings(),
    "redis://cache": RedisSettings(Address("cache", 6379)),
    "redis://:pw@cache:7000/3": RedisSettings(Address("cache", 7000), credentials=Credentials("", "pw"), database=3),
    "redis://me:p%40%2F%3A%25w@[::1]:7000": RedisSettings(
        Address("::1", 7000), credentials=Credentials("me", "p@/:%w")
    ),
    "redis://h?db=2&username=me&password=pw": RedisSettings(
        Address("h", 6379), credentials=Credentials("me", "pw"), database=2
    ),
    "redis://h?connect_timeout=100&send_timeout=2000&read_timeout=30": RedisSettings(
        Address("h", 6379), timeouts=Timeouts(0.1, 2.0, 0.03)
    ),
    "redis://h?keepalive_pool_size=3&keepalive_backlog=0&connection_is_proxied=true": RedisSettings(
        Address("h", 6379), pool_size=3, backlog=0, proxied=True
    ),
    "rediss://h": RedisSettings(Address("h", 6379), tls=Tls()),
    "rediss://10.0.0.5?ssl_verify=false&server_name=redis.internal": RedisSettings(
        Address("10.0.0.5", 6379), tls=Tls(verify=False, server_name="redis.internal")
    ),
    "rediss://h?ssl_ca_certs=/a&ssl_certfile=/b&ssl_keyfile=/c&ssl_password=d": RedisSettings(
        Address("h", 6379), tls=Tls(ca_file="/a", cert_file="/b", key_file="/c", key_password="d")
    ),
    "redis+sentinel://me:pw@a,b:1/main/2?sentinel_role=any&sentinel_username=s&sentinel_password=t": RedisSettings(
        sentinel=Sentinel("main", (Address("a", 26379), Address("b", 1)), "any", Credentials("s", "t")),
        credentials=Credentials("me", "pw"),
        database=2,
    ),
    "redis+cluster://a,b:1?cluster_max_redirections=2": RedisSettings(
        cluster=Cluster((Address("a", 6379), Address("b", 1)), 2)
    ),
    "rediss+cluster://a": RedisSettings(cluster=Cluster((Address("a", 6379),)), tls=Tls()),
    "unix:///run/a%20b.sock?db=1": RedisSettings(path="/run/a b.sock", database=1),
    "rediss://me@h?auth_provider=aws&aws_cache_name=limits": RedisSettings(
        Address("h", 6379), credentials=Credentials("me"), identity=AwsIdentity("limits"), tls=Tls()
    ),
    "rediss+cluster://me@a?auth_provider=aws&aws_cache_name=limits&aws_region=eu-central-1&aws_is_serverless=false"
    "&aws_assume_role_arn=arn:aws:iam::1:role/r&aws_role_session_name=s": RedisSettings(
        cluster=Cluster((Address("a", 6379),)),
        credentials=Credentials("me"),
        identity=AwsIdentity(
            "limits", "eu-central-1", False, assume_role_arn="arn:aws:iam::1:role/r", role_session_name="s"
        ),
        tls=Tls(),
    ),
    "rediss://h:10000?auth_provider=azure": RedisSettings(Address("h", 10000), identity=AzureIdentity(), tls=Tls()),
    "rediss://oid@h:10000?auth_provider=azure&azure_client_id=c&azure_tenant_id=t": RedisSettings(
        Address("h", 10000), credentials=Credentials("oid"), identity=AzureIdentity("c", "", "t"), tls=Tls()
    ),
    "redis://h?auth_provider=gcp": RedisSettings(Address("h", 6379), identity=GcpIdentity()),
}


@pytest.mark.parametrize("url", KNOWN)
def test_a_url_stands_for_settings(url: str) -> None:
    assert parse_url(url) == KNOWN[url]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://h", "scheme 'http'"),
        ("redis://h?colour=red", "unknown parameter 'colour', expected username"),
        ("redis://h?db=one", "db: expected a whole number"),
        ("redis://h?db=1&db=2", "set twice"),
        ("redis://h?ssl_verify=false", "ssl_verify has no effect"),
        ("redis://h?sentinel_role=any", "no effect"),
        ("redis://h?cluster_max_redirections=1", "no effect"),
        ("rediss://h?ssl_verify=maybe", "expected true or false"),
        ("redis+sentinel://h/m?sentinel_role=boss", "expected master, slave or any"),
        ("redis+sentinel://h", "no master's name"),
        ("redis+sentinel:///m", "no nodes"),
        ("redis+cluster://", "no nodes"),
        ("redis+cluster://h/1", "only database 0"),
        ("redis://a,b", "several hosts"),
        ("redis://h/zero", "database's number"),
        ("redis://h/0/1", "more in the path"),
        ("redis://h:port", "expected a port"),
        ("redis://h:70000", "65535"),
        ("redis://h/1#x", "'#'"),
        ("redis://me@h", "username without a password"),
        ("redis://me@h?auth_provider=oracle", "auth_provider: expected aws, azure, gcp"),
        ("redis://me@h?auth_provider=aws", "found no aws_cache_name"),
        ("redis://h?auth_provider=aws&aws_cache_name=limits", "found no username"),
        ("redis://h?aws_cache_name=limits", "aws_cache_name has no effect without auth_provider=aws"),
        ("redis://h?auth_provider=gcp&azure_client_id=c", "azure_client_id has no effect without auth_provider=azure"),
        ("redis://me@h?auth_provider=aws&aws_cache_name=limits&aws_is_serverless=maybe", "expected true or false"),
        ("redis://h?connect_timeout=0", "greater than 0"),
        ("redis://h?keepalive_pool_size=0", "at least 1"),
        ("redis+cluster://h?connection_is_proxied=true", "proxy"),
        ("unix://h/path", "unix:///path"),
        ("unix:", "unix:///path"),
    ],
)
def test_what_stands_for_nothing_is_an_error(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://me:hunter2/h@host:1",
        "redis://me:hunter2@more@host:x",
        "redis://me:[hunter2]@host",
        "redis://me:[hunter2@host",
        "redis://me:hunter2#@host",
        "redis://me:hunter2?@host",
        "redis://h?password=hunter2&password=hunter2",
        "redis://h?db=hunter2",
        "redis://h:hunter2",
        "redis://h?auth_provider=hunter2",
        "redis://me@h?auth_provider=aws&aws_cache_name=c&aws_secret_access_key=hunter2",
        "redis://me@h?auth_provider=aws&aws_cache_name=hunter2.example.com",
    ],
)
def test_no_error_shows_a_secret(url: str) -> None:
    with pytest.raises(ValueError, match="redis") as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_settings_show_no_secret() -> None:
    settings = RedisSettings(
        credentials=Credentials("me", "hunter2"),
        sentinel=Sentinel("m", (LOCAL,), credentials=Credentials("me", "hunter2")),
        tls=Tls(key_password="hunter2"),
    )
    assert "hunter2" not in f"{settings!r} {settings}"


def test_what_has_another_effect_is_remarked() -> None:
    settings = RedisSettings(sentinel=Sentinel("m", (LOCAL,), "slave"), tls=Tls(verify=False))
    assert [remark.partition(":")[0] for remark in settings.remarks] == [
        "sentinel_role slave",
        "TLS without verification",
    ]
    assert [remark.partition(":")[0] for remark in RedisSettings(proxied=True, database=2).remarks] == ["database 2"]
    assert RedisSettings().remarks == ()


@pytest.mark.parametrize(
    ("settings", "remark"),
    [
        (RedisSettings(sentinel=Sentinel("m", (LOCAL,), "any")), "sentinel_role any: counters are written"),
        (RedisSettings(credentials=Credentials("me")), "username: not sent, since it has no password"),
        (
            RedisSettings(sentinel=Sentinel("m", (LOCAL,), credentials=Credentials("me"))),
            "sentinel_username: not sent, since it has no password",
        ),
        (
            RedisSettings(credentials=Credentials("me", "hunter2"), identity=GcpIdentity(), tls=Tls()),
            "password: not sent, since the identity's token takes its place",
        ),
        (RedisSettings(identity=GcpIdentity()), "cloud_authentication without TLS: whoever is on the way can read"),
        (RedisSettings(identity=AzureIdentity()), "cloud_authentication without TLS: .* over TLS alone$"),
        (
            RedisSettings(
                credentials=Credentials("me"), identity=AwsIdentity("limits", role_session_name="s"), tls=Tls()
            ),
            "aws_role_session_name: no effect without aws_assume_role_arn",
        ),
        (RedisSettings(credentials=Credentials("me"), identity=AwsIdentity("limits"), tls=Tls()), None),
    ],
)
def test_each_such_setting_has_its_reason(settings: RedisSettings, remark: str | None) -> None:
    if remark is None:
        assert settings.remarks == ()
    else:
        assert len(settings.remarks) == 1
        assert re.match(remark, settings.remarks[0])


@pytest.mark.parametrize("name", ELSEWHERE)
def test_secrets_of_clouds_are_not_for_urls(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not for a URL, expected .* environment") as caught:
        parse_url(f"rediss://h?auth_provider=gcp&{name}=hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_names_of_gateways_are_parameters() -> None:
    """Those of Kong's redis record that are no address."""
    names = {
        "username", "password", "sentinel_username", "sentinel_password", "sentinel_role", "keepalive_pool_size",
        "keepalive_backlog", "connect_timeout", "send_timeout", "read_timeout", "ssl_verify", "server_name",
        "connection_is_proxied", "cluster_max_redirections", "auth_provider",
    }  # fmt: skip
    assert names <= PARAMETERS.keys()
    assert {name for cloud in FIELDS.values() for name in cloud} <= PARAMETERS.keys() | ELSEWHERE.keys()
