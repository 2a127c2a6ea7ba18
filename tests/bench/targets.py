"""The measured processes: mitmdump bare, with a trivial script, and with ai-limit in several configurations."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.configs import limits
from tests.bench.server import MARK

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
MITMDUMP = Path(sys.executable).with_name("mitmdump")
AI_LIMIT = ROOT / "addons" / "ai_limit.py"
PATIENCE = 60.0
"""Seconds for a start."""


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    script: Path | None = None
    store: str = ""
    """`memory`, `sqlite`, a kind of server (`stores.SERVERS`), or the URL of a store; empty: no ai-limit."""
    count: int = 0
    """Limits that apply to every request."""
    bound: float | None = None
    """Least throughput beside the reference."""


STOCK = Target("stock")
STREAMING = Target("streaming", HERE / "streaming.py")
TARGETS = (
    STOCK,
    Target("trivial", HERE / "trivial.py"),
    STREAMING,
    Target("memory-1", AI_LIMIT, "memory", 1, 0.95),
    Target("memory-20", AI_LIMIT, "memory", 20, 0.95),
    Target("sqlite-1", AI_LIMIT, "sqlite", 1, 0.90),
    Target("sqlite-20", AI_LIMIT, "sqlite", 20, 0.90),
    Target("redis-1", AI_LIMIT, "redis", 1, 0.85),
    Target("redis-20", AI_LIMIT, "redis", 20, 0.85),
    Target("postgresql-1", AI_LIMIT, "postgresql", 1),
)


@dataclass(frozen=True, slots=True)
class Running:
    target: Target
    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time that it and its children have used."""
        return sum(map(_cpu, (self.pid, *_children(self.pid))))


@contextmanager
def started(target: Target, upstream: int, folder: Path) -> Iterator[Running]:
    """Runs a target in reverse mode to the upstream's port. Its log is in `folder`.

    Raises:
        RuntimeError: it ended instead, or did not serve in time.
    """
    with ExitStack() as stack:
        for _ in range(5):
            # A port can be taken between our look and the bind; then the process ends, and another one is tried.
            port, log = _free_port(), folder / f"{target.name}.log"
            process = stack.enter_context(_process(_command(target, port, upstream, folder), folder, log))
            if _serves(process, port):
                pin(process.pid, 0)
                yield Running(target, port, process.pid)
                return
        raise RuntimeError(f"{target.name} did not start:\n{log.read_text()}")


def pin(pid: int, cpu: int) -> None:
    """The proxies share one processor; the load and the upstream have another, if there is one."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0) | os.sched_getaffinity(pid))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, {cpus[cpu % len(cpus)]})


def _command(target: Target, port: int, upstream: int, folder: Path) -> list[str]:
    command = [str(MITMDUMP), "-q", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    command += ["--mode", f"reverse:http://127.0.0.1:{upstream}", "--set", f"confdir={folder / 'mitmproxy'}"]
    if target.script:
        command += ["-s", str(target.script)]
    if target.store:
        config = folder / f"{target.name}.yaml"
        store = f"sqlite:///{folder / target.name}.db" if target.store == "sqlite" else target.store
        config.write_text(limits(store if "://" in store else f"{store}:", target.count, upstream=upstream))
        command += ["--set", f"ai_limit_config={config}"]
    return command


@contextmanager
def _process(command: list[str], folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    unwanted = ("AI_LIMIT_CONFIG", "AI_LIMIT_STORE")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment["AI_LIMIT_DATA_DIR"] = str(folder)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, cwd=ROOT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _serves(process: subprocess.Popen[bytes], port: int) -> bool:
    """True when an answer of our upstream comes through; False when the process ended."""
    deadline = time.monotonic() + PATIENCE
    asked = b"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(asked)
            if MARK in client.recv(65536):
                return True
        if time.monotonic() > deadline:
            raise RuntimeError(f"no answer from port {port} within {PATIENCE} s")
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
