"""Stores by URL."""

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
        ("", "found none, expected memory: or sqlite:"),
        ("memory", "found none, expected memory: or sqlite:"),
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
        ("sqlite:///~nobody-of-that-name/file.db", "whose home folder is unknown"),
    ],
)
def test_what_names_no_store_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^store: ") as raised:
        open_store(url)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_cannot_be_used_is_the_stores_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/below: cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/file/below")


def test_every_scheme_is_lower_case() -> None:
    assert all(scheme == scheme.lower() for scheme in SCHEMES)
