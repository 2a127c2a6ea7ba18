"""What is particular to the SQLite store: its file, its thread, its failures."""

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from limiter.counters import Charge, Correction
from limiter.stores import writer
from limiter.stores.contract import REMEMBERED, StoreError, UnsoundError
from limiter.stores.sqlite import SqliteStore
from tests.contract.backends import NOON, Time
from tests.contract.sqlite_rows import rows

CHARGE = Charge("key", 10**6, 1, 1, 0, NOON + 10**9)


@pytest.fixture
async def store(path: Path, clock: Time) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock)
    yield store
    await store.close()


async def used(store: SqliteStore, charge: Charge = CHARGE) -> int:
    return (await store.acquire(os.urandom(8).hex(), [charge._replace(need=0, take=0)])).readings[0].used


async def test_counters_and_ids_survive_a_restart(path: Path, clock: Time) -> None:
    held = Charge("held", 10**6, 9, 9, 0, NOON + 10**9, hold=True, keep=2)
    first = SqliteStore(path, clock)
    answers = [await first.acquire("a", [CHARGE]), await first.acquire("b", [held])]
    await first.close()
    second = SqliteStore(path, clock)
    assert [await second.acquire("a", [CHARGE]), await second.acquire("b", [held])] == answers
    assert await used(second) == 1
    await second.settle("b", [Correction(held, 4)])
    assert await used(second, held) == 4
    await second.close()


async def test_the_file_and_its_folders_are_the_owners_alone(tmp_path: Path, clock: Time) -> None:
    path = tmp_path / "new" / "folder" / "counters.db"
    previous = os.umask(0)
    try:
        store = SqliteStore(path, clock)
    finally:
        os.umask(previous)
    await store.acquire("a", [CHARGE])
    files = [path.with_name(f"counters.db{side}") for side in ("", "-wal", "-shm")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)} == {0o700}
    await store.close()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda content: b"not a database, but a text that someone put here\n" * 100,
    "header": lambda content: os.urandom(100) + content[100:],
    "middle": lambda content: content[:5000] + os.urandom(15_000) + content[20_000:],
    "short": lambda content: content[:9000],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_by_name(path: Path, clock: Time, damage: str) -> None:
    async def fill() -> None:
        store = SqliteStore(path, clock)
        for number in range(300):
            await store.acquire(f"exchange {number}", [CHARGE._replace(key=f"key {number}")])
        await store.close()

    asyncio.run(fill())
    content = path.read_bytes()
    assert len(content) > 20_000
    path.write_bytes(DAMAGES[damage](content))
    with pytest.raises(StoreError, match=r"counters\.db"):
        SqliteStore(path, clock)


def test_a_file_of_another_program_is_left_alone(path: Path, clock: Time) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError, match=r"counters\.db: belongs to another program"):
        SqliteStore(path, clock)
    assert rows(path, "sqlite_schema") == 1


async def test_a_newer_version_is_refused(path: Path, clock: Time) -> None:
    await SqliteStore(path, clock).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match=r"counters\.db: has version 7, written by a newer ai-limit"):
        SqliteStore(path, clock)


@pytest.mark.parametrize("name", ["", "file/below.db"])
def test_a_path_that_cannot_be_a_file_is_refused_by_name(tmp_path: Path, clock: Time, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=str(tmp_path)):
        SqliteStore(tmp_path / name, clock)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_refused_by_name(tmp_path: Path, clock: Time) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match=str(tmp_path)):
            SqliteStore(tmp_path / "counters.db", clock)
    finally:
        tmp_path.chmod(0o700)


async def test_a_full_disk_is_an_error_and_books_nothing(store: SqliteStore) -> None:
    """Nor is the id remembered; with room again, everything goes on."""
    await store.acquire("a", [CHARGE])
    (pages,) = store._work.connection.execute("PRAGMA page_count").fetchone()
    store._work.connection.execute(f"PRAGMA max_page_count = {pages}")
    wide = [CHARGE, *(Charge(f"{number}:{'x' * 900}", 9, 1, 1, 0, NOON + 10**9) for number in range(20))]
    outcomes = await asyncio.gather(
        *(store.acquire(f"wide {number}", wide) for number in range(3)), return_exceptions=True
    )
    assert [str(outcome).endswith("counters.db: database or disk is full") for outcome in outcomes] == [True] * 3
    store._work.connection.execute("PRAGMA max_page_count = 1000000")
    assert await used(store) == 1
    assert (await store.acquire("wide 0", wide)).admitted
    assert await used(store) == 2


async def test_a_call_that_cannot_be_written_takes_no_other_down(store: SqliteStore) -> None:
    huge = CHARGE._replace(key="huge", take=2**70, need=0)
    calls = [store.acquire(str(number), [CHARGE] if number % 5 else [CHARGE, huge]) for number in range(50)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(outcome, UnsoundError) for outcome in outcomes] == [number % 5 == 0 for number in range(50)]
    assert await used(store) == 40
    assert await used(store, huge) == 0


async def test_nonsense_is_the_callers_error_alone(store: SqliteStore) -> None:
    outcomes = await asyncio.gather(
        store.acquire("a", [CHARGE]),
        store.acquire("b", [None]),  # type: ignore[list-item]
        store.acquire(7, [CHARGE]),  # type: ignore[arg-type]
        store.acquire("c", [CHARGE._replace(key=b"bytes")]),
        store.renew([None]),  # type: ignore[list-item]
        store.settle("a", [Correction(CHARGE, 0.5)]),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    assert [isinstance(outcome, Exception) for outcome in outcomes[:5]] == [False, True, True, True, True]
    await store.acquire("d", [CHARGE])
    assert store._writer._thread.is_alive()


async def test_ended_counters_and_old_ids_leave_the_file(store: SqliteStore, path: Path, clock: Time) -> None:
    for number in range(200):
        held = [CHARGE._replace(key=f"key {number}", expires_at=clock.now + 1000, hold=number % 2 == 0)]
        await store.acquire(f"exchange {number}", held, lease=500)
    clock.advance(REMEMBERED + 1000)
    for number in range(120):
        await store.acquire(f"later {number}", [CHARGE])
        if number == 0:
            clock.advance(REMEMBERED)
    assert rows(path, "counters") == 1
    assert rows(path, "exchanges") <= 121


async def test_too_many_waiting_calls_are_turned_away(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; those that wait are served when the file is free again."""
    monkeypatch.setattr(writer, "WAITING", 20)
    await store.acquire("before", [CHARGE])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.ensure_future(store.acquire(str(number), [CHARGE])) for number in range(100)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert pending
        for task in done:
            with pytest.raises(StoreError, match="20 calls wait already"):
                await task
        other.execute("ROLLBACK")
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    served = sum(not isinstance(outcome, StoreError) for outcome in outcomes)
    assert served == 20
    assert await used(store) == 1 + served


@pytest.fixture(params=["loop", "thread"])
async def either(
    path: Path, clock: Time, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SqliteStore]:
    """A store that works in the loop where it can, and one that leaves all to its thread."""
    if request.param == "thread":
        monkeypatch.setattr(writer, "EAGER", 0)
    store = SqliteStore(path, clock)
    yield store
    await store.close()


async def test_calls_are_answered_alike_by_loop_and_thread(either: SqliteStore) -> None:
    five = CHARGE._replace(limit=5)
    single = [(await either.acquire(f"single {number}", [five])).admitted for number in range(3)]
    batch = await asyncio.gather(*(either.acquire(f"batch {number}", [five]) for number in range(300)))
    assert single == [True] * 3
    assert [answer.admitted for answer in batch] == [True] * 2 + [False] * 298
    with pytest.raises(StoreError, match="OverflowError"):
        await either.settle("a", [Correction(CHARGE, 2**70)])
    assert await used(either) == 5


async def test_a_slow_disk_is_left_to_the_thread(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow transaction may hold the loop up, not the next."""
    monkeypatch.setattr(writer, "SLOW", -1.0)
    ran: list[str] = []
    run = store._work.run

    def spy(calls: list[object], *, wait: bool) -> object:
        ran.append(threading.current_thread().name)
        return run(calls, wait=wait)

    monkeypatch.setattr(store._work, "run", spy)
    for number in range(3):
        await store.acquire(str(number), [CHARGE])
    assert ran[0] == threading.current_thread().name
    assert [name.startswith("writer of") for name in ran] == [False, True, True]


async def test_the_log_is_put_into_the_file_now_and_then(store: SqliteStore, path: Path) -> None:
    """So that it stays short."""
    for number in range(3000):
        await store.acquire(str(number), [CHARGE])
    assert path.with_name("counters.db-wal").stat().st_size < 10_000_000


def test_a_loop_that_was_closed_does_not_hurt_the_thread(path: Path, clock: Time) -> None:
    store = SqliteStore(path, clock)
    loop = asyncio.new_event_loop()

    async def leave() -> None:
        task = asyncio.ensure_future(store.settle("a", [Correction(CHARGE, 5)]))
        await asyncio.sleep(0)
        task.cancel()

    loop.run_until_complete(leave())
    loop.close()
    for _ in range(3):
        assert asyncio.run(used(store)) == 5
    asyncio.run(store.close())


def test_loops_of_several_threads_share_a_store(path: Path, clock: Time) -> None:
    store = SqliteStore(path, clock)
    admitted: list[bool] = []
    five = CHARGE._replace(limit=5)

    def run(name: int) -> None:
        async def calls() -> None:
            answers = await asyncio.gather(*(store.acquire(f"{name}:{number}", [five]) for number in range(10)))
            admitted.extend(answer.admitted for answer in answers)

        asyncio.run(calls())

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 5
    assert len(admitted) == 40
    asyncio.run(store.close())


async def test_closing_writes_what_waits_and_ends_the_thread(path: Path, clock: Time) -> None:
    store = SqliteStore(path, clock)
    calls = [
        asyncio.ensure_future(store.settle(str(number), [Correction(CHARGE._replace(take=0), 1)]))
        for number in range(600)
    ]
    await asyncio.sleep(0)
    await store.close()
    assert not store._writer._thread.is_alive()
    await asyncio.gather(*calls)
    assert not path.with_name("counters.db-wal").exists()
    again = SqliteStore(path, clock)
    assert await used(again) == 600
    await again.close()
