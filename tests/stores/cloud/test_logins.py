"""Tokens and connections that end: no call is lost, by a clock that the tests set and a gatekeeper that looks at it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from limiter.cloud_identity import AwsIdentity, AzureIdentity, CloudIdentity, GcpIdentity
from limiter.redis_settings import Cluster, Credentials, RedisSettings, Tls
from limiter.stores.cloud.logins import CloudLogins
from limiter.stores.contract import StoreError, wall_clock
from limiter.stores.redis_store import RedisStore
from limiter.stores.urls import open_store
from tests.contract.backends import Time
from tests.e2e.certificates import Certificates
from tests.servers import shared
from tests.servers.elasticache import HOURS, ElastiCache
from tests.servers.front import Front
from tests.servers.guarded import Guarded
from tests.servers.valkey import Server
from tests.stores.cloud.surroundings import CHARGE, HOUR, PATIENT, opened

IDENTITY = AwsIdentity("Limits", "eu-central-1", False, "AKIDEXAMPLE", "the/secret+key")
USER = Credentials("me")


def cache(clock: Time, *, serverless: bool = False) -> ElastiCache:
    return ElastiCache(
        "limits", "eu-central-1", serverless, frozenset({"me"}), {("AKIDEXAMPLE", ""): "the/secret+key"}, clock
    )


@asynccontextmanager
async def guarded(server: Server, clock: Time, **more: bool) -> AsyncIterator[tuple[Guarded, RedisStore]]:
    identity = replace(IDENTITY, is_serverless=more.get("serverless", False))
    async with Guarded(server.address, cache(clock, **more).admit, clock) as guard:
        settings = RedisSettings(guard.address, credentials=USER, identity=identity, timeouts=PATIENT, pool_size=4)
        async with opened(settings, logins=CloudLogins(identity, "me", clock)) as store:
            yield guard, store


@pytest.mark.parametrize("serverless", [False, True])
async def test_a_signed_token_opens_an_instance_and_a_serverless_cache(
    server: Server, clock: Time, serverless: bool
) -> None:
    async with guarded(server, clock, serverless=serverless) as (guard, store):
        assert (await store.acquire("a", [CHARGE])).admitted
        assert (len(guard.shown), guard.refused) == (1, 0)


async def test_busy_connections_are_replaced_before_they_are_dropped(server: Server, clock: Time) -> None:
    """Two days of load, in which no call fails and none meets a connection that the server has dropped."""
    async with guarded(server, clock) as (guard, store):
        for step in range(48 * 4):
            clock.advance(HOUR // 4)
            calls = [store.acquire(f"{step}:{number}", [CHARGE]) for number in range(8)]
            await asyncio.gather(*calls)
        assert (guard.dropped, guard.refused) == (0, 0)
        assert len(guard.shown) == len(set(guard.shown)) == 4
    with server.client() as client:
        assert client.get(CHARGE.key) == b"1536"


async def test_an_idle_connection_is_replaced_before_it_is_dropped(server: Server, clock: Time) -> None:
    async with guarded(server, clock) as (guard, store):
        await store.acquire("a", [CHARGE])
        clock.advance(12 * HOURS - 30_001)
        await store.acquire("b", [CHARGE])
        assert len(guard.shown) == 1
        clock.advance(1)
        await store.acquire("c", [CHARGE])
        assert (len(guard.shown), guard.dropped, guard.refused) == (2, 0, 0)


async def test_a_connection_that_is_dropped_early_costs_no_call(server: Server, clock: Time) -> None:
    async with Guarded(server.address, lambda _user, _token: clock() + HOUR, clock) as guard:
        settings = RedisSettings(guard.address, credentials=USER, identity=IDENTITY, timeouts=PATIENT)
        async with opened(settings, logins=CloudLogins(IDENTITY, "me", clock)) as store:
            await store.acquire("a", [CHARGE])
            clock.advance(2 * HOUR)
            assert (await store.acquire("b", [CHARGE])).readings[0].current == 1
            assert (guard.dropped, len(guard.shown)) == (1, 2)


async def test_a_token_that_is_refused_is_an_error_without_it(server: Server, clock: Time) -> None:
    async with Guarded(server.address, lambda _user, _token: None, clock) as guard:
        settings = RedisSettings(guard.address, credentials=USER, identity=IDENTITY, timeouts=PATIENT)
        async with opened(settings, logins=CloudLogins(IDENTITY, "me", clock)) as store:
            with pytest.raises(StoreError, match=r"WRONGPASS|password") as caught:
                await store.acquire("a", [CHARGE])
            assert "Amz" not in str(caught.value)
            assert caught.value.__cause__ is None
        assert guard.refused == 1


async def test_a_cluster_is_opened_node_by_node(clock: Time) -> None:
    """Each node asks for a token; the map names the fronts."""
    nodes = shared.cluster().nodes
    shared.cluster().flush()
    fronts: dict[int, int] = {}
    admit = cache(clock).admit
    guards = [Guarded(node.address, admit, clock, fronts) for node in nodes]
    async with guards[0], guards[1], guards[2]:
        fronts |= {node.port: guard.address.port for node, guard in zip(nodes, guards, strict=True)}
        settings = RedisSettings(
            cluster=Cluster((guards[0].address,)), credentials=USER, identity=IDENTITY, timeouts=PATIENT
        )
        async with opened(settings, logins=CloudLogins(IDENTITY, "me", clock)) as store:
            for round_ in range(3):
                clock.advance(11 * HOUR)
                for key in ("{a}", "{b}", "{c}", "{d}"):
                    assert (await store.acquire(f"{round_}{key}", [CHARGE._replace(key=key)])).admitted
        assert all(guard.shown for guard in guards)
        assert not any(guard.refused or guard.dropped for guard in guards)


async def test_a_token_goes_over_tls_to_the_name_that_was_asked_for(
    server: Server, clock: Time, certificates: Certificates
) -> None:
    async with (
        Guarded(server.address, cache(clock).admit, clock) as guard,
        Front(guard.address, certificates.server_context()) as front,
    ):
        settings = RedisSettings(
            front.address,
            credentials=USER,
            identity=IDENTITY,
            tls=Tls(ca_file=str(certificates.ca), server_name="limits.example.com"),
            timeouts=PATIENT,
        )
        async with opened(settings, logins=CloudLogins(IDENTITY, "me", clock)) as store:
            assert (await store.acquire("a", [CHARGE])).admitted
        assert front.names == ["limits.example.com"]
        assert len(guard.shown) == 1


async def test_settings_with_an_identity_need_nothing_else(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """By URL and the machine's clock, with the secret from the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the/secret+key")
    async with Guarded(server.address, cache(wall_clock, serverless=True).admit, wall_clock) as guard:
        query = "auth_provider=aws&aws_cache_name=limits&aws_region=eu-central-1&connect_timeout=10000"
        store = open_store(f"redis://me@{guard.address}?{query}")
        assert (await store.acquire("a", [CHARGE])).admitted
        await store.close()
        assert len(guard.shown) == 1


@pytest.mark.parametrize(
    ("identity", "module", "extra"),
    [(AzureIdentity(), "azure.identity", "azure"), (GcpIdentity(), "google.auth", "gcp")],
)
def test_a_missing_library_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch, identity: CloudIdentity, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    hint = rf"{module}.*pip install 'ai-limit\[{extra}\]'"
    with pytest.raises(StoreError, match=hint):
        open_store(RedisSettings(identity=identity))
    # Of a URL it is known where it stands in a configuration.
    with pytest.raises(ValueError, match=hint):
        open_store(f"rediss://h?auth_provider={extra}")
