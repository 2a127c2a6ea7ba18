"""Whatever is given to the functions in reach: an error at worst, and nothing broken after."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from limiter.lua.counter import LuaCounter
from limiter.lua.function import LuaFunction
from limiter.lua.process import Bounds
from limiter.lua.request import LuaRequest, LuaResponse
from limiter.lua.runtime import available

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = {
    "": "assert error ipairs next pairs pcall print select tonumber tostring type unpack xpcall require",
    "string.": "byte char find format gmatch gsub len lower match rep reverse sub upper",
    "table.": "concat foreach foreachi getn maxn insert remove sort clear clone nkeys isempty isarray move"
    " new pack unpack",
    "math.": "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp ldexp log log10 max min modf pow rad"
    " random sin sinh sqrt tan tanh",
    "os.": "clock date difftime time",
    "coroutine.": "create resume running status wrap yield",
    "bit.": "band bor bxor bnot tobit tohex lshift rshift arshift rol ror bswap",
    "kong.request.": "get_scheme get_host get_port get_forwarded_scheme get_forwarded_host get_forwarded_port"
    " get_forwarded_path get_forwarded_prefix get_http_version get_method get_path get_raw_path get_path_with_query"
    " get_raw_query get_query_arg get_query get_header get_headers get_raw_body get_body get_start_time"
    " get_uri_captures",
    "kong.client.": "get_ip get_forwarded_ip get_port get_forwarded_port get_consumer get_credential "
    "get_consumer_groups get_consumer_group get_protocol",
    "kong.log.": "alert crit debug emerg err info notice warn deprecation inspect set_serialize_value serialize",
    "kong.response.": "get_status get_header get_headers get_source",
    "kong.service.response.": "get_body get_raw_body get_status get_header get_headers",
    "kong.": "log",
    "kong.ip.": "is_trusted",
    "kong.table.": "new clear merge",
    "kong.node.": "get_id get_hostname",
    "kong.plugin.": "get_id",
    "kong.nginx.": "get_subsystem",
    "kong.router.": "get_route get_service",
    "ngx.": "log now update_time time today localtime utctime http_time md5 md5_bin sha1_bin encode_base64"
    " decode_base64 crc32_short crc32_long hmac_sha1 escape_uri unescape_uri encode_args decode_args get_phase",
    "ngx.re.": "match find gmatch sub gsub",
    "ngx.req.": "get_headers get_uri_args get_query_args read_body get_method http_version start_time get_body_data"
    " get_body_file get_post_args",
    "require('cjson').": "encode decode",
    "require('cjson.safe').": "encode decode",
    "require('ngx.base64').": "encode_base64url decode_base64url",
}
ARGUMENTS = (
    "-1", "0", "2^31", "1e300", "0/0", "''", "'%s%d'", "('(a+)+$'):rep(9)", "true", "{}", "{1, 2, 3}", "print", "kong",
    "function(...) return ... end", "ngx.null", "coroutine.create(print)", "string", "'\\0\\255'",
)  # fmt: skip
CALLS = """
local given, callee, calls = {%s}, %s, 0
for i = 0, #given do
  for j = 0, #given do
    pcall(callee, given[i], given[j])
    pcall(callee, given[i], given[j], given[(i + j) %% #given], given[i * j %% #given])
    calls = calls + 1
  end
end
return calls"""
SOUND = LuaFunction("return #('abc'):upper() + (kong.x or 0) + (string.x or 0) + (string[1] or 0)", "sound")
REQUEST = LuaRequest(headers=(("a", "1"),), body=b"{}", target="/a?b=c")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=available())
async def counter(request: pytest.FixtureRequest) -> AsyncIterator[LuaCounter]:
    counter = LuaCounter(Bounds(deadline=5.0, busy=2.0, runtime=request.param))
    yield counter
    await counter.close()


@pytest.mark.parametrize("prefix", NAMES)
async def test_anything_may_be_given_to(counter: LuaCounter, prefix: str) -> None:
    after = LuaRequest(headers=REQUEST.headers, response=LuaResponse(status=200, headers=(("a", "1"),)))
    for name in NAMES[prefix].split():
        function = LuaFunction(CALLS % (", ".join(ARGUMENTS), prefix + name), "misuse")
        count = await counter.count(function, after if "serialize" in name or "response" in prefix else REQUEST)
        expected = {"", "memory"} if name == "rep" else {""}
        assert count.mistake in expected, (name, count)
        assert (await counter.count(SOUND, REQUEST)).number == 3, name
