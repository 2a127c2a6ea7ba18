"""Server processes that do not outlive the tests."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any


def launch(command: Sequence[object], log: Path, ending: signal.Signals, **options: Any) -> subprocess.Popen[bytes]:
    """Starts a server that writes to the end of `log`.

    Args:
        ending: what it gets when the thread that started it ends, even if that is killed. Only Linux can.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in command],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            preexec_fn=partial(_end_with_parent, ending),  # noqa: PLW1509 it only makes one system call
            **options,
        )


def _end_with_parent(ending: signal.Signals) -> None:
    """In the new process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, ending)
