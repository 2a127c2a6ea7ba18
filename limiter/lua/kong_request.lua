-- `kong.request`, with Kong's return values and errors.

local _, modules = ...
local current, codec, forms = modules.current, modules.codec, modules.forms
local type, error, tonumber = type, error, tonumber
local find, lower, match, upper = string.find, string.lower, string.match, string.upper

local BEFORE_CONTENT = "rewrite, access, response, error, admin_api"
local FORM, JSON, MULTIPART = "application/x-www-form-urlencoded", "application/json", "multipart/form-data"

local request = {}

function request.get_scheme()
  return current.request.scheme
end

function request.get_host()
  return current.request.host
end

function request.get_port()
  return current.request.port
end

local function forwarded(name)
  return current.request.trusted and current.header(name) or nil
end

function request.get_forwarded_scheme()
  return lower(forwarded("x-forwarded-proto") or current.request.scheme)
end

-- Host and port of X-Forwarded-Host, without user information.
local function forwarded_host()
  local host = forwarded("x-forwarded-host")
  if host then
    host = match(host, "@(.*)$") or host
    return match(host, "^[^:]*"), match(host, ":(.*)$")
  end
end

function request.get_forwarded_host()
  return lower((forwarded_host()) or current.request.host)
end

local function port_of(text)
  local port = tonumber(text or "", 10)
  return port and port >= 1 and port <= 65535 and port or nil
end

function request.get_forwarded_port()
  local _, port = forwarded_host()
  return port_of(forwarded("x-forwarded-port")) or port_of(port) or current.request.port
end

function request.get_forwarded_path()
  return forwarded("x-forwarded-path") or current.path()
end

function request.get_forwarded_prefix()
  return forwarded("x-forwarded-prefix") or current.known("prefix")
end

function request.get_http_version()
  return current.request.version
end

function request.get_method()
  return upper(current.request.method)
end

function request.get_path()
  return current.path()
end

function request.get_raw_path()
  return current.raw_path()
end

function request.get_path_with_query()
  return current.request.target
end

function request.get_raw_query()
  return current.raw_query()
end

function request.get_query_arg(name)
  if type(name) ~= "string" then
    error("query argument name must be a string", 2)
  end
  local value = current.query()[name]
  return type(value) == "table" and value[1] or value
end

function request.get_query(most)
  return current.query(most)
end

function request.get_header(name)
  return current.header(name)
end

function request.get_headers(most)
  return current.headers(most)
end

local function raw_body()
  local body = current.body()
  if body then
    return body
  end
  return nil, "request body did not fit into client body buffer, consider raising 'client_body_buffer_size'"
end

function request.get_raw_body()
  current.check(BEFORE_CONTENT)
  return raw_body()
end

local function json_of(body)
  local value = codec.decode(body)
  return type(value) == "table" and value or nil, "invalid json body"
end

local function multipart_of(body, content_type)
  return forms.multipart(body, content_type), "unable to decode multipart body"
end

function request.get_body(mime, most)
  current.check(BEFORE_CONTENT)
  local content_type = mime or current.header("content-type")
  if not content_type then
    return nil, "missing content type"
  end
  local kind = lower(match(content_type, "^[^;]*"))
  local read
  if find(kind, FORM, 1, true) == 1 then
    most = current.bounded(most, "max_args", 100)
    kind, read = FORM, function(body)
      return forms.arguments(body, most)
    end
  elseif find(kind, JSON, 1, true) == 1 then
    kind, read = JSON, json_of
  elseif find(kind, MULTIPART, 1, true) == 1 then
    kind, read = MULTIPART, multipart_of
  else
    return nil, "unsupported content type '" .. content_type .. "'", kind
  end
  local body, problem = raw_body()
  if not body then
    return nil, problem, kind
  end
  local value
  value, problem = read(body, content_type)
  if value then
    return value, nil, kind
  end
  return nil, problem, kind
end

function request.get_start_time()
  return current.request.started
end

function request.get_uri_captures()
  return current.known("captures") or { named = {}, unnamed = {} }
end

return request
