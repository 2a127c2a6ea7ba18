"""Lua with our libraries in it, and functions that run there. Lives in a worker process; nothing here trusts Lua."""

from importlib import resources
from typing import Any

from limiter.lua.host import FUNCTIONS, guarded
from limiter.lua.messages import LONGEST_DETAIL, LONGEST_LINE, Reply, Snapshot
from limiter.lua.runtime import new_runtime

FILES = (
    "bits", "guard", "libraries", "codec", "forms", "current", "kong_log", "kong_request", "kong", "ngx_re", "ngx",
    "sandbox",
)  # fmt: skip
"""Lua modules in the order in which they need each other."""
SOURCES = {name: resources.files("limiter.lua").joinpath(f"{name}.lua").read_bytes() for name in FILES}
"""Their texts, read while the process may still open files."""
MOST_LINES = 20
"""Lines that one call may log."""


class Sandbox:
    """One Lua state.

    Args:
        memory: bytes that a function may take beside what the libraries and its request hold.
        seconds: of processor time that a call may take, but for single long calls of a library function.
        runtime: name of a Lua in `runtime.PREFERRED`; empty: the first that there is.
    """

    def __init__(self, memory: int, seconds: float, runtime: str = "") -> None:
        self._memory = memory
        self._seconds = seconds
        self._name = runtime
        self._lines: list[tuple[str, bytes]] = []
        self._start()

    def _start(self) -> None:
        self._runtime = new_runtime(self._name)
        host = self._runtime.table()
        for name, function in FUNCTIONS.items():
            host[name.encode()] = guarded(function)
        host[b"log"] = guarded(self._log)
        host[b"longest_line"], host[b"longest_detail"] = LONGEST_LINE, LONGEST_DETAIL
        modules = self._runtime.table()
        load = self._runtime.eval("function(text, name, ...) return assert(loadstring(text, name))(...) end")
        for name in FILES:
            modules[name.encode()] = load(SOURCES[name], f"={name}.lua".encode(), host, modules)
        self._lua: Any = modules[b"sandbox"]
        self._names = self._runtime.table(*(name.encode() for name in Snapshot.__struct_fields__))

    def _log(self, level: bytes, text: bytes) -> None:
        if len(self._lines) < MOST_LINES:
            self._lines.append((level.decode(), text))

    def forget(self) -> None:
        """Drops all functions, by beginning anew."""
        self._start()

    def keep(self, digest: bytes, source: bytes) -> None:
        """Takes a function. One that does not compile raises that when it is run."""
        self._lua[b"keep"](digest, source)

    def run(self, digest: bytes, request: Snapshot) -> Reply:
        """Runs a function that was kept.

        After one that ran out of memory the state is built anew, and holds no functions.
        """
        self._lines.clear()
        table = self._runtime.table
        *values, headers, response_headers = (getattr(request, name) for name in Snapshot.__struct_fields__)
        self._lua[b"begin"](self._names, *values, table(*headers), table(*response_headers))
        run = self._lua[b"run"]
        limit = self._runtime.get_memory_used(total=True) + self._memory
        self._runtime.set_max_memory(limit, total=True)
        try:
            answer = run(digest, self._seconds)
        except Exception as problem:  # noqa: BLE001 a mistake of ours in Lua must not end the worker
            answer = (b"raised", f"{type(problem).__name__}: {problem}".encode()[:LONGEST_DETAIL])
        finally:
            self._runtime.set_max_memory(0)
        kind, value = answer if isinstance(answer, tuple) else (answer, None)
        if kind == b"memory":
            self._start()
        number = float(value) if isinstance(value, int | float) else 0.0
        return Reply(kind.decode(), number, value if isinstance(value, bytes) else b"", tuple(self._lines))
