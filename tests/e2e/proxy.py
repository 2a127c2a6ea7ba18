"""A real mitmdump in its own process, with its own certificates, data folder, configuration and log."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.upstream import Upstream

ROOT = Path(__file__).parents[2]
AI_LIMIT = ROOT / "addons" / "ai_limit.py"
REDIRECT = Path(__file__).with_name("redirect.py")
MITMDUMP = Path(sys.executable).with_name("mitmdump")
PATIENCE = 40.0
"""Seconds for a start or a stop; the imports alone take several on a busy machine."""
_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE")
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")


class ProxyEndedError(Exception):
    """The process ended when it should have run. `str()` has its log."""

    def __init__(self, code: int, log: str) -> None:
        super().__init__(f"mitmdump ended with exit code {code}:\n{log}")
        self.code = code
        self.log = log


class Proxy:
    """Not started until `start()`, or used as a context manager. May be started again after `stop()` or `kill()`."""

    def __init__(
        self,
        folder: Path,
        upstream: Upstream,
        *,
        mode: str = "regular",
        config: str | None = None,
        script: Path | None = AI_LIMIT,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        ready: str = "",
    ) -> None:
        """
        Args:
            mode: As mitmdump names it: `regular`, `reverse:URL`, `upstream:URL`.
            config: Text of the configuration file. None: the default of the product.
            script: None: mitmdump without the product.
            ready: Pattern in the log that the start waits for, beside the open port.
        """
        self.port = 0
        self.mode = mode
        self.confdir = folder / "certificates"
        self.data_dir = folder / "data"
        self.config_file = folder / "limits.yaml"
        self.log_file = folder / "mitmdump.log"
        self.trust_file = folder / "trust.pem"
        """Authorities of this proxy and of the upstream, for clients that talk to hosts which are passed through."""
        self._upstream = upstream
        self._script = script
        self._args = tuple(args)
        self._env = dict(env or {})
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        for made in (self.confdir, self.data_dir):
            made.mkdir(parents=True, exist_ok=True)
        if config is not None:
            self.config_file.write_text(config)
            self._env["AI_LIMIT_CONFIG"] = str(self.config_file)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """mitmproxy's own authority: what clients of decrypted hosts must trust."""
        return self.confdir / "mitmproxy-ca-cert.pem"

    @property
    def log(self) -> str:
        """Everything that was printed so far, by all starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process, "not started"
        return self._process.pid

    def client_env(self) -> dict[str, str]:
        """The environment of a client process: this one's, with the proxy and its authority in every known variable."""
        proxies = {name: self.url for name in _PROXY if not name.lower().startswith("no")}
        return {**_clean_environment(), **proxies, **dict.fromkeys(_TRUST, str(self.trust_file))}

    def start(self, timeout: float = PATIENCE) -> Self:
        """Returns when requests are served.

        Raises:
            ProxyEndedError: it ended instead, as with a wrong configuration.
        """
        deadline = time.monotonic() + timeout
        while True:
            port = self.port or _free_port()
            start = len(self.log)
            self._launch(port)
            try:
                self._wait_ready(port, start, deadline)
                break
            except BaseException as problem:
                self.kill()
                # Somebody else may have taken the port between our look and its bind.
                taken = isinstance(problem, ProxyEndedError) and "ddress already in use" in problem.log
                if not taken or time.monotonic() > deadline:
                    raise
        self.port = port
        self.trust_file.write_bytes(self.ca_file.read_bytes() + self._upstream.ca_file.read_bytes())
        return self

    def stop(self, timeout: float = PATIENCE) -> int:
        """Ends it with SIGTERM, and answers its exit code."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> int:
        """Ends it with SIGKILL: no time to write or settle anything."""
        return self._end(signal.SIGKILL, PATIENCE)

    def restart(self) -> Self:
        """The same port, data and configuration file."""
        self.stop()
        return self.start()

    def wait_log(self, pattern: str, *, start: int = 0, timeout: float = PATIENCE) -> re.Match[str]:
        """The first match in the log from `start` characters on; waits for it to be printed.

        Raises:
            ProxyEndedError: the process ended without printing it.
        """
        deadline = time.monotonic() + timeout
        while True:
            # Looked at before the log, whose last lines are then complete.
            code = self._process.poll() if self._process else 0
            if found := re.search(pattern, self.log[start:]):
                return found
            if code is not None:
                raise ProxyEndedError(code, self.log[start:])
            if time.monotonic() > deadline:
                raise TimeoutError(f"the log has no {pattern!r} after {timeout} s:\n{self.log[start:]}")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, port: int) -> None:
        scripts = [path for path in (self._script, REDIRECT) if path]
        command = [str(MITMDUMP), "--listen-host", "127.0.0.1", "--listen-port", str(port), "--mode", self.mode]
        command += ["--set", f"confdir={self.confdir}"]
        command += ["--set", f"ssl_verify_upstream_trusted_ca={self._upstream.ca_file}"]
        command += [part for path in scripts for part in ("-s", str(path))]
        environment = {
            **_clean_environment(),
            "PYTHONUNBUFFERED": "1",
            "AI_LIMIT_DATA_DIR": str(self.data_dir),
            "AI_LIMIT_TEST_HTTP": str(self._upstream.http_port),
            "AI_LIMIT_TEST_HTTPS": str(self._upstream.https_port),
            **self._env,
        }
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._args],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=ROOT,
                # Workers that it starts are found by this group and end with it.
                start_new_session=True,
            )

    def _wait_ready(self, port: int, start: int, deadline: float) -> None:
        for pattern in (rf"listening at \S*:{port}\b", "test harness ready", self._ready):
            self.wait_log(pattern, start=start, timeout=deadline - time.monotonic())
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _end(self, number: signal.Signals, timeout: float) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin
        process.send_signal(number)
        try:
            return process.wait(timeout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdin.close()


def _clean_environment() -> dict[str, str]:
    """This process's environment without what would lead a child to other proxies, authorities or settings."""
    unwanted = {*_TRUST, *_PROXY, "SSL_CERT_DIR", "AI_LIMIT_CONFIG", "AI_LIMIT_STORE", "AI_LIMIT_DATA_DIR"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
