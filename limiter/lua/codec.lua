-- Texts that carry values: JSON as cjson reads and writes it, forms, multipart bodies, paths.

local _, modules = ...
local libraries = modules.libraries
local type, error, next, pairs, tonumber, tostring = type, error, next, pairs, tonumber, tostring
local byte, char, find, format, gsub = string.byte, string.char, string.find, string.format, string.gsub
local match, sub, concat, floor = string.match, string.sub, table.concat, math.floor

local NESTED = 1000 -- as cjson
local HUGE = math.huge

local codec = {}

codec.null = newproxy(true)
getmetatable(codec.null).__tostring = function()
  return "userdata: NULL"
end
getmetatable(codec.null).__metatable = false

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40,
    0x80 + code % 0x40)
end

local function expected(what, text, at)
  local found = at > #text and "T_END" or "invalid token"
  error({ json = "Expected " .. what .. " but found " .. found .. " at character " .. at }, 0)
end

local function blank(text, at)
  return (find(text, "[^ \t\r\n]", at)) or #text + 1
end

-- A `\u` escape from its backslash on: the character, and where it ends. Surrogates count as pairs only.
local function unicode(text, at)
  local high = tonumber(match(text, "^\\u(%x%x%x%x)", at) or "", 16)
  if not high then
    expected("value", text, at)
  elseif high < 0xD800 or high > 0xDFFF then
    return utf8(high), at + 6
  end
  local low = tonumber(match(text, "^\\u(%x%x%x%x)", at + 6) or "", 16)
  if high > 0xDBFF or not low or low < 0xDC00 or low > 0xDFFF then
    expected("value", text, at)
  end
  return utf8(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00), at + 12
end

local function json_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = find(text, '["\\%c]', from)
    local mark = stop and sub(text, stop, stop)
    if mark == '"' then
      local last = sub(text, from, stop - 1)
      if #parts == 0 then
        return last, stop + 1
      end
      parts[#parts + 1] = last
      return concat(parts), stop + 1
    elseif mark == "\\" then
      parts[#parts + 1] = sub(text, from, stop - 1)
      local letter = sub(text, stop + 1, stop + 1)
      if letter == "u" then
        parts[#parts + 1], from = unicode(text, stop)
      elseif ESCAPES[letter] then
        parts[#parts + 1], from = ESCAPES[letter], stop + 2
      else
        expected("value", text, stop)
      end
    elseif mark == "\127" then
      parts[#parts + 1] = sub(text, from, stop)
      from = stop + 1
    else
      expected("value", text, stop or #text + 1)
    end
  end
end

local WORDS = { t = { "true", true }, f = { "false", false }, n = { "null", codec.null } }
local json_value

local function json_array(text, at, depth)
  local list, count = {}, 0
  at = blank(text, at + 1)
  if byte(text, at) == 93 then
    return list, at + 1
  end
  while true do
    count = count + 1
    list[count], at = json_value(text, at, depth)
    at = blank(text, at)
    local mark = byte(text, at)
    if mark == 93 then
      return list, at + 1
    elseif mark ~= 44 then
      expected("comma or array end", text, at)
    end
    at = blank(text, at + 1)
  end
end

local function json_object(text, at, depth)
  local object, key = {}, nil
  at = blank(text, at + 1)
  if byte(text, at) == 125 then
    return object, at + 1
  end
  while true do
    if byte(text, at) ~= 34 then
      expected("object key string", text, at)
    end
    key, at = json_string(text, at)
    at = blank(text, at)
    if byte(text, at) ~= 58 then
      expected("colon", text, at)
    end
    object[key], at = json_value(text, blank(text, at + 1), depth)
    at = blank(text, at)
    local mark = byte(text, at)
    if mark == 125 then
      return object, at + 1
    elseif mark ~= 44 then
      expected("comma or object end", text, at)
    end
    at = blank(text, at + 1)
  end
end

function json_value(text, at, depth)
  if depth > NESTED then
    error({ json = "Found too many nested data structures (" .. depth .. ")" }, 0)
  end
  local mark = sub(text, at, at)
  if mark == '"' then
    return json_string(text, at)
  elseif mark == "{" then
    return json_object(text, at, depth + 1)
  elseif mark == "[" then
    return json_array(text, at, depth + 1)
  end
  local word = WORDS[mark]
  if word and sub(text, at, at + #word[1] - 1) == word[1] then
    return word[2], at + #word[1]
  end
  local digits = match(text, "^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local number = digits and tonumber(digits)
  if not number then
    expected("value", text, at)
  end
  return number, at + #digits
end

local function json_document(text)
  local value, at = json_value(text, blank(text, 1), 0)
  at = blank(text, at)
  if at <= #text then
    expected("the end", text, at)
  end
  return value
end

-- The value, or nil and what is wrong.
function codec.decode(text)
  if type(text) ~= "string" then
    return nil, "bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")"
  end
  local ok, value = modules.guard.pcall(json_document, text)
  if ok then
    return value
  end
  return nil, type(value) == "table" and value.json or tostring(value)
end

local function quoted(text)
  return '"' .. gsub(text, '[%c"\\/]', function(mark)
    local named = ({ ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
      ["\r"] = "\\r", ["\t"] = "\\t", ["\127"] = "\\u007f" })[mark]
    return named or format("\\u%04x", byte(mark))
  end) .. '"'
end

local json_text

local function json_members(value, parts, depth)
  if next(value) ~= nil and libraries.lists.isarray(value) then
    for index = 1, #value do
      parts[#parts + 1] = index == 1 and "[" or ","
      json_text(value[index], parts, depth)
    end
    parts[#parts + 1] = "]"
    return
  end
  local first = true
  for key, item in pairs(value) do
    if type(key) ~= "string" and type(key) ~= "number" then
      error({ json = "Cannot serialise table: table key must be a number or string" }, 0)
    end
    parts[#parts + 1] = (first and "{" or ",") .. quoted(tostring(key)) .. ":"
    first = false
    json_text(item, parts, depth)
  end
  parts[#parts + 1] = first and "{}" or "}"
end

function json_text(value, parts, depth)
  local kind = type(value)
  if depth > NESTED then
    error({ json = "Cannot serialise, excessive depth (" .. depth .. ")" }, 0)
  elseif value == codec.null or kind == "nil" then
    parts[#parts + 1] = "null"
  elseif value == codec.empty_array then
    parts[#parts + 1] = "[]"
  elseif kind == "string" then
    parts[#parts + 1] = quoted(value)
  elseif kind == "boolean" then
    parts[#parts + 1] = tostring(value)
  elseif kind == "number" then
    if value ~= value or value == HUGE or value == -HUGE then
      error({ json = "Cannot serialise number: must not be NaN or Infinity" }, 0)
    end
    parts[#parts + 1] = format("%.14g", value)
  elseif kind == "table" then
    json_members(value, parts, depth + 1)
  else
    error({ json = "Cannot serialise " .. kind .. ": type not supported" }, 0)
  end
end

-- The text, or nil and what is wrong.
function codec.encode(value)
  local parts = {}
  local ok, problem = modules.guard.pcall(json_text, value, parts, 0)
  if ok then
    return concat(parts)
  end
  return nil, type(problem) == "table" and problem.json or tostring(problem)
end

codec.empty_array = libraries.protect("cjson.empty_array", {})

return codec
