"""Entra's tokens: of an application with a secret, over TLS, and of a managed identity."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from json import dumps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.cloud_identity import AzureIdentity
from limiter.redis_settings import Credentials, RedisSettings, Timeouts
from limiter.stores.cloud.azure import principal
from limiter.stores.cloud.logins import CloudLogins
from limiter.stores.contract import StoreError, wall_clock
from tests.contract.backends import Time
from tests.e2e.certificates import Certificates
from tests.servers.guarded import Guarded
from tests.servers.provider import Answer, Provider, Question, provider
from tests.servers.valkey import Server, until
from tests.stores.cloud.surroundings import CHARGE, PATIENT, acquire_once, opened

APPLICATION = AzureIdentity("the-client", "the-secret", "the-tenant")
OBJECT = "11111111-2222-3333-4444-555555555555"
MINUTE = 60_000


class Entra:
    """What was issued, and until when."""

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}
        self.lifetime = 240
        """Seconds; the library keeps a token that has more than five minutes left."""

    def issue(self) -> dict[str, object]:
        claims = urlsafe_b64encode(dumps({"oid": OBJECT, "number": len(self.ends)}).encode()).decode().rstrip("=")
        token = f"e30.{claims}.signature"
        ends = int(time.time()) + self.lifetime
        self.ends[token] = ends * 1000
        return {"token_type": "Bearer", "access_token": token, "expires_in": self.lifetime, "expires_on": str(ends)}

    def admit(self, user: str, token: str) -> int | None:
        """As Azure does, to the token's end."""
        return self.ends.get(token) if user == OBJECT else None


@pytest.fixture
def entra() -> Entra:
    return Entra()


@pytest.fixture
def authority(entra: Entra, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    def answer(question: Question) -> Answer:
        if question.path.endswith("/.well-known/openid-configuration"):
            base = f"{found.url}/the-tenant"
            return 200, {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
            }
        return 200, entra.issue()

    with provider(answer, certificates.server_context()) as found:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", found.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca))
        yield found


def token_questions(authority: Provider) -> list[Question]:
    return [question for question in authority.questions if question.path.endswith("/oauth2/v2.0/token")]


async def test_an_application_logs_in_with_its_secret(server: Server, entra: Entra, authority: Provider) -> None:
    """By the object id that the token names, as no user's name is given."""
    async with Guarded(server.address, entra.admit, wall_clock) as guard:
        settings = RedisSettings(guard.address, identity=APPLICATION, timeouts=PATIENT)
        async with opened(settings) as store:
            assert (await store.acquire("a", [CHARGE])).admitted
        assert (len(guard.shown), guard.refused) == (1, 0)
    (question,) = token_questions(authority)
    assert question.path == "/the-tenant/oauth2/v2.0/token"
    assert question.fields["client_id"] == "the-client"
    assert question.fields["client_secret"] == "the-secret"
    assert "https://redis.azure.com/.default" in question.fields["scope"].split()


async def test_a_secret_of_the_environment(
    server: Server, entra: Entra, authority: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", "the-tenant")
    monkeypatch.setenv("AZURE_CLIENT_ID", "the-client")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "from-outside")
    async with Guarded(server.address, entra.admit, wall_clock) as guard:
        settings = RedisSettings(guard.address, credentials=Credentials(OBJECT), identity=AzureIdentity())
        async with opened(settings, logins=CloudLogins(AzureIdentity(), OBJECT, wall_clock)) as store:
            assert (await store.acquire("a", [CHARGE])).admitted
    assert token_questions(authority)[0].fields["client_secret"] == "from-outside"


async def test_connections_end_before_their_tokens(server: Server, entra: Entra, authority: Provider) -> None:
    """The next token is there by then: it was fetched past half time, while calls went over the old connection."""
    clock = Time(wall_clock())
    async with Guarded(server.address, entra.admit, clock) as guard:
        settings = RedisSettings(guard.address, identity=APPLICATION, timeouts=PATIENT)
        logins = CloudLogins(APPLICATION, "", clock)
        async with opened(settings, logins=logins) as store:
            await store.acquire("first", [CHARGE])
            # The tests' clock alone moves, so what is issued later has to last longer by the machine's.
            entra.lifetime += 150
            clock.advance(150_000)
            await store.acquire("second", [CHARGE])
            await asyncio.to_thread(until, lambda: len(entra.ends) == 2)
            assert len(guard.shown) == 1
            authority.ready.clear()
            for step in range(6):
                clock.advance(MINUTE // 2)
                await store.acquire(f"{step}", [CHARGE])
        assert (guard.dropped, guard.refused) == (0, 0)
        assert guard.shown == [*entra.ends]


async def test_while_entra_is_down_a_token_serves_as_long_as_it_lasts(
    server: Server, entra: Entra, authority: Provider
) -> None:
    clock = Time(wall_clock())
    async with Guarded(server.address, entra.admit, clock) as guard:
        settings = RedisSettings(guard.address, identity=APPLICATION, timeouts=PATIENT)
        logins = CloudLogins(APPLICATION, "", clock)
        await acquire_once(settings, logins)
        authority.failure = (
            401,
            {"error": "invalid_client", "error_description": "AADSTS7000215: the-secret is wrong"},
        )
        clock.advance(3 * MINUTE)
        await acquire_once(settings, logins)
        clock.advance(MINUTE)
        began = time.monotonic()
        with pytest.raises(
            StoreError, match=r"Azure: no token from.*: ClientAuthenticationError AADSTS7000215$"
        ) as caught:
            await acquire_once(settings, logins)
        assert "the-secret" not in repr(caught.value)
        authority.failure = None
        entra.lifetime = 600
        clock.advance(2000)
        await acquire_once(settings, logins)
        assert time.monotonic() - began < 10
        assert (guard.dropped, guard.refused) == (0, 0)


async def test_a_slow_entra_costs_the_connect_timeout(server: Server, entra: Entra, authority: Provider) -> None:
    authority.ready.clear()
    settings = RedisSettings(server.address, identity=APPLICATION, timeouts=Timeouts(0.2, 5, 5))
    logins = CloudLogins(APPLICATION, "", wall_clock)
    began = time.monotonic()
    with pytest.raises(StoreError, match="no token from the identity provider in time"):
        await acquire_once(settings, logins)
    assert time.monotonic() - began < 2
    authority.ready.set()
    # The fetch goes on meanwhile, and serves whoever comes next.
    assert (await logins.login()).username == OBJECT


@pytest.mark.parametrize("client", ["", "the-client"])
async def test_a_managed_identity(server: Server, entra: Entra, monkeypatch: pytest.MonkeyPatch, client: str) -> None:
    with provider(lambda _question: (200, entra.issue())) as machine:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "of-the-machine")
        async with Guarded(server.address, entra.admit, wall_clock) as guard:
            identity = AzureIdentity(client)
            async with opened(RedisSettings(guard.address, identity=identity, timeouts=PATIENT)) as store:
                assert (await store.acquire("a", [CHARGE])).admitted
            assert len(guard.shown) == 1
    (question,) = machine.questions
    assert question.headers["x-identity-header"] == "of-the-machine"
    assert question.fields["resource"] == "https://redis.azure.com"
    assert question.fields.get("client_id", "") == client


@given(st.text())
def test_what_is_no_token_names_nobody(text: str) -> None:
    assert principal(text) == ""
    assert principal(f"e30.{text}.x") == ""


@given(st.text())
def test_a_token_names_its_principal(name: str) -> None:
    body = urlsafe_b64encode(dumps({"oid": name, "aud": "x"}).encode()).decode().rstrip("=")
    assert principal(f"e30.{body}.signature") == name
