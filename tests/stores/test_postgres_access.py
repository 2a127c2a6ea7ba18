"""Reaching a server: users, sockets, TLS, several hosts; and what is said when it cannot be reached."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from limiter.counters import Charge
from limiter.stores.contract import StoreError
from limiter.stores.postgres import PostgresStore
from limiter.stores.postgres_urls import parse_url
from tests.e2e.certificates import Certificates, issue
from tests.servers.front import PostgresFront
from tests.servers.postgres import PASSWORD, USER, free_port
from tests.stores.postgres_backends import server, settings

pytestmark = pytest.mark.xdist_group("postgresql")

CHARGE = Charge("key", 10**6, 1, 1, 0, 2**50)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither certificates nor passwords from a home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGDATABASE", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(parse_url(url))
    try:
        yield store
    finally:
        await store.close()


def url(place: str, *more: str, login: str = f"{USER}:{PASSWORD}", database: str = USER) -> str:
    query = "&".join([f"schema={settings().schema}", "timeout=10", *more])
    if "connect_timeout" not in query:
        query += "&connect_timeout=10"
    return f"postgresql://{login}@{place}/{database}?{query}"


async def fails(url: str) -> str:
    """The text of the error, which has no secret anywhere in its chain."""
    async with opened(url) as store:
        with pytest.raises(StoreError) as raised:
            await store.acquire("a", [CHARGE])
    error: BaseException | None = raised.value
    while error:
        assert "secret" not in f"{error} {error!r}"
        error = error.__cause__
    return str(raised.value)


@pytest.mark.parametrize(
    ("login", "database", "text"),
    [
        (f"{USER}:secret-and-wrong", USER, f'password authentication failed for user "{USER}"'),
        ("nobody-here:secret", USER, 'password authentication failed for user "nobody-here"'),
        (f"{USER}:{PASSWORD}", "nowhere", 'database "nowhere" does not exist'),
    ],
)
async def test_a_server_that_refuses_is_quoted_without_the_password(login: str, database: str, text: str) -> None:
    place = f"127.0.0.1:{server().port}"
    assert await fails(url(place, login=login, database=database)) == f"postgresql at {place}: {text}"


async def test_a_password_may_come_from_a_file(tmp_path: Path) -> None:
    passfile = tmp_path / "pass"
    passfile.write_text(f"127.0.0.1:*:{USER}:{USER}:{PASSWORD}\n")
    passfile.chmod(0o600)
    async with opened(url(f"127.0.0.1:{server().port}", f"passfile={passfile}", login=USER)) as store:
        assert (await store.acquire("a", [CHARGE])).admitted


async def test_a_unix_socket() -> None:
    """Whatever is said about TLS, which has no meaning there."""
    folder = str(server().folder).replace("/", "%2F")
    async with opened(url(f"{folder}:{server().port}", "sslmode=require", login=USER)) as store:
        assert (await store.acquire("a", [CHARGE])).admitted
    assert (
        await fails(f"postgresql://{USER}@/{USER}?host=/nowhere") == "postgresql at /nowhere: No such file or directory"
    )


async def test_nobody_listens() -> None:
    place = f"127.0.0.1:{free_port()}"
    assert await fails(url(place)) == f"postgresql at {place}: Connection refused"


async def test_a_host_that_does_not_answer_costs_the_timeout() -> None:
    async with PostgresFront(server().port) as front:
        front.silent = True
        place = f"127.0.0.1:{front.address.port}"
        assert await fails(url(place, "connect_timeout=0.2")) == f"postgresql at {place}: no answer in time"


async def test_the_first_host_that_writes_is_used() -> None:
    nobody, alive = free_port(), server().port
    async with opened(url(f"127.0.0.1:{nobody},127.0.0.1:{alive}")) as store:
        assert (await store.acquire("a", [CHARGE])).admitted
    server().run(f"ALTER ROLE {USER} SET default_transaction_read_only = on", "SELECT 1")
    try:
        only_read = url(f"127.0.0.1:{alive}", "target_session_attrs=standby")
        assert "standby" in await fails(only_read)
    finally:
        server().run(f"ALTER ROLE {USER} RESET ALL", "SELECT 1")


async def test_tls_is_verified_with_the_hosts_name(certificates: Certificates) -> None:
    async with PostgresFront(server().port, certificates.server_context()) as front:
        full = ("sslmode=verify-full", f"sslrootcert={certificates.ca}")
        async with opened(url(f"localhost:{front.address.port}", *full)) as store:
            assert (await store.acquire("a", [CHARGE])).admitted
        assert front.encrypted


async def test_tls_with_an_unknown_authority(certificates: Certificates, tmp_path: Path) -> None:
    """Refused if verification is asked for, taken if only encryption is."""
    (tmp_path / "other").mkdir()
    other = issue(tmp_path / "other")
    async with PostgresFront(server().port, certificates.server_context()) as front:
        place = f"127.0.0.1:{front.address.port}"
        for mode in ("verify-ca", "verify-full"):
            found = await fails(url(place, f"sslmode={mode}", f"sslrootcert={other.ca}"))
            assert found.startswith(f"postgresql at {place}: TLS: ")
        assert "TLS: " in await fails(url(place, "sslmode=verify-full", "sslrootcert=system"))
        async with opened(url(place, "sslmode=require")) as store:
            assert (await store.acquire("a", [CHARGE])).admitted


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address of its own to connect to")
async def test_tls_with_a_certificate_for_another_name(certificates: Certificates) -> None:
    context = certificates.server_context()
    async with PostgresFront(server().port, context) as front:
        # An address of this machine that the certificate does not name.
        place = f"127.0.0.2:{front.address.port}"
        assert "TLS: " in await fails(url(place, "sslmode=verify-full", f"sslrootcert={certificates.ca}"))
        async with opened(url(place, "sslmode=verify-ca", f"sslrootcert={certificates.ca}")) as store:
            assert (await store.acquire("a", [CHARGE])).admitted


async def test_tls_that_the_server_does_not_speak() -> None:
    place = f"127.0.0.1:{server().port}"
    assert "rejected SSL upgrade" in await fails(url(place, "sslmode=require"))


async def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    place = f"127.0.0.1:{server().port}"
    text = await fails(url(place, "sslmode=verify-full", f"sslrootcert={tmp_path}/none.pem"))
    assert "No such file" in text
    assert "root certificate file" in await fails(url(place, "sslmode=verify-full"))
