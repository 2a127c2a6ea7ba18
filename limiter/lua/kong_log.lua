-- `kong.log`: lines for our log, and the table of what is known of an exchange that has ended.

local host, modules = ...
local current = modules.current
local type, tostring, select, error, pairs = type, tostring, select, error, pairs
local concat, sort, sub, rep = table.concat, table.sort, string.sub, string.rep

local LONGEST = host.longest_line -- bytes
local NESTED = 5 -- tables in one another that it shows

local function inspected(value, depth)
  if type(value) == "string" then
    return '"' .. value .. '"'
  elseif type(value) ~= "table" then
    return tostring(value)
  elseif depth > NESTED then
    return "{...}"
  end
  local names, parts = {}, {}
  for name in pairs(value) do
    names[#names + 1] = name
  end
  sort(names, function(left, right)
    return tostring(left) < tostring(right)
  end)
  for _, name in pairs(names) do
    local label = type(name) == "number" and "" or tostring(name) .. " = "
    parts[#parts + 1] = rep("  ", depth) .. label .. inspected(value[name], depth + 1)
  end
  if #parts == 0 then
    return "{}"
  end
  return "{\n" .. concat(parts, ",\n") .. "\n" .. rep("  ", depth - 1) .. "}"
end

local function joined(shown, between, ...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = shown((select(index, ...)), 1)
  end
  return sub(concat(parts, between), 1, LONGEST)
end

-- A function that writes lines of a level.
local function writer(level)
  return function(...)
    host.log(level, joined(tostring, "", ...))
  end
end

local log = {}
for level in string.gmatch("alert crit debug emerg err info notice warn deprecation", "%a+") do
  log[level] = writer(level)
end

function log.inspect(...)
  host.log("debug", joined(inspected, " ", ...))
end

function log.set_serialize_value(key, value)
  if type(key) ~= "string" then
    error("key must be a string", 2)
  end
  local set = current.scratch("serialized")
  set[#set + 1] = { key, value }
end

local function place(root, path, value)
  local node, last = root, nil
  for name in string.gmatch(path, "[^.]+") do
    if last then
      node[last] = node[last] == nil and {} or node[last]
      node = node[last]
      if type(node) ~= "table" then
        error("The key '" .. path .. "' could not be used as a serialize value. Subkey '" .. last
          .. "' is not a table.", 3)
      end
    end
    last = name
  end
  node[last or path] = value
end

function log.serialize()
  current.check("log")
  local request, own = current.request, modules.kong_request
  local credential, consumer = current.known("credential"), current.known("consumer")
  local headers = own.get_headers()
  for _, name in pairs({ "authorization", "proxy-authorization" }) do
    headers[name] = headers[name] and "REDACTED"
  end
  local entry = {
    request = {
      uri = request.target,
      url = request.scheme .. "://" .. request.host .. ":" .. request.port .. request.target,
      querystring = own.get_query(),
      method = own.get_method(),
      headers = headers,
      size = current.known("request_size"),
    },
    upstream_uri = current.known("upstream_uri") or "",
    upstream_status = tostring(request.status),
    response = {
      status = request.status,
      headers = current.response_headers(),
      size = current.known("response_size"),
    },
    tries = {},
    latencies = current.known("latencies") or {},
    authenticated_entity = credential and { id = credential.id, consumer_id = consumer and consumer.id },
    route = current.known("route"),
    service = current.known("service"),
    consumer = consumer,
    client_ip = request.ip,
    started_at = request.started,
    ai = current.known("ai"),
  }
  for _, item in pairs(current.scratch("serialized")) do
    place(entry, item[1], item[2])
  end
  return entry
end

return { functions = log, writer = writer }
