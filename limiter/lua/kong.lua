-- The `kong` table: what a function may read of client, route and response, beside `kong.request` and `kong.log`.

local host, modules = ...
local current, libraries, log = modules.current, modules.libraries, modules.kong_log
local error, pairs, setmetatable = error, pairs, setmetatable

local RESPONSE = "response, header_filter, body_filter, log, error, admin_api"

local client = {}

function client.get_ip()
  return current.request.ip
end

function client.get_forwarded_ip()
  return current.request.forwarded_ip
end

function client.get_port()
  return current.request.client_port
end

function client.get_forwarded_port()
  return current.request.forwarded_port
end

function client.get_consumer()
  return current.known("consumer")
end

function client.get_credential()
  return current.known("credential")
end

function client.get_consumer_groups()
  return current.known("groups")
end

function client.get_consumer_group()
  return (current.known("groups") or {})[1]
end

function client.get_protocol(allow_terminated)
  if not current.known("route") then
    return nil, "No active route found"
  end
  return allow_terminated and modules.kong_request.get_forwarded_scheme() or current.request.scheme
end

local response, upstream = {}, {}

for _, reader in pairs({ response, upstream }) do
  function reader.get_status()
    current.check(RESPONSE)
    return current.request.status
  end

  function reader.get_header(name)
    current.check(RESPONSE)
    return current.response_header(name)
  end

  function reader.get_headers(most)
    current.check(RESPONSE)
    return current.response_headers(most)
  end
end

function response.get_source()
  current.check(RESPONSE)
  return "service"
end

local function unbuffered()
  error("service body is only available with buffered proxying (see: kong.service.request.enable_buffering"
    .. " function)", 2)
end

upstream.get_raw_body, upstream.get_body = unbuffered, unbuffered

local router = {}

function router.get_route()
  return current.known("route")
end

function router.get_service()
  return current.known("service")
end

local lists = libraries.lists

local function partial(name, content, absent)
  return libraries.protect_partial("kong." .. name, content, absent or "")
end

local function is_trusted(address)
  return address == current.request.ip and current.request.trusted or host.is_trusted(address, current.request.peers)
end

local context = setmetatable({}, {
  __index = function(_, name)
    if name == "shared" or name == "plugin" then
      return current.scratch("ctx." .. name)
    end
  end,
})

local shown = {
  version = "3.14.0",
  version_num = 3014000,
  configuration = partial("configuration", {}),
  client = partial("client", client, "authenticate load_consumer authenticate_consumer_group_by_consumer_id"
    .. " set_authenticated_consumer_groups set_authenticated_consumer_group"),
  ctx = libraries.protect("kong.ctx", context),
  log = libraries.protect_partial("kong.log", log.functions, "new on off set_format", log.functions.notice),
  request = partial("request", modules.kong_request, "get_id get_raw_forwarded_path"),
  response = partial("response", response, "add_header clear_header error exit get_raw_body set_header set_headers"
    .. " set_raw_body set_status"),
  service = partial("service", {
    request = partial("service.request", {}, "add_header clear_header clear_query_arg enable_buffering set_body"
      .. " set_header set_headers set_method set_path set_query set_raw_body set_raw_query set_scheme"
      .. " disable_tls"),
    response = partial("service.response", upstream),
  }, "set_retries set_target set_timeouts set_tls_verify set_upstream"),
  router = partial("router", router),
  node = partial("node", {
    get_id = function() return current.known("node_id") end,
    get_hostname = function() return current.known("hostname") end,
  }, "get_memory_stats set_node_id"),
  ip = partial("ip", { is_trusted = is_trusted }),
  plugin = partial("plugin", { get_id = function() return current.known("plugin_id") end }),
  table = partial("table", {
    new = lists.new,
    clear = lists.clear,
    merge = function(first, second)
      local merged = lists.clone(first or {})
      for key, value in pairs(second or {}) do
        merged[key] = value
      end
      return merged
    end,
  }),
  nginx = partial("nginx", { get_subsystem = function() return "http" end }, "get_statistics get_tls1_version_str"),
}

return libraries.protect_partial("kong", shown, "cache cluster core_cache db dns jwe licensing secrets telemetry"
  .. " tracing vault worker_events websocket enterprise_edition")
