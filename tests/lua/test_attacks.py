"""Functions that mean harm: each has one outcome, in bounded time, and the next call works.

Those that the worker ends by itself leave it as it was; those that run in one long library call take it with them.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from limiter.lua.counter import LuaCounter
from limiter.lua.function import LuaFunction
from limiter.lua.process import Bounds
from limiter.lua.request import LuaRequest
from limiter.lua.runtime import available

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOUNDS = Bounds(deadline=0.25, busy=0.02, memory=8 * 1024 * 1024, patience=5.0)
SOON = 10.0
"""Seconds in which every call has an outcome, on a machine that is busy with other tests."""
REQUEST = LuaRequest(headers=(("authorization", "Bearer hush"), ("x", "1")), body=b"{}")
HARMLESS = LuaFunction("return kong.request.get_header('x')", "harmless")

STOPPED = {"overran", "died", "memory"}
ATTACKS: list[tuple[str, set[str] | float]] = [
    # Time
    ("while true do end", {"overran"}),
    ("repeat until false", {"overran"}),
    ("for i = 1, math.huge do end", {"overran"}),
    ("local function f() return f() end return f()", {"overran"}),
    ("while true do pcall(error) end", {"overran"}),
    ("while true do pcall(function() while true do end end) end", {"overran"}),
    ("local function f() pcall(f) return f() end return f()", {"overran"}),
    ("while true do xpcall(function() while true do end end, function() while true do end end) end", {"overran"}),
    ("local function h() while true do end end return xpcall(error, h)", {"overran"}),
    ("return coroutine.wrap(function() while true do end end)()", {"overran"}),
    ("while true do coroutine.resume(coroutine.create(function() while true do end end)) end", {"overran"}),
    ("local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end", {"overran"}),
    ("return (('x'):gsub('x', function() while true do end end))", {"overran"}),
    ("return table.sort({3, 2, 1}, function() while true do end end)", {"overran"}),
    ("return ngx.re.gsub('x', 'x', function() while true do end end)", {"overran"}),
    ("for k in function() return 1 end do end", {"overran"}),
    ("while true do local ok, e = pcall(error, setfenv) end", {"overran"}),
    ("while true do kong.log('x') end", {"overran"}),
    ("while true do kong.request.get_query() end", {"overran"}),
    ("local s = ('a'):rep(30) return s:find(('a?'):rep(30) .. s)", {"overran"}),
    ("return (('a'):rep(200000)):find('.-.-.-.-b')", {"overran"}),
    ("return (('('):rep(20000)):find(('%b()'):rep(5) .. 'x')", STOPPED | {"raised", "nil"}),
    ("return ngx.re.match(('a'):rep(40) .. 'b', '(a+)+$')", {"overran"}),
    ("return (''):rep(2^31 - 1):len()", {"overran", "memory"} | {""}),
    ("return table.concat({}, 'x', 1, 1e15)", STOPPED | {"raised", "not a number"}),
    ("return #table.move({}, 1, 1e15, 2)", {"overran"}),
    ("local t = {} for i = 1, 3e5 do t[i] = 0 end for i = 1, 3e5 do table.insert(t, 1, 0) end", {"overran"}),
    # Memory
    ("local t = {} while true do t[#t + 1] = {} end", STOPPED),
    ("local s = 'x' while true do s = s .. s end", STOPPED),
    ("local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end", STOPPED),
    ("while true do pcall(function() local s = 'x' while true do s = s .. s end end) end", STOPPED),
    ("return ('x'):rep(1e9)", {"memory"}),
    ("return ('x'):rep(1e8):rep(1e8)", {"memory"}),
    ("return ('x'):rep(2^40)", {"memory", "raised", "not a number", "died"}),
    ("return string.format('%s', ('x'):rep(1e8))", {"memory"}),
    ("return (('x'):rep(1e5)):gsub('x', ('y'):rep(1e5))", STOPPED),
    ("return #ngx.encode_base64(('x'):rep(6e6))", STOPPED | {""}),
    ("return ngx.re.gsub(('x'):rep(1e5), 'x', ('y'):rep(1e5))", STOPPED),
    ("local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end", STOPPED),
    ("return require('cjson').decode(('['):rep(1e6))", {"raised", "memory", "overran"}),
    ("local f = loadstring or load return f", {"nil"}),
    # The stack
    ("local function f() return 1 + f() end return f()", {"raised"}),
    ("local function f() return pcall(f) end return f()", {"not a number"}),
    ("local function f(s) return (s:gsub('.', f)) end return f('xx')", {"raised"}),
    ("local function f() table.sort({2, 1}, f) end return f()", {"raised"}),
    ("local function f() return coroutine.wrap(f)() end return f()", {"raised"}),
    ("local function f() return xpcall(f, f) end return f()", {"not a number", "overran"}),
    ("local t = {} for i = 1, 1e5 do t = {t} end return require('cjson').encode(t)", {"raised", "memory"}),
    ("return unpack({}, 1, 1e7)", {"raised"}),
    ("return select('#', table.unpack({}, 1, 7e3))", 7000),
    ("return unpack({}, 1, 2^53)", {"raised"}),
    ("return unpack({}, -2^53, 2^53)", {"raised"}),
    ("return unpack({}, 0/0, 1)", {"raised"}),
    ("return string.char(unpack({}, 1, 1e6))", {"raised"}),
    ("return ('x'):find(('('):rep(1e4))", {"raised"}),
    ("return (('a'):rep(1e6)):find(('.-'):rep(1000) .. 'b')", STOPPED | {"raised"}),
    # Errors that are more than text
    ("error(setmetatable and setmetatable({}, {__tostring = function() while true do end end}) or {})", {"raised"}),
    ("error(function() while true do end end)", {"raised"}),
    ("error(coroutine.create(print))", {"raised"}),
    ("error('not enough memory', 0)", {"memory"}),
    ("pcall(error, 'not enough memory') return 1", {"memory"}),
    ("error(('x'):rep(1e7))", {"raised", "memory"}),
    ("local ok, e = pcall(ngx.re.match, nil, {}) return type(e) == 'userdata' and -1 or 1", 1),
    ("local ok, e = pcall(ngx.md5, kong) return 1", 1),
    ("return kong.ip.is_trusted({decode = function() while true do end end})", {"nil"}),
    ("return ngx.hmac_sha1('k', {decode = function() error('called') end})", {"nil"}),
    ("return ngx.encode_base64('a', setmetatable) == 'YQ==' and 1 or -1", 1),
    ("return ngx.crc32_short({}, {}, print)", {"nil", ""}),
    # Ways out
    *((f"return {name} == nil and 1 or -1", 1) for name in (
        "load", "loadstring", "loadfile", "dofile", "debug", "package", "module", "ffi", "python", "collectgarbage",
        "getmetatable", "setmetatable", "rawget", "rawset", "rawequal", "getfenv", "setfenv", "newproxy", "gcinfo",
        "string.dump", "os.execute", "os.exit", "os.getenv", "os.remove", "os.rename", "os.tmpname", "os.setlocale",
        "io.open", "io.popen", "io.read", "io.lines", "io.stdout", "math.randomseed", "coroutine.isyieldable",
        "(jit or {}).on", "(jit or {}).off", "(jit or {}).opt", "(jit or {}).util", "table.foreachx",
        "_G.debug", "_G.load", "_G._G.package", "('').dump", "kong.log.__index",
    )),
    ("return require('ffi')", {"raised"}),
    ("return require('jit.util')", {"raised"}),
    ("return require('debug')", {"raised"}),
    ("return require('../../etc/passwd')", {"raised"}),
    ("return require(nil)", {"raised"}),
    ("return (require)", {"not a number"}),
    ("return '\\27LJ\\2' == nil", {"not a number"}),
    ("\x1bLJ\x02", {"raised"}),
    ("\x1bLua", {"raised"}),
    # What others see
    ("string.rep = nil", {"raised"}),
    ("_G.tonumber = nil tonumber = nil kong = nil return 1", 1),
    ("pairs = nil for k in next, _G do _G[k] = nil end return 1", 1),
    ("local s = '' s.len = 1", {"raised"}),
    ("table.insert(string, 1, 'x')", {"raised"}),
    ("table.sort(kong)", {"raised"}),
    ("table.remove(ngx)", {"raised"}),
    ("table.clear(_G) return 1", 1),
    ("table.move({1, 2}, 1, 2, 1, kong)", {"raised"}),
    ("for k, v in pairs(string) do v = nil end return 1", 1),
    ("kong.ctx = {}", {"raised"}),
    ("for k in pairs(kong.ctx.shared) do return -1 end kong.ctx.shared.x = kong.ctx.shared return 1", 1),
    ("kong.log.inspect(kong.ctx.shared, _G) return 1", 1),
    ("_G.x = _G kong.log.inspect(_G) return 1", 1),
    ("require('cjson').decode = nil", {"raised"}),
    ("require('cjson').null.x = 1", {"raised"}),
    # Numbers
    ("return 0/0", {"not finite"}),
    ("return '1e999'", {"not finite"}),
    ("return 1e308 * 10", {"not finite"}),
    ("return -1e-300", {"negative"}),
    ("return -0", 0),
    ("return 2^1023", 2.0**1023),
    ("return 'nan'", {"not finite", "not a number"}),
    ("return 'inf'", {"not finite", "not a number"}),
    ("return '0x1p4'", {"not a number", ""}),
    ("return os.date('*t', 1e300)", {"nil", "raised"}),
    ("return os.date(('%c'):rep(1000)):len()", {""}),
    ("return os.time({year = 1e9})", {"nil", "raised", "", "negative"}),
    ("return string.format('%99.99f', 1e308):len()", 409),
    ("return string.format(('%d'):rep(1000), 1)", {"raised"}),
    ("return tostring(2^63) == '9.2233720368548e+18' and 1 or -1", 1),
    ("return math.random(0)", {"raised", ""}),
    ("return bit.lshift(1, 1e300)", {"", "negative"}),
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=available())
async def counter(request: pytest.FixtureRequest) -> AsyncIterator[LuaCounter]:
    counter = LuaCounter(replace(BOUNDS, runtime=request.param))
    await counter.start()
    yield counter
    await counter.close()


@pytest.mark.parametrize(("source", "outcome"), ATTACKS, ids=[source[:70] for source, _ in ATTACKS])
async def test_attack(counter: LuaCounter, source: str, outcome: set[str] | float) -> None:
    began = time.monotonic()
    count = await counter.count(LuaFunction(source, "attack"), REQUEST)
    assert time.monotonic() - began < SOON
    if isinstance(outcome, set):
        assert count.mistake in outcome, count
        assert not count.mistake or count.number == 0
    else:
        assert (count.number, count.mistake) == (outcome, "")
    after = await counter.count(HARMLESS, REQUEST)
    assert (after.number, after.mistake) == (1, "")
    assert time.monotonic() - began < SOON
