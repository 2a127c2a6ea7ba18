"""Servers that the tests of one worker share, each started when it is first asked for and stopped when the worker ends.

A test that kills or reconfigures a server starts its own.
"""

import atexit
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

from tests.servers import postgres, valkey

_stack = ExitStack()
atexit.register(_stack.close)


def _folder() -> Path:
    # Not a test's folder: these are removed while the servers still run, and their names are too long for sockets.
    return Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="valkey-")))


@cache
def standalone() -> valkey.Server:
    return _stack.enter_context(valkey.started(_folder()))


@cache
def cluster() -> valkey.Cluster:
    return _stack.enter_context(valkey.cluster(_folder()))


@cache
def watched() -> valkey.Watched:
    return _stack.enter_context(valkey.watched(_folder(), down_after=10_000))


@cache
def postgresql() -> postgres.Server:
    return _stack.enter_context(postgres.started())


_schemas = count()


def standalone_url() -> str:
    """Of the server, with nothing on it."""
    with standalone().client() as client:
        client.flushall()
    return f"redis://{standalone().address}"


def cluster_url() -> str:
    cluster().flush()
    return "redis+cluster://" + ",".join(str(node.address) for node in cluster().nodes)


def sentinel_url() -> str:
    with watched().master.client() as client:
        client.flushall()
    login = f"sentinel_username={valkey.SENTINEL_USER}&sentinel_password={valkey.SENTINEL_PASSWORD}"
    return f"redis+sentinel://{watched().sentinels[0].address}/{watched().name}?{login}"


def postgresql_url(**more: object) -> str:
    """With a schema that nobody has used yet."""
    options = {"schema": f"shared_{next(_schemas)}", "timeout": 10, "connect_timeout": 10} | more
    return postgresql().url(query="&".join(f"{name}={value}" for name, value in options.items()))


SHAREABLE: Mapping[str, Callable[[], str]] = {
    "redis": standalone_url,
    "redis-cluster": cluster_url,
    "redis-sentinel": sentinel_url,
    "postgresql": postgresql_url,
}
"""URLs of every store that lives on a server, each empty."""
