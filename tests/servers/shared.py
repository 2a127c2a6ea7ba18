"""Servers that the tests of one worker share, each started when it is first asked for and stopped when the worker ends.

A test that kills or reconfigures a server starts its own.
"""

import atexit
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from tests.servers import valkey

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
