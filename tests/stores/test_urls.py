"""Stores by URL."""

import sys
from pathlib import Path

import pytest

from limiter.stores.contract import StoreError
from limiter.stores.memory import MemoryStore
from limiter.stores.sqlite import SqliteStore
from limiter.stores.urls import SCHEMES, open_store
from tests.contract.backends import NOON, Time


@pytest.mark.parametrize("url", ["memory:", "memory://", "MEMORY:"])
async def test_memory(url: str) -> None:
    store = open_store(url, clock=Time())
    assert isinstance(store, MemoryStore)
    assert (await store.acquire("a", [])).now == NOON


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///{home}/absolute.db", "absolute.db"),
        ("sqlite:///~/below/home.db", "below/home.db"),
        ("sqlite:///relative.db", "relative.db"),
        ("SQLite:///~/with space, ключ and %41.db", "with space, ключ and %41.db"),
    ],
)
async def test_sqlite(url: str, file: str, tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = open_store(url.format(home=tmp_path), clock=clock)
    assert isinstance(store, SqliteStore)
    assert (await store.acquire("a", [])).now == NOON
    assert (tmp_path / file).is_file()
    await store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "found none, expected memory:, sqlite:"),
        ("memory", "found none, expected memory:, sqlite:"),
        ("/var/lib/file.db", "found none, expected"),
        ("mysql://user:secret@host/db", "found the scheme 'mysql', expected"),
        ("secret@host:99", "found none, expected"),
        ("memory:name", "found memory:name, expected memory: alone"),
        ("sqlite:", "expected sqlite:////folder/file or sqlite:///~/file"),
        ("sqlite:file.db", "found 'sqlite:file.db', expected sqlite:///"),
        ("sqlite://host/file.db", "found 'sqlite://host/file.db', expected sqlite:///"),
        ("sqlite:///", "expected sqlite:///"),
        ("sqlite:////folder/", "expected sqlite:///"),
        ("sqlite:///:memory:", "expected sqlite:///"),
        ("sqlite:////file.db?mode=ro", "expected sqlite:///"),
        ("sqlite:////file\0.db", "expected sqlite:///"),
        ("redis://me:secret@host/zero", "expected the database's number"),
        ("redis://host?colour=red", "unknown parameter 'colour'"),
        ("postgresql://me:secret@host:x/db", "expected a port"),
        ("postgres://me:secret@host/db?colour=red", "unknown parameter 'colour'"),
        ("sqlite:///~nobody-of-that-name/file.db", "whose home folder is unknown"),
    ],
)
def test_what_names_no_store_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^store: ") as raised:
        open_store(url)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["redis://host", "REDISS://host", "redis+sentinel://host/m", "unix:///socket"])
async def test_redis(url: str, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(url)
    assert type(store).__name__ == "RedisStore"
    await store.close()
    assert not caplog.records


@pytest.mark.parametrize("url", ["postgresql://host/db", "Postgres://me@host", "postgresql:///db?host=/tmp"])
async def test_postgresql(url: str) -> None:
    store = open_store(url)
    assert type(store).__name__ == "PostgresStore"
    await store.close()


def test_a_missing_driver_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for name in [name for name in sys.modules if name.startswith("limiter.stores.postgres") and "urls" not in name]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ValueError, match=r"no driver \(asyncpg\), expected .*: pip install 'ai-limit\[postgres\]'"):
        open_store("postgresql://me:secret@host/db")


async def test_a_setting_with_another_effect_is_told(caplog: pytest.LogCaptureFixture) -> None:
    store = open_store("rediss://me:secret@host?ssl_verify=false")
    await store.close()
    assert "without verification" in caplog.text
    assert "secret" not in caplog.text


def test_a_file_that_cannot_be_used_is_the_stores_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/below: cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/file/below")


def test_every_scheme_is_lower_case() -> None:
    assert all(scheme == scheme.lower() for scheme in SCHEMES)
