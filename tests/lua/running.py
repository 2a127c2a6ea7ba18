"""Functions run in this very process: for what cannot hang or die."""

import json

from limiter.lua.function import LuaFunction
from limiter.lua.messages import Reply, snapshot_of
from limiter.lua.outcomes import Count, judge
from limiter.lua.request import Json, LuaRequest
from limiter.lua.sandbox import Sandbox

MIB = 1024 * 1024


class Bench:
    """A sandbox of one runtime."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self._sandbox = Sandbox(8 * MIB, 0.1, runtime)

    def reply(self, source: str, request: LuaRequest | None = None, *, with_body: bool = True) -> Reply:
        function = LuaFunction(source, "test")
        self._sandbox.keep(function.digest, function.text)
        return self._sandbox.run(function.digest, snapshot_of(request or LuaRequest(), with_body=with_body))

    def count(self, source: str, request: LuaRequest | None = None) -> Count:
        return judge(self.reply(source, request))

    def values(self, expression: str, request: LuaRequest | None = None) -> list[Json]:
        """What an expression, or several with commas, comes to: through JSON and the log; nil is null."""
        source = f"""
            local function list(...) return {{ n = select("#", ...), ... }} end
            local all, parts = list({expression}), {{}}
            for index = 1, all.n do parts[index] = require("cjson").encode(all[index]) end
            kong.log.notice("[" .. table.concat(parts, ",") .. "]")
            return 0"""
        reply = self.reply(source, request)
        assert reply.kind == "number", reply
        values: list[Json] = json.loads(reply.lines[0][1].decode("utf-8", "surrogateescape"))
        return values
