"""Several processes on one store, and the sudden end of one."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from limiter.stores.urls import open_store
from tests.servers import shared
from tests.stores.processes import used, worker
from tests.stores.worker import LEASE, SHARED, TOKENS

Url = Callable[[Path], str]
BACKENDS: dict[str, Url] = {
    "sqlite": lambda path: f"sqlite:///{path}",
    **{name: lambda _path, url=url: url() for name, url in shared.SHAREABLE.items()},  # type: ignore[misc]
}


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
async def test_two_processes_share_a_limit_exactly(path: Path, backend: Url) -> None:
    """200 at once in each, for 50; what was refused holds nothing on the other counter either.

    Both find nothing there, not even a schema.
    """
    url = backend(path)
    processes = [await worker("crowd", url, 200, name) for name in ("first", "second")]
    printed = [(await process.communicate())[0] for process in processes]
    assert sum(map(int, printed)) == SHARED.limit == 50
    store = open_store(url)
    assert [await used(store, charge) for charge in (SHARED, TOKENS)] == [50, 50 * TOKENS.take]
    await store.close()


# Redis does this in the same script, whatever its form.
@pytest.mark.parametrize("backend", [BACKENDS[name] for name in ("sqlite", "redis", "postgresql")])
async def test_holds_of_a_killed_process_end_with_their_lease(path: Path, backend: Url) -> None:
    url = backend(path)
    process = await worker("hold", url, 50, "killed")
    assert process.stdout
    assert await process.stdout.readline() == b"held\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    store = open_store(url)
    assert await used(store, TOKENS) in {50 * TOKENS.take, 50 * TOKENS.keep}
    await asyncio.sleep(LEASE / 1000 + 0.02)
    assert await used(store, TOKENS) == 50 * TOKENS.keep
    await store.close()
    if url.startswith("redis:"):
        with shared.standalone().client() as client:
            assert not client.exists("ai-limit.holds:{ai-limit}")
