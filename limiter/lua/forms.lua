-- Names and values in queries, forms and multipart bodies, and paths in their normal form.

local ipairs, pairs, tonumber, tostring, type = ipairs, pairs, tonumber, tostring, type
local byte, char, find, format = string.byte, string.char, string.find, string.format
local gmatch, gsub = string.gmatch, string.gsub
local lower, match, sub, upper, concat = string.lower, string.match, string.sub, string.upper, table.concat

local forms = {}

function forms.unescape(text)
  return (gsub(gsub(text, "%+", " "), "%%(%x%x)", function(hex)
    return char(tonumber(hex, 16))
  end))
end

function forms.escape(text)
  return (gsub(text, "[^%w%-%._~]", function(mark)
    return format("%%%02X", byte(mark))
  end))
end

-- Adds a value to what is there under its name: a second one makes an array.
local function add(values, name, value)
  local before = values[name]
  if before == nil then
    values[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    values[name] = { before, value }
  end
end
forms.add = add

-- At most `most` arguments; one without `=` is true.
function forms.arguments(query, most)
  local values, count = {}, 0
  for part in gmatch(query, "[^&]+") do
    if count >= most then
      break
    end
    local at = find(part, "=", 1, true)
    local name = forms.unescape(at and sub(part, 1, at - 1) or part)
    if name ~= "" then
      count = count + 1
      add(values, name, at == nil or forms.unescape(sub(part, at + 1)))
    end
  end
  return values
end

function forms.query(values)
  local parts = {}
  for name, value in pairs(values) do
    for _, item in ipairs(type(value) == "table" and value or { value }) do
      if item == true then
        parts[#parts + 1] = forms.escape(tostring(name))
      elseif item ~= false then
        parts[#parts + 1] = forms.escape(tostring(name)) .. "=" .. forms.escape(tostring(item))
      end
    end
  end
  return concat(parts, "&")
end

-- Names and contents of the parts of a multipart body; nil when it is none.
function forms.multipart(body, content_type)
  local boundary = match(content_type, 'boundary="([^"]+)"') or match(content_type, "boundary=([^;%s]+)")
  local _, at = find(body, "--" .. (boundary or ""), 1, true)
  if not boundary or not at then
    return nil
  end
  local values, mark = {}, "\r\n--" .. boundary
  while sub(body, at + 1, at + 2) == "\r\n" do
    local first, last = find(body, mark, at + 1, true)
    local part = first and sub(body, at + 1, first - 1)
    local _, head = find(part or "", "\r\n\r\n", 1, true)
    if not head then
      return nil
    end
    for line in gmatch(sub(part, 1, head), "[^\r\n]+") do
      local name = match(lower(line), "^content%-disposition:") and match(line, '[;%s]name="([^"]*)"')
      if name then
        add(values, name, sub(part, head + 1))
      end
    end
    at = last
  end
  return sub(body, at + 1, at + 2) == "--" and values or nil
end

local RESERVED = {}
for mark in gmatch("!*'();:@&=+$,/?%#[]", ".") do
  RESERVED[byte(mark)] = true
end

-- Escapes of what is not reserved undone, dot segments followed, slashes one at a time.
function forms.path(raw)
  local path = gsub(raw, "%%(%x%x)", function(hex)
    local code = tonumber(hex, 16)
    return RESERVED[code] and upper("%" .. hex) or char(code)
  end)
  if byte(path) ~= 47 then
    return path
  end
  local segments, ends = {}, false
  for segment in gmatch(path, "/+([^/]*)") do
    ends = segment == "" or segment == "." or segment == ".."
    if segment == ".." then
      segments[#segments] = nil
    elseif not ends then
      segments[#segments + 1] = "/" .. segment
    end
  end
  return concat(segments) .. (ends and "/" or "")
end

return forms
