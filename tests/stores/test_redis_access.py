"""Who may ask, and over what: users, databases, sockets, TLS."""

import datetime as dt
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis

from limiter.counters import Charge, Correction
from limiter.redis_settings import Credentials, RedisSettings, Timeouts, Tls
from limiter.stores.contract import StoreError
from limiter.stores.redis_dial import Login
from limiter.stores.redis_store import RedisStore
from limiter.stores.redis_urls import parse_url
from tests.e2e.certificates import Certificates, issue
from tests.servers import shared
from tests.servers.front import Front
from tests.servers.valkey import Server
from tests.stores.test_redis_store import COMMANDS

pytestmark = pytest.mark.xdist_group("redis")

SECRET = "hunter2-the-password"
KEY = "{ai-limit}:key"
CHARGE = Charge(KEY, 100, 5, 5, 3_600_000, hold=True)
PATIENT = Timeouts(5, 5, 5)


@pytest.fixture
def client() -> Iterator[Redis]:
    with shared.standalone().client() as client:
        client.flushall()
        yield client
        client.execute_command("ACL DELUSER limiter")


@pytest.fixture
def server(client: Redis) -> Server:
    return shared.standalone()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Valid for localhost, 127.0.0.1 and *.example.com."""
    return issue(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def opened(settings: RedisSettings, **more: object) -> AsyncIterator[RedisStore]:
    store = RedisStore(replace(settings, timeouts=PATIENT), **more)
    try:
        yield store
    finally:
        await store.close()


def self_signed(path: Path) -> Path:
    """A client's certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ai-limit")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


async def exchange(store: RedisStore, id: str = "a") -> None:
    acquired = await store.acquire(id, [CHARGE])
    await store.renew([id])
    await store.settle(id, [Correction(CHARGE, 3, acquired.readings[0].expires_at)])


def permit(client: Redis, *rules: str) -> None:
    """A user with no more than the store asks for, and `rules`."""
    commands = [f"+{name}" for name in COMMANDS]
    client.execute_command(
        "ACL SETUSER", "limiter", "reset", "on", f">{SECRET}", "~{ai-limit}:*", "~ai-limit.*", *commands, *rules
    )


async def test_a_user_needs_few_commands_and_the_native_keys(client: Redis, server: Server) -> None:
    permit(client)
    async with opened(RedisSettings(server.address, credentials=Credentials("limiter", SECRET))) as store:
        await exchange(store)
        assert client.get(KEY) == b"3"
        with pytest.raises(StoreError, match="NOPERM") as caught:
            await store.acquire("b", [CHARGE._replace(key="sk-foreign")])
        assert "sk-foreign" not in str(caught.value)
        assert "~ai-limit.* beside those of the limits" in str(caught.value)
        assert {name for name in COMMANDS if name.upper() not in str(caught.value)} == set()


async def test_a_user_without_digests_sends_the_script(client: Redis, server: Server) -> None:
    permit(client, "-evalsha")
    async with opened(RedisSettings(server.address, credentials=Credentials("limiter", SECRET))) as store:
        client.config_resetstat()
        await exchange(store)
        await exchange(store, "b")
        statistics = client.info("commandstats")
    assert statistics["cmdstat_eval"]["calls"] == 6
    # The first call has found out, for all.
    assert statistics["cmdstat_evalsha"]["rejected_calls"] == 1


async def test_a_wrong_password_is_an_error_without_it(client: Redis, server: Server) -> None:
    permit(client)
    for login in (Credentials("limiter", SECRET + "!"), Credentials("nobody", SECRET), Credentials("", SECRET)):
        async with opened(RedisSettings(server.address, credentials=login)) as store:
            with pytest.raises(StoreError, match="password") as caught:
                await store.acquire("a", [CHARGE])
            problem: BaseException | None = caught.value
            while problem is not None:
                assert SECRET not in f"{problem!s}{problem!r}"
                problem = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)


async def test_credentials_may_come_from_elsewhere(client: Redis, server: Server) -> None:
    """Asked for with every connection, so that they may change."""
    permit(client)

    class Rotating:
        asked = 0

        async def login(self) -> Login:
            self.asked += 1
            return Login("limiter", SECRET)

        def holds(self, login: Login) -> bool:
            return True

    logins = Rotating()
    async with opened(RedisSettings(server.address), logins=logins) as store:
        await exchange(store)
    assert logins.asked == 1


async def test_a_username_without_a_password_is_not_sent(client: Redis, server: Server) -> None:
    async with opened(RedisSettings(server.address, credentials=Credentials("nobody"))) as store:
        await exchange(store)
    assert client.get(KEY) == b"3"


async def test_a_database_of_its_own(client: Redis, server: Server) -> None:
    async with opened(parse_url(f"redis://{server.address}/3")) as store:
        await exchange(store)
    with server.client(db=3) as third:
        assert third.get(KEY) == b"3"
    assert not client.exists(KEY)
    async with opened(parse_url(f"redis://{server.address}/99")) as store:
        with pytest.raises(StoreError, match="no such database"):
            await store.acquire("a", [CHARGE])


async def test_a_unix_socket(client: Redis, server: Server) -> None:
    async with opened(parse_url(f"unix://{server.socket}")) as store:
        await exchange(store)
    assert client.get(KEY) == b"3"


async def test_behind_a_proxy_nothing_is_sent_but_scripts(client: Redis, server: Server) -> None:
    """And those of one hash tag each."""
    client.config_resetstat()
    async with opened(parse_url(f"redis://{server.address}/5?connection_is_proxied=true")) as store:
        await exchange(store)
        charges = [CHARGE._replace(key=key) for key in ("one", "{two}", "{two}more")]
        assert (await store.acquire("b", charges)).admitted
        statistics = client.info("commandstats")
    assert not {"cmdstat_select", "cmdstat_hello", "cmdstat_client|setinfo"} & statistics.keys()
    assert statistics["cmdstat_evalsha"]["calls"] == 5
    assert client.keys("ai-limit.hold:*b") != []
    assert {bytes(key) for key in client.keys("ai-limit.holds:*")} == {b"ai-limit.holds:{one}", b"ai-limit.holds:{two}"}


async def test_tls_verifies_and_names_the_host(server: Server, certificates: Certificates) -> None:
    async with Front(server.address, certificates.server_context()) as front:
        settings = RedisSettings(front.address, tls=Tls(ca_file=str(certificates.ca)))
        async with opened(settings) as store:
            await exchange(store)
        by_name = replace(settings, address=front.address._replace(host="localhost"))
        async with opened(by_name) as store:
            await exchange(store, "b")
        # The name of an address is none.
        assert front.names == [None, "localhost"]


async def test_another_name_than_the_hosts(server: Server, certificates: Certificates) -> None:
    async with Front(server.address, certificates.server_context()) as front:
        url = f"rediss://{front.address}?ssl_ca_certs={certificates.ca}&server_name="
        async with opened(parse_url(url + "redis.example.com")) as store:
            await exchange(store)
        async with opened(parse_url(url + "redis.example.org")) as store:
            with pytest.raises(StoreError, match="TLS: Hostname mismatch"):
                await store.acquire("b", [CHARGE])
        assert front.names == ["redis.example.com", "redis.example.org"]


async def test_an_unknown_authority_is_refused_unless_told_otherwise(
    server: Server, certificates: Certificates
) -> None:
    async with Front(server.address, certificates.server_context()) as front:
        async with opened(parse_url(f"rediss://{front.address}")) as store:
            with pytest.raises(StoreError, match="TLS: unable to get local issuer certificate"):
                await store.acquire("a", [CHARGE])
        async with opened(parse_url(f"rediss://{front.address}?ssl_verify=false&server_name=any.thing")) as store:
            await exchange(store)
        assert front.names[-1] == "any.thing"


async def test_the_client_shows_its_certificate(server: Server, certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    shown = self_signed(tmp_path / "client.pem")
    context.load_verify_locations(shown)
    async with Front(server.address, context) as front:
        anonymous = Tls(ca_file=str(certificates.ca))
        known = replace(anonymous, cert_file=str(shown), key_file=str(shown))
        async with opened(RedisSettings(front.address, tls=known)) as store:
            await exchange(store)
        async with opened(RedisSettings(front.address, tls=anonymous)) as store:
            with pytest.raises(StoreError):
                await store.acquire("b", [CHARGE])
        missing = replace(known, key_file=str(tmp_path / "missing.pem"))
        async with opened(RedisSettings(front.address, tls=missing)) as store:
            with pytest.raises(StoreError, match="No such file"):
                await store.acquire("c", [CHARGE])
