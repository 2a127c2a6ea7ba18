"""The Lua that functions are run by: LuaJIT, as in Kong, or plain Lua 5.1 where the platform has no LuaJIT."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

PREFERRED = ("luajit21", "lua51")
"""Modules of lupa. Both speak Lua 5.1; LuaJIT knows `goto` and a few escapes more."""


def available() -> list[str]:
    """Those of `PREFERRED` that are installed."""
    return [name for name in PREFERRED if find_spec(f"lupa.{name}")]


def new_runtime(name: str = "") -> Any:
    """A Lua state in which strings are bytes and Python can neither be called nor looked into.

    Compiled code would not run the hooks that end a function, so LuaJIT interprets.
    """
    module = import_module(f"lupa.{name or available()[0]}")
    runtime = module.LuaRuntime(
        encoding=None,
        register_eval=False,
        register_builtins=False,
        unpack_returned_tuples=True,
        attribute_filter=_deny,
        max_memory=0,
    )
    runtime.execute("if jit then jit.off() jit.flush() end")
    return runtime


def _deny(_value: object, _name: object, _setting: bool) -> object:
    raise AttributeError("Python is out of reach")
