-- The request that the present call is about, and what is read of it by more than one library.

local _, modules = ...
local codec, forms = modules.codec, modules.forms
local type, error, setmetatable, rawget = type, error, setmetatable, rawget
local find, gsub, lower, sub = string.find, string.gsub, string.lower, string.sub

local current = {}

-- What is parsed of the request when it is first asked for.
local parsed

function current.begin(request)
  current.request, parsed = request, {}
  current.phase = request.status and "log" or "access"
end

function current.finish()
  current.request, parsed = nil, nil
end

-- Raises in Kong's words where the function may not be called; `only` names the phases it may be called in.
function current.check(only)
  if not find(" " .. only .. ",", " " .. current.phase .. ",", 1, true) then
    error("function cannot be called in " .. current.phase .. " phase (only in: " .. only .. ")", 3)
  end
end

local function bounded(most, what, default)
  if most == nil then
    return default
  elseif type(most) ~= "number" then
    error(what .. " must be a number", 4)
  elseif most < 1 then
    error(what .. " must be >= 1", 4)
  elseif most > 1000 then
    error(what .. " must be <= 1000", 4)
  end
  return most
end
current.bounded = bounded

local function dashed(name)
  return (gsub(lower(name), "_", "-"))
end

local any_case = {
  __index = function(values, name)
    if type(name) == "string" then
      return rawget(values, dashed(name))
    end
  end,
  __metatable = false,
}

-- Names and values in turn, as a table whose names may be written in any case.
local function field_table(flat, most)
  local values = setmetatable({}, any_case)
  for index = 1, math.min(#flat, most * 2), 2 do
    local name = flat[index]
    local before = rawget(values, name)
    if before == nil then
      values[name] = flat[index + 1]
    elseif type(before) == "table" then
      before[#before + 1] = flat[index + 1]
    else
      values[name] = { before, flat[index + 1] }
    end
  end
  return values
end

local function first_field(flat, name)
  if type(name) ~= "string" then
    error("header name must be a string", 4)
  end
  name = dashed(name)
  for index = 1, #flat, 2 do
    if flat[index] == name or dashed(flat[index]) == name then
      return flat[index + 1]
    end
  end
  return nil -- a value, not none: `tonumber()` of no argument is an error
end

function current.header(name)
  return first_field(current.request.headers, name)
end

function current.headers(most)
  return field_table(current.request.headers, bounded(most, "max_headers", 100))
end

function current.response_header(name)
  return first_field(current.request.response_headers, name)
end

function current.response_headers(most)
  return field_table(current.request.response_headers, bounded(most, "max_headers", 100))
end

function current.raw_path()
  local target = current.request.target
  local mark = find(target, "?", 2, true)
  return mark and sub(target, 1, mark - 1) or target
end

function current.raw_query()
  local target = current.request.target
  local mark = find(target, "?", 1, true)
  return mark and sub(target, mark + 1) or ""
end

function current.path()
  parsed.path = parsed.path or forms.path(current.raw_path())
  return parsed.path
end

function current.query(most)
  return forms.arguments(current.raw_query(), bounded(most, "max_args", 100))
end

-- The body, or nil where it is too large. Bodies are only sent to functions that are known to read them.
function current.body()
  if current.request.body_away then
    modules.guard.stop("body")
  end
  return current.request.body
end

-- What the proxy knows beside the request: consumer, route, usage … by name.
function current.context()
  if not parsed.context then
    parsed.context = codec.decode(current.request.context) or {}
  end
  return parsed.context
end

local function fresh(value)
  if value == codec.null then
    return nil
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = fresh(item)
  end
  return copy
end

-- A copy of one of them that the function may change.
function current.known(name)
  return fresh(current.context()[name])
end

-- A table that lives as long as the call.
function current.scratch(name)
  parsed[name] = parsed[name] or {}
  return parsed[name]
end

return current
