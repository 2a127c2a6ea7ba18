"""Redis records as settings."""

from typing import Any

import pytest

from limiter.cloud_identity import AwsIdentity
from limiter.config.kong.redis import COMMUNITY, ENTERPRISE, modern, redis_settings
from limiter.config.kong.schema import Fields, Reading
from limiter.config.kong.vaults import Vaults
from limiter.redis_settings import Address, Cluster, Credentials, RedisSettings, Sentinel, Timeouts, Tls

TWO_SECONDS = Timeouts(2.0, 2.0, 2.0)


def settings(schema: Fields, **record: Any) -> RedisSettings:
    engine = Reading(Vaults({}))
    read = engine.read(schema, record, (), "redis")
    assert not engine.violations
    return redis_settings(read)


def test_defaults() -> None:
    """This machine's server, two seconds, no TLS."""
    expected = RedisSettings(address=Address("127.0.0.1", 6379), timeouts=TWO_SECONDS)

    assert settings(ENTERPRISE) == expected
    assert settings(COMMUNITY) == expected


def test_every_field_of_one_server() -> None:
    """Milliseconds become seconds; a certificate is checked unless that is turned off."""
    found = settings(
        ENTERPRISE,
        host="redis.example",
        port=6380,
        username="app",
        password="pw",
        database=3,
        ssl=True,
        server_name="sni.example",
        connect_timeout=100,
        send_timeout=200,
        read_timeout=0,
        keepalive_pool_size=4,
        keepalive_backlog=9,
    )

    assert found == RedisSettings(
        address=Address("redis.example", 6380),
        credentials=Credentials("app", "pw"),
        database=3,
        tls=Tls(verify=True, server_name="sni.example"),
        timeouts=Timeouts(0.1, 0.2, 0.001),
        pool_size=4,
        backlog=9,
    )
    assert settings(ENTERPRISE, ssl=True, ssl_verify=False).tls == Tls(verify=False)


def test_sentinel() -> None:
    """Chosen by `sentinel_master`."""
    found = settings(
        ENTERPRISE,
        sentinel_master="main",
        sentinel_role="any",
        sentinel_username="watch",
        sentinel_password="pw",
        sentinel_nodes=[{"host": "a"}, {"host": "b", "port": 26380}],
    )

    nodes = (Address("a", 6379), Address("b", 26380))
    assert found.sentinel == Sentinel("main", nodes, "any", Credentials("watch", "pw"))


def test_cluster() -> None:
    """Chosen by `cluster_nodes`."""
    found = settings(ENTERPRISE, cluster_nodes=[{"ip": "10.0.0.1"}, {}], cluster_max_redirections=2)

    assert found.cluster == Cluster((Address("10.0.0.1", 6379), Address("127.0.0.1", 6379)), 2)


def test_proxied() -> None:
    """A connection through Envoy or such."""
    assert settings(ENTERPRISE, connection_is_proxied=True).proxied


def test_single_timeout() -> None:
    """`redis-ce` has one for all."""
    assert settings(COMMUNITY, host="x", timeout=500).timeouts == Timeouts(0.5, 0.5, 0.5)


@pytest.mark.parametrize("schema", [ENTERPRISE, COMMUNITY])
def test_cloud(schema: Fields) -> None:
    """An identity takes the password's place."""
    cloud = {
        "auth_provider": "aws",
        "aws_cache_name": "cache",
        "aws_region": "eu-central-1",
        "aws_is_serverless": False,
    }
    found = settings(schema, host="x", username="app", ssl=True, cloud_authentication=cloud)

    assert found.identity == AwsIdentity(cache_name="cache", region="eu-central-1", is_serverless=False)


def test_contradictions() -> None:
    """Are told, and never guessed away."""
    with pytest.raises(ValueError, match="no nodes"):
        settings(ENTERPRISE, sentinel_master="main")
    with pytest.raises(ValueError, match="sentinel and cluster"):
        settings(ENTERPRISE, sentinel_master="m", sentinel_nodes=[{}], cluster_nodes=[{}])
    with pytest.raises(ValueError, match="username"):
        settings(COMMUNITY, cloud_authentication={"auth_provider": "aws", "aws_cache_name": "c"})


def test_names_of_kong_3_7() -> None:
    """One timeout and addresses as texts; what is written in today's names stays."""
    old = {"timeout": 5, "read_timeout": 7, "cluster_addresses": ["a:1", "b"], "sentinel_addresses": ["[::1]:2"]}

    assert modern(old) == {
        "connect_timeout": 5,
        "send_timeout": 5,
        "read_timeout": 7,
        "cluster_nodes": [{"ip": "a", "port": 1}, {"ip": "b"}],
        "sentinel_nodes": [{"host": "[::1]", "port": 2}],
    }
    assert modern({"cluster_addresses": 5}) == {"cluster_addresses": 5}
