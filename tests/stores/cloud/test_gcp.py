"""Google's tokens: of a service account's key, and of the machine."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from limiter.cloud_identity import GcpIdentity
from limiter.redis_settings import RedisSettings
from limiter.stores.cloud.gcp import SCOPE
from limiter.stores.cloud.logins import CloudLogins
from limiter.stores.contract import StoreError, wall_clock
from limiter.stores.redis_urls import parse_url
from tests.contract.backends import Time
from tests.servers.guarded import Guarded
from tests.servers.provider import Answer, Provider, Question, provider
from tests.servers.valkey import Server
from tests.stores.cloud.surroundings import CHARGE, HOUR, PATIENT, acquire_once, opened

FOREVER = 10**18


class Google:
    """Issues tokens to whoever signs with the account's key."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key
        self.issued: dict[str, int] = {}

    def issue(self) -> dict[str, object]:
        token = f"ya29.{len(self.issued)}"
        self.issued[token] = wall_clock() + HOUR
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def exchange(self, question: Question) -> Answer:
        head, body, signature = (_decoded(part) for part in question.fields["assertion"].split("."))
        signed = question.fields["assertion"].rpartition(".")[0].encode()
        self.key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(body)
        assert json.loads(head)["alg"] == "RS256"
        assert (claims["iss"], claims["scope"]) == ("limiter@project.iam.gserviceaccount.com", SCOPE)
        return 200, self.issue()

    def admit(self, user: str, token: str) -> int | None:
        """As Memorystore does: nobody has a name, and a connection outlives its token."""
        return FOREVER if not user and self.issued.get(token, 0) > wall_clock() else None


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def google(key: rsa.RSAPrivateKey) -> Google:
    return Google(key)


@pytest.fixture
def tokens(google: Google) -> Iterator[Provider]:
    with provider(google.exchange) as tokens:
        yield tokens


@pytest.fixture
def account(key: rsa.RSAPrivateKey, tokens: Provider) -> str:
    """The text of a key file."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "limiter@project.iam.gserviceaccount.com",
            "private_key": key.private_bytes(*form).decode(),
            "token_uri": f"{tokens.url}/token",
        }
    )


async def test_a_service_account_logs_in_with_its_key(server: Server, google: Google, account: str) -> None:
    async with Guarded(server.address, google.admit, wall_clock) as guard:
        settings = RedisSettings(guard.address, identity=GcpIdentity(account), timeouts=PATIENT)
        async with opened(settings) as store:
            assert (await store.acquire("a", [CHARGE])).admitted
        assert (guard.shown, guard.refused) == (["ya29.0"], 0)


async def test_a_key_file_that_the_environment_names(
    server: Server, google: Google, account: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.json"
    file.write_text(account)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    async with Guarded(server.address, google.admit, wall_clock) as guard:
        settings = parse_url(f"redis://{guard.address}?auth_provider=gcp&connect_timeout=10000")
        async with opened(settings) as store:
            assert (await store.acquire("a", [CHARGE])).admitted
        assert guard.shown == ["ya29.0"]


async def test_the_machines_own_account(server: Server, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(question: Question) -> Answer:
        assert question.headers["metadata-flavor"] == "Google"
        if question.path.endswith("/token"):
            return 200, google.issue()
        if question.path.endswith("/service-accounts/default/"):
            return 200, {"email": "machine@project.iam.gserviceaccount.com", "scopes": [SCOPE], "aliases": ["default"]}
        return 200, "project"

    with provider(answer) as machine:
        address = machine.url.removeprefix("http://")
        monkeypatch.setenv("GCE_METADATA_HOST", address)
        monkeypatch.setenv("GCE_METADATA_IP", address)
        async with Guarded(server.address, google.admit, wall_clock) as guard:
            settings = RedisSettings(guard.address, identity=GcpIdentity(), timeouts=PATIENT)
            async with opened(settings) as store:
                assert (await store.acquire("a", [CHARGE])).admitted
            assert len(guard.shown) == 1


async def test_connections_outlive_their_tokens_and_new_ones_bring_new_tokens(
    server: Server, google: Google, tokens: Provider, account: str
) -> None:
    """While Google is down, a token serves as long as it lasts."""
    clock = Time(wall_clock())
    identity = GcpIdentity(account)
    async with Guarded(server.address, google.admit, clock) as guard:
        settings = RedisSettings(guard.address, identity=identity, timeouts=PATIENT)
        logins = CloudLogins(identity, "", clock)
        async with opened(settings, logins=logins) as store:
            await store.acquire("a", [CHARGE])
            tokens.failure = (400, {"error": "invalid_grant", "error_description": "the key is no more"})
            clock.advance(HOUR * 9 // 10)
            await acquire_once(settings, logins)
            clock.advance(HOUR // 10)
            began = time.monotonic()
            with pytest.raises(StoreError, match=r"Google: no token from.*: RefreshError invalid_grant$"):
                await acquire_once(settings, logins)
            assert time.monotonic() - began < 10
            await store.acquire("b", [CHARGE])
        assert guard.shown == ["ya29.0"] * 2
        tokens.failure = None
        clock.now = wall_clock() + 10_000
        await acquire_once(settings, CloudLogins(identity, "", clock))
        assert guard.shown[-1] == "ya29.1"
