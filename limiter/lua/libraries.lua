-- The libraries of Lua as a function sees them: what reaches outside or past the sandbox is absent, and every table is
-- read through a proxy that cannot be written to, so that nothing of one call is left for the next.

local _, modules = ...
local guard, bits = modules.guard, modules.bits
local type, error, pairs, next, select, unpack = type, error, pairs, next, select, unpack
local setmetatable, getmetatable, tonumber, tostring = setmetatable, getmetatable, tonumber, tostring
local sub, gsub, rep, floor, log = string.sub, string.gsub, string.rep, math.floor, math.log

local MOST_RESULTS = 7900 -- of `unpack`; both runtimes bear about 8000

local libraries = {}
local protected = {}

-- A view of `content` that refuses writes in Kong's words. It can be called where `call` is given.
function libraries.protect(name, content, call)
  local view = setmetatable({}, {
    __index = content,
    __newindex = function(_, key)
      error("Cannot modify " .. name .. "." .. tostring(key) .. ". Protected by the sandbox.", 0)
    end,
    __call = call and function(_, ...)
      return call(...)
    end,
    __metatable = false,
  })
  protected[view] = name
  return view
end

-- A function that raises when it is given one of the names: those that Kong has and that are not here.
function libraries.absent(name, names)
  local missing = {}
  for word in string.gmatch(names, "%S+") do
    missing[word] = true
  end
  return function(key)
    if missing[key] then
      error(name .. "." .. key .. " is not provided to functions here", 3)
    end
  end
end

-- As `protect`; to read one of the names in `absent` is an error that says so.
function libraries.protect_partial(name, content, absent, call)
  local missing = libraries.absent(name, absent)
  return libraries.protect(name, setmetatable(content, {
    __index = function(_, key)
      return missing(key)
    end,
  }), call)
end

local function writable(list)
  if protected[list] then
    error("Cannot modify " .. protected[list] .. ". Protected by the sandbox.", 0)
  end
  return list
end

local function copied(from, names)
  local to = {}
  for name in string.gmatch(names, "%S+") do
    to[name] = from[name]
  end
  return to
end

local text = copied(string, "byte char find format gmatch len lower match reverse sub upper")

function text.rep(piece, count, between)
  if between == nil or between == "" or count < 2 then
    return rep(piece, count)
  end
  return rep(piece .. between, count - 1) .. piece
end

function text.gsub(subject, pattern, replacement, ...)
  if type(replacement) ~= "function" then
    return gsub(subject, pattern, replacement, ...)
  end
  return guard.nested(gsub, subject, pattern, replacement, ...)
end

local lists = copied(table, "concat foreach foreachi getn maxn")

function lists.insert(list, ...)
  return table.insert(writable(list), ...)
end

function lists.remove(list, ...)
  return table.remove(writable(list), ...)
end

function lists.sort(list, before)
  return guard.nested(table.sort, writable(list), before)
end

function lists.clear(list)
  for key in pairs(writable(list)) do
    list[key] = nil
  end
end

function lists.clone(list)
  local copy = {}
  for key, value in pairs(list) do
    copy[key] = value
  end
  return copy
end

function lists.nkeys(list)
  local count = 0
  for _ in pairs(list) do
    count = count + 1
  end
  return count
end

function lists.isempty(list)
  return next(list) == nil
end

function lists.isarray(list)
  local count = 0
  for key in pairs(list) do
    if type(key) ~= "number" or key < 1 or key ~= floor(key) then
      return false
    end
    count = count + 1
  end
  return count == #list
end

function lists.move(from, first, last, start, to)
  to = to or from
  writable(to)
  if start > first then
    for index = last - first, 0, -1 do
      to[start + index] = from[first + index]
    end
  else
    for index = 0, last - first do
      to[start + index] = from[first + index]
    end
  end
  return to
end

function lists.new()
  return {}
end

function lists.pack(...)
  return { n = select("#", ...), ... }
end

-- Lua 5.1 counts in whole numbers that overflow, and then writes past its stack.
function lists.unpack(list, first, last)
  first, last = tonumber(first or 1), tonumber(last or #list)
  if first > last then
    return
  elseif not (last - first < MOST_RESULTS and first > -2 ^ 31 and last < 2 ^ 31) then
    error("too many results to unpack", 2)
  end
  return unpack(list, first, last)
end

local numbers = {}
for name, value in pairs(math) do
  numbers[name] = value
end
numbers.randomseed = nil
function numbers.log(number, base)
  return base and log(number) / log(base) or log(number)
end

libraries.base = copied(_G, "_VERSION assert error ipairs next pairs select tonumber tostring type")
libraries.base.unpack = lists.unpack
libraries.base.pcall = guard.pcall
libraries.base.xpcall = guard.xpcall
libraries.lists = lists

local shown = {
  bit = bits,
  coroutine = guard.coroutine,
  io = { type = function() return nil end },
  jit = jit and copied(jit, "os arch version version_num"),
  math = numbers,
  os = copied(os, "clock date difftime time"),
  string = text,
  table = lists,
}
for name, content in pairs(shown) do
  libraries.base[name] = libraries.protect(name, content)
end

-- Methods of strings (`text:rep(2)`) are looked up here, whatever the environment.
local strings = getmetatable("")
strings.__index = text
strings.__metatable = false

return libraries
