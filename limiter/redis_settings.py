"""How to reach a Redis or Valkey: one frozen value, whatever document or URL it was read from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from limiter.cloud_identity import AwsIdentity, CloudIdentity, GcpIdentity

Role = Literal["master", "slave", "any"]


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


LOCAL = Address("127.0.0.1", 6379)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of the server. Its representation shows no secret."""

    username: str = ""
    """Empty: the user `default`."""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """How servers prove who they are, and we to them. Paths name PEM files."""

    verify: bool = True
    server_name: str = ""
    """Asked for in SNI and expected in the certificate. Empty: the host that is connected to."""
    ca_file: str = ""
    """Empty: the authorities that the machine trusts."""
    cert_file: str = ""
    key_file: str = ""
    key_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sentinel:
    """Who knows the present master of a name."""

    master: str
    nodes: tuple[Address, ...]
    role: Role = "master"
    """Counters are written, so any but the master would be no use: see `RedisSettings.remarks`."""
    credentials: Credentials = Credentials()


@dataclass(frozen=True, slots=True)
class Cluster:
    nodes: tuple[Address, ...]
    """Some of its nodes; they name the others."""
    max_redirections: int = 5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. A call fails at the latest after all three together."""

    connect: float = 1.0
    """Until a new connection is authenticated and ready, and for asking the Sentinels."""
    send: float = 1.0
    read: float = 1.0


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Everything about a connection. At most one of `path`, `sentinel` and `cluster` is set.

    Raises:
        ValueError: the parts contradict one another.
    """

    address: Address = LOCAL
    path: str = ""
    """Unix socket in place of the address."""
    credentials: Credentials = Credentials()
    identity: CloudIdentity | None = None
    """In place of a password: tokens that a cloud issues. AWS needs the user's name; Azure takes the principal's object
    id from the token if there is none; GCP has no names."""
    database: int = 0
    tls: Tls | None = None
    sentinel: Sentinel | None = None
    cluster: Cluster | None = None
    timeouts: Timeouts = Timeouts()
    pool_size: int = 16
    """Connections to one server that exist at most. Each carries any number of calls at once, so few are needed."""
    backlog: int | None = None
    """Calls that may wait while all connections are busy; of more, each fails at once. None: any number."""
    proxied: bool = False
    """A proxy such as Envoy stands before several servers and picks one by the key, or by its hash tag. Calls are then
    made as in a cluster, and nothing is sent that such proxies do not know (HELLO, CLIENT, SELECT)."""

    def __post_init__(self) -> None:
        kinds = [name for name in ("path", "sentinel", "cluster") if getattr(self, name)]
        if len(kinds) > 1:
            raise ValueError(f"redis: found {' and '.join(kinds)}, expected one of them")
        if self.proxied and kinds:
            raise ValueError(f"redis: found {kinds[0]} behind a proxy, expected the proxy's host and port alone")
        if self.database and self.cluster:
            raise ValueError(f"redis: found database {self.database}, but a cluster has only database 0")
        if self.database < 0 or self.pool_size < 1 or (self.backlog is not None and self.backlog < 0):
            raise ValueError("redis: database and backlog are at least 0, the pool's size at least 1")
        if isinstance(self.identity, AwsIdentity) and not self.credentials.username:
            raise ValueError("redis: found no username, expected that of the ElastiCache user")
        if min(self.timeouts.connect, self.timeouts.send, self.timeouts.read) <= 0:
            raise ValueError("redis: timeouts are greater than 0")
        for part in (self.sentinel, self.cluster):
            if part and not part.nodes:
                raise ValueError("redis: found no nodes, expected at least one")

    @property
    def sharded(self) -> bool:
        """Keys lie on different servers, so that those of one script have to share a hash tag."""
        return self.cluster is not None or self.proxied

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is set and has another effect than its name promises, each with the reason."""
        found = []
        if self.sentinel and self.sentinel.role != "master":
            found.append(f"sentinel_role {self.sentinel.role}: counters are written, so the master is used")
        found.extend(self._remarks_on_logins())
        if self.proxied and self.database:
            found.append(f"database {self.database}: not selected, since a proxied connection has only one")
        if self.tls and not self.tls.verify:
            found.append("TLS without verification: whoever is on the way can pretend to be the server")
        return tuple(found)

    def _remarks_on_logins(self) -> Iterator[str]:
        unsent = "not sent, since it has no password; gateways do the same"
        if self.sentinel and self.sentinel.credentials.username and not self.sentinel.credentials.password:
            yield f"sentinel_username: {unsent}"
        if self.identity is None:
            if self.credentials.username and not self.credentials.password:
                yield f"username: {unsent}"
            return
        if self.credentials.password:
            yield "password: not sent, since the identity's token takes its place"
        if not self.tls:
            refused = "; this cloud takes it over TLS alone" if not isinstance(self.identity, GcpIdentity) else ""
            yield f"cloud_authentication without TLS: whoever is on the way can read the token{refused}"
        yield from self.identity.remarks

    def __str__(self) -> str:
        """For logs and errors: where, without any secret."""
        if self.path:
            return f"redis at {self.path}"
        if self.sentinel:
            return f"redis {self.sentinel.master} of sentinels {', '.join(map(str, self.sentinel.nodes))}"
        if self.cluster:
            return f"redis cluster {', '.join(map(str, self.cluster.nodes))}"
        return f"redis at {self.address}"
