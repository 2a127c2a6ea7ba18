-- The `ngx` table: time, digests, encodings, regular expressions, variables of the request. Nothing here changes a
-- request or waits.

local host, modules = ...
local current, codec, forms = modules.current, modules.codec, modules.forms
local libraries, log = modules.libraries, modules.kong_log
local type, error, tostring, setmetatable = type, error, tostring, setmetatable
local lower, match, date, floor = string.lower, string.match, os.date, math.floor

local ngx = {
  OK = 0, ERROR = -1, AGAIN = -2, DONE = -4, DECLINED = -5, null = codec.null,
  HTTP_GET = 2, HTTP_HEAD = 4, HTTP_POST = 8, HTTP_PUT = 16, HTTP_DELETE = 32, HTTP_OPTIONS = 512, HTTP_PATCH = 16384,
  HTTP_OK = 200, HTTP_CREATED = 201, HTTP_ACCEPTED = 202, HTTP_NO_CONTENT = 204, HTTP_BAD_REQUEST = 400,
  HTTP_UNAUTHORIZED = 401, HTTP_PAYMENT_REQUIRED = 402, HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404,
  HTTP_TOO_MANY_REQUESTS = 429, HTTP_INTERNAL_SERVER_ERROR = 500, HTTP_BAD_GATEWAY = 502,
  HTTP_SERVICE_UNAVAILABLE = 503, HTTP_GATEWAY_TIMEOUT = 504,
}

local LEVELS = { [0] = "emerg", "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug" }
ngx.STDERR = 0
for number, level in ipairs(LEVELS) do
  ngx[string.upper(level)] = number
end

function ngx.log(level, ...)
  if not LEVELS[level] then
    error("bad log level: " .. tostring(level), 2)
  end
  log.functions[LEVELS[level]](...)
end

ngx.now = host.now
ngx.update_time = function() end

function ngx.time()
  return floor(host.now())
end

function ngx.today()
  return date("%Y-%m-%d", ngx.time())
end

function ngx.localtime()
  return date("%Y-%m-%d %H:%M:%S", ngx.time())
end

function ngx.utctime()
  return date("!%Y-%m-%d %H:%M:%S", ngx.time())
end

function ngx.http_time(seconds)
  return date("!%a, %d %b %Y %H:%M:%S GMT", seconds)
end

for _, name in pairs({ "md5", "md5_bin", "sha1_bin", "encode_base64", "decode_base64", "crc32_short", "hmac_sha1" }) do
  local digest = host[name]
  ngx[name] = function(text, ...)
    return digest(tostring(text), ...)
  end
end
ngx.crc32_long = ngx.crc32_short

function ngx.escape_uri(text)
  return forms.escape(tostring(text))
end

function ngx.unescape_uri(text)
  return forms.unescape(tostring(text))
end

ngx.encode_args = forms.query

function ngx.decode_args(text, most)
  return forms.arguments(text, most or 100)
end

function ngx.get_phase()
  return current.phase
end

ngx.re = libraries.protect_partial("ngx.re", modules.ngx_re, "opt")

local request = {
  get_headers = current.headers,
  get_uri_args = current.query,
  get_query_args = current.query,
  read_body = function() end,
  get_body_file = function() return nil end,
}

function request.get_method()
  return current.request.method
end

function request.http_version()
  return current.request.version
end

function request.start_time()
  return current.request.started / 1000
end

function request.get_body_data()
  return current.body()
end

function request.get_post_args(most)
  return forms.arguments(current.body() or "", most or 100)
end

ngx.req = libraries.protect_partial("ngx.req", request, "set_header clear_header set_method set_uri set_uri_args"
  .. " set_body_data set_body_file discard_body append_body finish_body init_body socket raw_header is_internal")

local VARIABLES = {
  args = current.raw_query,
  host = function() return current.request.host end,
  is_args = function() return current.raw_query() ~= "" and "?" or "" end,
  msec = function() return string.format("%.3f", host.now()) end,
  query_string = current.raw_query,
  remote_addr = function() return current.request.forwarded_ip end,
  remote_port = function() return tostring(current.request.forwarded_port) end,
  realip_remote_addr = function() return current.request.ip end,
  request_method = function() return current.request.method end,
  request_uri = function() return current.request.target end,
  scheme = function() return current.request.scheme end,
  server_port = function() return tostring(current.request.port) end,
  server_protocol = function()
    local version = current.request.version or 1.1
    return "HTTP/" .. string.format("%.1f", version)
  end,
  status = function() return current.request.status and tostring(current.request.status) end,
  uri = current.path,
}

local function cookie(name)
  for pair in string.gmatch(current.header("cookie") or "", "[^;]+") do
    local found, value = match(pair, "^%s*([^=]*)=(.*)$")
    if found and lower(found) == name then
      return value
    end
  end
  return nil
end

-- First parts of variables whose rest is a name.
local NAMED = {
  http_ = current.header,
  arg_ = function(name)
    local value = current.query()[name]
    value = type(value) == "table" and value[1] or value
    return value == true and "" or value
  end,
  cookie_ = cookie,
}

local variables = setmetatable({}, {
  __index = function(_, name)
    name = type(name) == "string" and lower(name) or ""
    if VARIABLES[name] then
      return VARIABLES[name]()
    elseif name == "content_type" or name == "content_length" then
      return current.header(name)
    end
    local kind, rest = match(name, "^(%a+_)(.+)$")
    return NAMED[kind] and NAMED[kind](rest)
  end,
})
ngx.var = libraries.protect("ngx.var", variables)

-- What is made anew for each call, or read of its request.
local DYNAMIC = {
  ctx = function() return current.scratch("ngx.ctx") end,
  header = function()
    return libraries.protect("ngx.header", current.request.status and current.response_headers() or {})
  end,
  status = function() return current.request.status or 0 end,
}

local absent = libraries.absent("ngx", "arg capture_multi eof exec exit flush headers_sent location on_abort pipe print"
  .. " process redirect resp run_worker_thread say send_headers shared sleep socket ssl thread timer worker")

return libraries.protect("ngx", setmetatable({}, {
  __index = function(_, name)
    local value = ngx[name]
    if value == nil and DYNAMIC[name] then
      return DYNAMIC[name]()
    end
    return value == nil and absent(name) or value
  end,
}))
