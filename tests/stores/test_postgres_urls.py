"""URLs of PostgreSQL, with the names that its other clients know."""

import pytest

from limiter.stores.postgres_settings import PostgresSettings
from limiter.stores.postgres_urls import parse_url


def test_all_parts() -> None:
    found = parse_url(
        "postgresql://me%40here:p%3Aw%2F@db.example:6000/my%2Fdb?sslmode=verify-full&sslrootcert=/ca.pem"
        "&schema=team_1&timeout=0.5&connect_timeout=3&pool_size=5&synchronous_commit=off&application_name=us"
    )
    assert found == PostgresSettings(
        hosts=(("db.example", 6000),),
        user="me@here",
        password="p:w/",
        database="my/db",
        schema="team_1",
        tls={"sslmode": "verify-full", "sslrootcert": "/ca.pem"},
        connect_timeout=3,
        timeout=0.5,
        pool_size=5,
        session={"synchronous_commit": "off", "application_name": "us"},
    )


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://", ()),
        ("postgres:///db", ()),
        ("postgresql://host", (("host", 5432),)),
        ("postgresql://one:1,two,[::1]:3/db", (("one", 1), ("two", 5432), ("::1", 3))),
        ("postgresql://me@%2Frun%2Fpostgresql/db", (("/run/postgresql", 5432),)),
        ("postgresql:///db?host=/tmp&port=6000", (("/tmp", 6000),)),
        ("postgresql:///db?host=one,two&port=1,2", (("one", 1), ("two", 2))),
        ("postgresql:///db?host=one,two", (("one", 5432), ("two", 5432))),
    ],
)
def test_places(url: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert parse_url(url).hosts == hosts


def test_user_and_database_may_stand_in_the_query() -> None:
    found = parse_url("postgresql://host?user=me&password=secret&dbname=db&target_session_attrs=primary&passfile=/p")
    assert (found.user, found.password, found.database) == ("me", "secret", "db")
    assert (found.attributes, found.passfile) == ("primary", "/p")


def test_no_text_of_settings_shows_the_password() -> None:
    found = parse_url("postgresql://me:secret@host,[::1]:7/db?sslpassword=secret")
    assert "secret" not in f"{found} {found!r}"
    assert str(found) == "postgresql at host:5432, ::1:7"
    assert str(parse_url("postgresql:///db?host=/tmp")) == "postgresql at /tmp"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host", "found the scheme 'mysql', expected postgresql"),
        ("postgresql:host", "expected postgresql://user"),
        ("postgresql://me:sec#ret@host/db", "expected %23 in its place"),
        ("postgresql://me:sec/ret@host/db", "expected a port"),
        ("postgresql://me:secret@host:0/db", "expected a port of 1 to 65535"),
        ("postgresql://me:secret@host:65536/db", "expected a port of 1 to 65535"),
        ("postgresql://me:secret@[::1]x/db", "expected|found no URL"),
        ("postgresql://me:secret@[::1/db", "found no URL"),
        ("postgresql://host/db?sslmode=maybe", "sslmode: expected disable, allow, prefer, require"),
        ("postgresql://host/db?ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version: expected TLSv1"),
        ("postgresql://host/db?sslmode=require&sslmode=disable", "sslmode is set twice"),
        ("postgresql://host/db?colour=red", "unknown parameter 'colour'"),
        ("postgresql://host/db?schema=", "schema: expected text"),
        ("postgresql://host/db?schema=a;drop", "schema: expected up to 63 letters"),
        ("postgresql://host/db?schema=pg_catalog", "schema: expected up to 63 letters"),
        ("postgresql://host/db?timeout=soon", "timeout: expected seconds"),
        ("postgresql://host/db?timeout=0", "timeouts are greater than 0"),
        ("postgresql://host/db?pool_size=0", "found a pool of 0, expected 1 to 64"),
        ("postgresql://host/db?pool_size=-1", "pool_size: expected a whole number"),
        ("postgresql:///db?host=a,b,c&port=1,2", "expected one port, or one for each host"),
        ("postgresql://host/db?synchronous_commit=maybe", "synchronous_commit: expected on, off"),
    ],
)
def test_what_names_no_database_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^postgresql: .*({message})") as raised:
        parse_url(url)
    assert "sec" not in str(raised.value).replace("expected seconds", "")
