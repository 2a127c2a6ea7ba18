"""Kong's PDK: names, return values and errors as Kong has them."""

import pytest

from limiter.lua.request import Json, LuaRequest, LuaResponse
from tests.lua.running import Bench

REQUEST = LuaRequest(
    method="post",
    scheme="https",
    host="api.example.com",
    port=8443,
    target="/t/Abc%20123%c3%b8%2f/parent/..//test/./?movie=foo%20bar&zzz&blo=&bar=baz&bar=bla&bar&Movie=x",
    headers=(
        ("host", "api.example.com:8443"), ("x-custom-header", "bla"), ("x-another", "foo bar"), ("x-another", "baz"),
        ("x-empty", ""), ("x-forwarded-proto", "HTTP"), ("x-forwarded-host", "me@Outer.example:99"),
        ("x-forwarded-path", "/outer"), ("x-forwarded-prefix", "/pre"), ("cookie", "a=1; Tag=two"),
        ("authorization", "Bearer hush"),
    ),
    body=b'{"a": [1, {"b": "\\u00e9\\ud83d\\ude00"}], "n": null}',
    started=1649960273000,
    ip="10.0.0.1",
    client_port=1234,
    forwarded_ip="192.0.2.1",
    forwarded_port=5678,
    trusted=True,
    route={"id": "r", "paths": ["/t"]},
    captures={"named": {"id": "7"}, "unnamed": ["7", "8"]},
)  # fmt: skip

VALUES: list[tuple[str, list[Json]]] = [
    ("kong.request.get_scheme(), kong.request.get_host(), kong.request.get_port()", ["https", "api.example.com", 8443]),
    ("kong.request.get_method(), kong.request.get_http_version()", ["POST", 1.1]),
    ("kong.request.get_path()", ["/t/Abc 123ø%2F/test/"]),
    ("kong.request.get_raw_path()", ["/t/Abc%20123%c3%b8%2f/parent/..//test/./"]),
    ("kong.request.get_path_with_query():sub(1, 5)", ["/t/Ab"]),
    ("kong.request.get_raw_query():sub(1, 9)", ["movie=foo"]),
    ("kong.request.get_query_arg('movie'), kong.request.get_query_arg('Movie')", ["foo bar", "x"]),
    ("kong.request.get_query_arg('zzz'), kong.request.get_query_arg('blo')", [True, ""]),
    ("kong.request.get_query_arg('bar'), kong.request.get_query_arg('none')", ["baz", None]),
    ("kong.request.get_query().bar, kong.request.get_query(1).zzz", [["baz", "bla", True], None]),
    ("kong.request.get_header('X-Custom-Header'), kong.request.get_header('x_custom_header')", ["bla", "bla"]),
    ("kong.request.get_header('X-Another'), kong.request.get_header('x-empty')", ["foo bar", ""]),
    ("kong.request.get_header('none'), tonumber(kong.request.get_header('none'))", [None, None]),
    ("kong.request.get_headers().x_another, kong.request.get_headers()['X-Custom-Header']",
     [["foo bar", "baz"], "bla"]),
    ("kong.request.get_headers(1).host, kong.request.get_headers(1)['x-empty']", ["api.example.com:8443", None]),
    ("kong.request.get_forwarded_scheme(), kong.request.get_forwarded_host()", ["http", "outer.example"]),
    ("kong.request.get_forwarded_port(), kong.request.get_forwarded_path()", [99, "/outer"]),
    ("kong.request.get_forwarded_prefix()", ["/pre"]),
    ("kong.request.get_start_time()", [1649960273000]),
    ("kong.request.get_uri_captures().named.id, kong.request.get_uri_captures().unnamed[2]", ["7", "8"]),
    ("kong.request.get_body()", [None, "missing content type"]),
    ("kong.request.get_body('text/html; a=b')", [None, "unsupported content type 'text/html; a=b'", "text/html"]),
    ("kong.request.get_body('application/json').a[2].b", ["é😀"]),
    ("select(3, kong.request.get_body('application/json; charset=utf-8'))", ["application/json"]),
    ("kong.request.get_body('application/json').n == ngx.null", [True]),
    ("kong.client.get_ip(), kong.client.get_forwarded_ip()", ["10.0.0.1", "192.0.2.1"]),
    ("kong.client.get_port(), kong.client.get_forwarded_port()", [1234, 5678]),
    ("kong.client.get_protocol(), kong.client.get_protocol(true)", ["https", "http"]),
    ("kong.router.get_route().paths[1], kong.router.get_service()", ["/t", None]),
    ("kong.version_num > 3000000, kong.nginx.get_subsystem()", [True, "http"]),
    ("kong.table.merge({a = 1, b = 1}, {b = 2}), #kong.table.new(1, 1)", [{"a": 1, "b": 2}, 0]),
    ("ngx.var.http_x_custom_header, ngx.var.arg_movie, ngx.var.cookie_tag", ["bla", "foo bar", "two"]),
    ("ngx.var.remote_addr, ngx.var.request_method, ngx.var.uri", ["192.0.2.1", "post", "/t/Abc 123ø%2F/test/"]),
    ("ngx.var.server_port, ngx.var.server_protocol, ngx.var.nonsense", ["8443", "HTTP/1.1", None]),
    ("ngx.req.get_headers()['x-custom-header'], ngx.req.get_uri_args().movie", ["bla", "foo bar"]),
    ("ngx.md5('a'), ngx.encode_base64('ab'), ngx.decode_base64('YWI=')",
     ["0cc175b9c0f1b6a831c399e269772661", "YWI=", "ab"]),
    ("ngx.decode_base64('!'), ngx.encode_base64('ab', true), #ngx.sha1_bin('a')", [None, "YWI", 20]),
    ("ngx.crc32_short('a'), #ngx.hmac_sha1('k', 'v'), #ngx.md5_bin('a')", [3904355907, 20, 16]),
    ("ngx.escape_uri('a b/é'), ngx.unescape_uri('a%20b+c')", ["a%20b%2F%C3%A9", "a b c"]),
    ("ngx.decode_args('a=1&b'), ngx.encode_args({a = 'x y'})", [{"a": "1", "b": True}, "a=x%20y"]),
    ("ngx.get_phase(), ngx.status, ngx.HTTP_OK, ngx.ERR, tostring(ngx.null)", ["access", 0, 200, 4, "userdata: NULL"]),
    ("ngx.http_time(0), #ngx.today(), ngx.now() > 1e9, ngx.time() % 1", ["Thu, 01 Jan 1970 00:00:00 GMT", 10, True, 0]),
    ("ngx.re.match('key=42', '(?<name>[a-z]+)=(\\\\d+)', 'jo').name", ["key"]),
    ("ngx.re.match('key=42', '(\\\\d)(x)?')[1], ngx.re.match('key=42', '(\\\\d)(x)?')[2]", ["4", False]),
    ("ngx.re.match('ab', 'B', 'i')[0], ngx.re.match('ab', 'b', 'a') == nil", ["b", True]),
    ("ngx.re.find('abc', 'b(c)')", [2, 3]),
    ("ngx.re.find('abc', 'b(c)', 'jo', nil, 1)", [3, 3]),
    ("ngx.re.gsub('a1b22', '\\\\d+', '<$0>')", ["a<1>b<22>", 2]),
    ("ngx.re.gsub('a1b2', '([a-z])(\\\\d)', '$2${1}$$')", ["1a$2b$", 2]),
    ("ngx.re.gsub('ab', '', '-')", ["-a-b-", 3]),
    ("ngx.re.sub('aa', 'a', function(m) return m[0] .. '!' end)", ["a!a", 1]),
    ("ngx.re.gmatch('a1b2', '\\\\d')()[0]", ["1"]),
    ("(select(2, ngx.re.match('a', '('))):sub(1, 21)", ["pcre_compile() failed"]),
    ("require('cjson').decode('[1, {}]'), require('cjson.safe').decode('[1,')",
     [[1, {}], None, "Expected value but found T_END at character 4"]),
    ("require('bit').band(255, 15), require('table.nkeys')({1, a = 3}), require('table.isempty')({})", [15, 2, True]),
    ("require('ngx.base64').encode_base64url('\\255\\254'), require('ngx.base64').decode_base64url('YQ')",
     ["__4", "a"]),
    ("bit.bor(1, 6), bit.bxor(5, 1), bit.bnot(0), bit.tobit(4294967295), bit.tohex(255)", [7, 4, -1, -1, "000000ff"]),
    ("bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-8, 1), bit.rol(1, 33), bit.ror(1, 1), bit.bswap(1)",
     [-2147483648, 15, -4, 2, -2147483648, 16777216]),
    ("tostring(1e15), tostring(0.1 + 0.2), tostring(3), tostring(2^53)", ["1e+15", "0.3", "3", "9.007199254741e+15"]),
    ("tonumber('0x10'), tonumber(' 5 '), tonumber('z', 36), '10' + 1, 10 .. ''", [16, 5, 35, 11, "10"]),
    ("('x'):rep(3, '-'), ('a,b'):gsub(',', function() return ';' end)", ["x-x-x", "a;b", 1]),
    ("table.concat(table.move({1, 2, 3}, 1, 3, 2)), table.pack(1, nil).n, table.unpack({4})", ["1123", 2, 4]),
    ("math.floor(2.5), math.log(8, 2), math.randomseed, math.max(1, 3)", [2, 3, None, 3]),
    ("os.time{year = 2000, month = 1, day = 1, hour = 12} > 0, os.execute, os.getenv, io.open",
     [True, None, None, None]),
    ("pcall(error, 'x')", [False, "x"]),
    ("xpcall(function(a) return a end, print, 5)", [True, 5]),
    ("xpcall(error, function(problem) return problem .. '!' end, 'x')", [False, "x!"]),
    ("coroutine.wrap(function(a) local b = coroutine.yield(a) return b end)(1)", [1]),
    ("select('#', coroutine.resume(coroutine.create(function() error('x', 0) end)))", [2]),
    ("kong.ctx.shared.a, kong.ctx.plugin.a, ngx.ctx.a", [None, None, None]),
    ("_VERSION, _G._G == _G, type(unpack), getmetatable, setmetatable, rawset, load, dofile, debug, package",
     ["Lua 5.1", True, "function", *[None] * 7]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[expression[:60] for expression, _ in VALUES])
def test_value(bench: Bench, expression: str, expected: list[Json]) -> None:
    assert bench.values(expression, REQUEST) == expected


ERRORS = [
    ("kong.request.get_header(1)", "header name must be a string"),
    ("kong.request.get_header()", "header name must be a string"),
    ("kong.request.get_headers('a')", "max_headers must be a number"),
    ("kong.request.get_headers(0)", "max_headers must be >= 1"),
    ("kong.request.get_headers(1001)", "max_headers must be <= 1000"),
    ("kong.request.get_query_arg(1)", "query argument name must be a string"),
    ("kong.request.get_query({})", "max_args must be a number"),
    ("kong.request.get_query(0)", "max_args must be >= 1"),
    ("kong.request.get_query(2000)", "max_args must be <= 1000"),
    ("kong.request.get_body('application/x-www-form-urlencoded', 0)", "max_args must be >= 1"),
    ("kong.log.serialize()", "function cannot be called in access phase (only in: log)"),
    (
        "kong.response.get_status()",
        "in access phase (only in: response, header_filter, body_filter, log, error, admin_api)",
    ),
    ("require('os')", "require 'os' not allowed within sandbox"),
    ("require('resty.redis')", "require 'resty.redis' not allowed within sandbox"),
    ("require('pl.tablex')", "module 'pl.tablex' is not provided to functions here"),
    ("require('cjson').decode('{')", "Expected object key string but found T_END at character 2"),
    ("kong.cache:get('a')", "kong.cache is not provided to functions here"),
    ("kong.service.request.set_header('a', 'b')", "kong.service.request.set_header is not provided to functions here"),
    ("kong.response.exit(200)", "kong.response.exit is not provided to functions here"),
    ("ngx.location.capture('/')", "ngx.location is not provided to functions here"),
    ("ngx.socket.tcp()", "ngx.socket is not provided to functions here"),
    ("ngx.sleep(1)", "ngx.sleep is not provided to functions here"),
    ("io.open('/etc/passwd')", "attempt to call field 'open' (a nil value)"),
    ("loadstring('return 1')", "attempt to call global 'loadstring' (a nil value)"),
    ("kong.request.x = 1", "Cannot modify kong.request.x. Protected by the sandbox."),
    ("kong.x = 1", "Cannot modify kong.x. Protected by the sandbox."),
    ("kong.log = nil", "Cannot modify kong.log. Protected by the sandbox."),
    ("string.rep = nil", "Cannot modify string.rep. Protected by the sandbox."),
    ("ngx.var.uri = '/'", "Cannot modify ngx.var.uri. Protected by the sandbox."),
    ("ngx.status = 500", "Cannot modify ngx.status. Protected by the sandbox."),
    ("ngx.header['x'] = 'y'", "Cannot modify ngx.header.x. Protected by the sandbox."),
    ("table.insert(kong, 1)", "Cannot modify kong. Protected by the sandbox."),
    ("table.clear(math)", "Cannot modify math. Protected by the sandbox."),
    ("coroutine.wrap(1)", "bad argument #1 to 'wrap' (function expected, got number)"),
    ("kong.log.set_serialize_value(1, 2)", "key must be a string"),
    ("ngx.log('loud', 'x')", "bad log level: loud"),
]


@pytest.mark.parametrize(("statement", "problem"), ERRORS, ids=[statement[:60] for statement, _ in ERRORS])
def test_error(bench: Bench, statement: str, problem: str) -> None:
    assert problem in bench.count(statement, REQUEST).detail


def test_an_untrusted_peer_forwards_nothing(bench: Bench) -> None:
    request = LuaRequest(
        scheme="https", host="own", port=1, target="/own", headers=REQUEST.headers, trusted=False, ip="198.51.100.1"
    )
    found = bench.values(
        "kong.request.get_forwarded_scheme(), kong.request.get_forwarded_host(), kong.request.get_forwarded_port(),"
        "kong.request.get_forwarded_path(), kong.request.get_forwarded_prefix(), kong.ip.is_trusted('198.51.100.1')",
        request,
    )
    assert found == ["https", "own", 1, "/own", None, False]


@pytest.mark.parametrize("header", ["0", "65536", "no", "80x"])
def test_a_forwarded_port_out_of_range_is_not_taken(bench: Bench, header: str) -> None:
    request = LuaRequest(port=7, trusted=True, headers=(("x-forwarded-port", header), ("x-forwarded-host", "a:0")))
    assert bench.values("kong.request.get_forwarded_port()", request) == [7]


FORM = LuaRequest(headers=(("content-type", "application/x-www-form-urlencoded"),), body=b"a=1&b=x+y&b=%41&c")
PARTS = (
    b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
    b"--X\r\nContent-Disposition: form-data; name=\"b\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\nx\r\ny\r\n"
    b"--X\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n\r\n--X--\r\n"
)  # fmt: skip
MULTIPART = LuaRequest(headers=(("content-type", 'multipart/form-data; boundary="X"'),), body=PARTS)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (FORM, [{"a": "1", "b": ["x y", "A"], "c": True}, None, "application/x-www-form-urlencoded"]),
        (MULTIPART, [{"a": "1", "b": ["x\r\ny", ""]}, None, "multipart/form-data"]),
        (
            LuaRequest(headers=MULTIPART.headers, body=b"junk"),
            [None, "unable to decode multipart body", "multipart/form-data"],
        ),
        (
            LuaRequest(headers=MULTIPART.headers, body=PARTS[:-20]),
            [None, "unable to decode multipart body", "multipart/form-data"],
        ),
        (
            LuaRequest(headers=(("content-type", "application/json"),), body=b"7"),
            [None, "invalid json body", "application/json"],
        ),
        (
            LuaRequest(headers=(("content-type", "application/json"),), body=b""),
            [None, "invalid json body", "application/json"],
        ),
        (
            LuaRequest(headers=(("content-type", "application/json"),), body=None),
            [
                None,
                "request body did not fit into client body buffer, consider raising 'client_body_buffer_size'",
                "application/json",
            ],
        ),
    ],
)
def test_bodies(bench: Bench, request_: LuaRequest, expected: list[Json]) -> None:
    assert bench.values("kong.request.get_body()", request_) == expected


def test_an_empty_body_is_an_empty_text(bench: Bench) -> None:
    assert bench.values("kong.request.get_raw_body(), ngx.req.get_body_data()") == ["", ""]


def test_a_body_that_was_not_sent_is_asked_for_whatever_the_function_catches(bench: Bench) -> None:
    source = "pcall(kong.request['get_raw_' .. 'body']) return 1"
    assert bench.reply(source, LuaRequest(body=b"x"), with_body=False).kind == "body"
    assert bench.reply(source, LuaRequest(body=b"x"), with_body=True).number == 1


DONE = LuaRequest(
    method="POST",
    host="api.openai.com",
    target="/v1/chat?a=1",
    headers=(("authorization", "Bearer hush"), ("x-a", "1")),
    started=5,
    ip="192.0.2.1",
    consumer={"id": "c1", "username": "ann"},
    credential={"id": "k1"},
    response=LuaResponse(
        status=200, headers=(("x-served", "yes"), ("set-cookie", "a"), ("set-cookie", "b")), provider="openai",
        request_model="gpt-4o", response_model="gpt-4o-2024", prompt_tokens=3, completion_tokens=4, total_tokens=7,
        cost=0.25, latencies={"request": 12.5},
    ),
)  # fmt: skip


def test_the_cost_of_an_exchange(bench: Bench) -> None:
    source = """
        local ai = kong.log.serialize().ai.proxy
        assert(ai.meta.provider_name == "openai" and ai.meta.request_model == "gpt-4o")
        assert(ai.meta.response_model == "gpt-4o-2024" and ai.usage.total_tokens == 7)
        return ai.usage.prompt_tokens * 2 + ai.usage.completion_tokens * 3 + ai.usage.cost"""
    assert bench.count(source, DONE).number == 18.25


def test_the_log_entry_of_an_exchange(bench: Bench) -> None:
    (entry,) = bench.values("kong.log.serialize()", DONE)
    assert entry == {
        "request": {
            "uri": "/v1/chat?a=1", "url": "https://api.openai.com:443/v1/chat?a=1", "querystring": {"a": "1"},
            "method": "POST", "headers": {"authorization": "REDACTED", "x-a": "1"},
        },
        "response": {"status": 200, "headers": {"x-served": "yes", "set-cookie": ["a", "b"]}},
        "upstream_uri": "", "upstream_status": "200", "tries": {}, "latencies": {"request": 12.5},
        "authenticated_entity": {"id": "k1", "consumer_id": "c1"}, "consumer": {"id": "c1", "username": "ann"},
        "client_ip": "192.0.2.1", "started_at": 5,
        "ai": {
            "proxy": {
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0.25},
                "meta": {"provider_name": "openai", "request_model": "gpt-4o", "response_model": "gpt-4o-2024"},
            }
        },
    }  # fmt: skip


def test_values_set_for_the_log_entry_are_in_it(bench: Bench) -> None:
    source = "kong.log.set_serialize_value('my.new.value', 4) return kong.log.serialize().my.new.value"
    assert bench.count(source, DONE).number == 4


def test_after_the_response(bench: Bench) -> None:
    found = bench.values(
        "kong.response.get_status(), kong.response.get_header('X_Served'), kong.response.get_headers()['Set-Cookie'],"
        "kong.service.response.get_status(), kong.response.get_source(), ngx.status, ngx.header.x_served,"
        "ngx.get_phase()",
        DONE,
    )
    assert found == [200, "yes", ["a", "b"], 200, "service", 200, "yes", "log"]
    assert "function cannot be called in log phase (only in: rewrite, access, response, error, admin_api)" in (
        bench.count("kong.request.get_raw_body()", DONE).detail
    )
    assert "only available with buffered proxying" in bench.count("kong.service.response.get_body()", DONE).detail


def test_lines_for_the_log(bench: Bench) -> None:
    source = """
        kong.log("plain ", 1, nil, true) kong.log.err("bad") kong.log.inspect({a = {1}}) print("x", 2)
        ngx.log(ngx.WARN, "w", 1) kong.log.debug(("x"):rep(5000)) return 0"""
    lines = bench.reply(source).lines
    assert lines[:5] == (
        ("notice", b"plain 1niltrue"), ("err", b"bad"), ("debug", b"{\n  a = {\n    1\n  }\n}"), ("notice", b"x 2"),
        ("warn", b"w1"),
    )  # fmt: skip
    assert len(lines[5][1]) == 1000


def test_a_call_logs_so_many_lines_at_most(bench: Bench) -> None:
    assert len(bench.reply("for i = 1, 1000 do kong.log(i) end return 0").lines) == 20


def test_no_call_leaves_anything_for_the_next(bench: Bench) -> None:
    bench.reply(
        """x = 1 _G.y = 2 kong.ctx.shared.a = 1 kong.ctx.plugin.a = 1 ngx.ctx.a = 1
        kong.client.get_consumer().id = "evil" kong.request.get_headers().host = "evil"
        pcall(function() string.evil = 1 end) pcall(table.insert, string, 1) pcall(function() ("").evil = 1 end)""",
        LuaRequest(consumer={"id": "c"}),
    )
    found = bench.values(
        "x, y, kong.ctx.shared.a, kong.ctx.plugin.a, ngx.ctx.a, string.evil, string[1], kong.client.get_consumer().id,"
        "kong.request.get_headers().host",
        LuaRequest(consumer={"id": "c"}),
    )
    assert found == [None] * 7 + ["c", None]
