-- `ngx.re`. The expressions are those of Python's `re`, which agree with PCRE but for \K, recursion and a few escapes.

local host = ...
local type, tostring, select, tonumber = type, tostring, select, tonumber
local gsub, sub, concat, huge = string.gsub, string.sub, table.concat, math.huge

-- A match as ngx.re gives it: groups by number from 0, named ones by name too, false for what took no part; and where
-- it began and ended, 0-based as in slices.
local function captured(subject, names, ...)
  local groups = {}
  for index = 1, select("#", ...), 2 do
    local first, last = select(index, ...)
    groups[(index - 1) / 2] = first >= 0 and sub(subject, first + 1, last)
  end
  for name, number in string.gmatch(names, "([^=,]+)=(%d+)") do
    groups[name] = groups[tonumber(number)]
  end
  local first, last = ...
  return groups, first, last
end

local function search(subject, pattern, options, from)
  local function told(state, ...)
    if state == "match" then
      return captured(subject, ...)
    end
    return nil, state == "error" and ... or nil
  end
  return told(host.search(pattern, options or "", subject, from))
end

local re = {}

function re.match(subject, pattern, options, context)
  subject = tostring(subject)
  local groups, first, last = search(subject, pattern, options, context and context.pos and context.pos - 1 or 0)
  if groups and context then
    context.pos = last + 1
  end
  return groups, not groups and first or nil
end

-- Where the match, or one of its groups, lies.
function re.find(subject, pattern, options, context, group)
  subject = tostring(subject)
  local from = context and context.pos and context.pos - 1 or 0
  local answer = { host.search(pattern, options or "", subject, from) }
  if answer[1] ~= "match" then
    return nil, nil, answer[2]
  end
  if context then
    context.pos = answer[4] + 1
  end
  local first, last = answer[3 + 2 * (group or 0)], answer[4 + 2 * (group or 0)]
  if first and first >= 0 then
    return first + 1, last
  end
  return nil
end

function re.gmatch(subject, pattern, options)
  subject = tostring(subject)
  local from = 0
  return function()
    if from > #subject then
      return nil
    end
    local groups, first, last = search(subject, pattern, options, from)
    from = groups and (last > first and last or last + 1) or #subject + 1
    return groups, not groups and first or nil
  end
end

-- `$1`, `${1}` and `$$` of a replacement.
local function filled(replacement, groups)
  local text = gsub(replacement, "%$(%$?)({?)(%d*)(}?)", function(dollar, _, number)
    return dollar == "$" and "$" .. number or groups[tonumber(number)] or ""
  end)
  return text
end

local function replaced(subject, pattern, replacement, options, most)
  subject = tostring(subject)
  local parts, from, copied, count = {}, 0, 0, 0
  while count < most and from <= #subject do
    local groups, first, last = search(subject, pattern, options, from)
    if not groups then
      if first then
        return nil, nil, first
      end
      break
    end
    parts[#parts + 1] = sub(subject, copied + 1, first)
    parts[#parts + 1] = type(replacement) == "function" and tostring(replacement(groups)) or filled(replacement, groups)
    copied, count = last, count + 1
    from = last > first and last or last + 1
  end
  parts[#parts + 1] = sub(subject, copied + 1)
  return concat(parts), count
end

function re.sub(subject, pattern, replacement, options)
  return replaced(subject, pattern, replacement, options, 1)
end

function re.gsub(subject, pattern, replacement, options)
  return replaced(subject, pattern, replacement, options, huge)
end

return re
