"""What end-to-end tests share: one upstream and one authority a worker, and makers of proxies and SDK clients."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.certificates import Certificates, issue
from tests.e2e.clients import Clients
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream

ProxyFactory = Callable[..., Proxy]
"""Takes the keywords of `Proxy` and answers a started one; `start=False` leaves the start to the caller."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def shared_upstream(certificates: Certificates) -> Iterator[Upstream]:
    """For fixtures that outlive a test. A test takes `upstream`."""
    with Upstream(certificates) as upstream:
        yield upstream


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Iterator[Upstream]:
    """The local upstream, with nothing recorded and the plain behaviour."""
    shared_upstream.reset()
    yield shared_upstream
    shared_upstream.reset()


@pytest.fixture
def proxy_factory(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyFactory]:
    """Starts proxies for one test; all are stopped when it ends."""
    with _proxies(shared_upstream, tmp_path_factory) as factory:
        yield factory


@pytest.fixture(scope="module")
def module_proxy_factory(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyFactory]:
    """Starts proxies for the tests of one module: a start costs seconds."""
    with _proxies(shared_upstream, tmp_path_factory) as factory:
        yield factory


@pytest.fixture
def clients() -> Iterator[Clients]:
    """Makers of SDK clients, which are closed when the test ends."""
    made = Clients()
    yield made
    made.close()


@contextmanager
def _proxies(upstream: Upstream, folders: pytest.TempPathFactory) -> Iterator[ProxyFactory]:
    with ExitStack() as stack:

        def make(*, start: bool = True, folder: Path | None = None, **options: Any) -> Proxy:
            proxy = Proxy(folder or folders.mktemp("proxy"), upstream, **options)
            stack.callback(proxy.stop)
            return proxy.start() if start else proxy

        yield make
