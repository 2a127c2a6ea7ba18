-- Where functions live: compiled once, run each time in an environment of their own.

local _, modules = ...
local guard, libraries, codec, current = modules.guard, modules.libraries, modules.codec, modules.current
local error, loadstring, pairs, select, setfenv = error, loadstring, pairs, select, setfenv
local setmetatable, tostring = setmetatable, tostring
local find, gmatch, sub = string.find, string.gmatch, string.sub

local base = libraries.base
base.kong, base.ngx = modules.kong, modules.ngx

function base.print(...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = tostring((select(index, ...)))
  end
  modules.kong_log.functions.notice(table.concat(parts, " "))
end

local cjson, safe = { null = codec.null, empty_array = codec.empty_array }, {}
for name, convert in pairs({ decode = codec.decode, encode = codec.encode }) do
  safe[name] = convert
  cjson[name] = function(value)
    local result, problem = convert(value)
    if problem then
      error(problem, 2)
    end
    return result
  end
end
safe.null, safe.empty_array = codec.null, codec.empty_array

local base64 = {
  encode_base64url = function(text)
    return (base.ngx.encode_base64(text, true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
  end,
  decode_base64url = function(text)
    return base.ngx.decode_base64((text:gsub("[-_]", { ["-"] = "+", ["_"] = "/" })))
  end,
}

local required = {
  bit = base.bit,
  cjson = libraries.protect_partial("cjson", cjson, "new array_mt empty_array_mt encode_number_precision"),
  ["cjson.safe"] = libraries.protect_partial("cjson.safe", safe, "new array_mt empty_array_mt"),
  ["ngx.base64"] = libraries.protect("ngx.base64", base64),
}
for name in gmatch("clear clone isarray isempty new nkeys", "%a+") do
  required["table." .. name] = libraries.lists[name]
end

-- What Kong lets a function require and is not here.
local ABSENT = " string.buffer lyaml ngx.re pl.stringx pl.tablex socket.url version xmlua "
local ABSENT_UNDER = { "^kong%.tools%.", "^resty%.md5$", "^resty%.sha", "^resty%.random$", "^resty%.string$",
  "^resty%.openssl", "^resty%.jwt" }

function base.require(name)
  if required[name] then
    return required[name]
  end
  local absent = find(ABSENT, " " .. tostring(name) .. " ", 1, true)
  for _, pattern in pairs(ABSENT_UNDER) do
    absent = absent or find(tostring(name), pattern)
  end
  if absent then
    error("module '" .. name .. "' is not provided to functions here", 2)
  end
  error("require '" .. tostring(name) .. "' not allowed within sandbox", 0)
end

local inherits = { __index = base, __metatable = false }
local functions = {}

local sandbox = {}

-- Keeps a function under a name. One that does not compile says so when it is run.
function sandbox.keep(name, source)
  local compiled, problem
  if sub(source, 1, 1) == "\27" then
    problem = "attempt to load chunk with wrong mode"
  else
    compiled, problem = loadstring(source)
  end
  functions[name] = compiled or function()
    error("Error parsing function: " .. problem, 0)
  end
end

-- Takes the request that the next run is about.
function sandbox.begin(names, ...)
  local request = {}
  for index = 1, #names do
    request[names[index]] = (select(index, ...))
  end
  current.begin(request)
end

-- Runs a kept function: kind and value of its outcome, see `guard.run`.
function sandbox.run(name, seconds)
  local environment = setmetatable({}, inherits)
  environment._G = environment
  local kind, value = guard.run(setfenv(functions[name], environment), seconds)
  current.finish()
  return kind, value
end

return sandbox
