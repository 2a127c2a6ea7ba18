-- The bounds of one call: time, memory, nesting. Everything here is ours; the function sees `pcall`, `xpcall` and the
-- coroutine functions made here, and none of them lets it catch the end of its own call.
--
-- Two things stop a function. A hook that runs every STEP instructions looks at the processor time; it cannot interrupt
-- one long call of a library function, so the process that started this one kills it when it is late.

local host = ...
local clock, sethook = os.clock, debug.sethook
local pcall, error, select, type, tonumber, sub = pcall, error, select, type, tonumber, string.sub
local create, resume, running = coroutine.create, coroutine.resume, coroutine.running
local status, yield = coroutine.status, coroutine.yield

local STEP = 1000 -- instructions
local DEEPEST = 100 -- protected calls, callbacks and coroutines in one another; half of what Lua 5.1 itself bears
local LONGEST = host.longest_detail -- bytes of an error's text
local MEMORY = "not enough memory" -- what both runtimes raise
local KILLED = {}

local guard = { inside = false, killed = false, depth = 0, stop_at = 0 }

local function hook()
  if guard.inside and (guard.killed or clock() > guard.stop_at) then
    guard.killed = guard.killed or "time"
    error(KILLED, 0)
  end
end

-- Ends the call from within, past every pcall of the function.
function guard.stop(reason)
  guard.killed = reason
  error(KILLED, 0)
end

local function enter()
  local depth = guard.depth
  if depth >= DEEPEST then
    error("C stack overflow", 0)
  end
  guard.depth = depth + 1
  return depth
end

local function left(depth, ok, ...)
  guard.depth = depth
  if guard.killed then
    error(KILLED, 0)
  end
  if not ok and ... == MEMORY then
    guard.stop("memory")
  end
  return ok, ...
end

local function restored(depth, ...)
  guard.depth = depth
  return ...
end

-- Calls what a library function would call back, which nests on the C stack.
function guard.nested(callee, ...)
  local depth = enter()
  return restored(depth, callee(...))
end

function guard.pcall(callee, ...)
  local depth = enter()
  return left(depth, pcall(callee, ...))
end

local function handled(handler, ok, ...)
  if ok then
    return true, ...
  end
  return false, select(2, guard.pcall(handler, ...))
end

-- The handler runs after the stack is unwound: there is no traceback to take here.
function guard.xpcall(callee, handler, ...)
  return handled(handler, guard.pcall(callee, ...))
end

local function body_of(name, callee)
  if type(callee) ~= "function" then
    error("bad argument #1 to '" .. name .. "' (function expected, got " .. type(callee) .. ")", 3)
  end
  local thread = create(callee)
  sethook(thread, hook, "", STEP) -- in Lua 5.1 each coroutine has its own
  return thread
end

local function resumed(thread, ...)
  local depth = enter()
  return left(depth, resume(thread, ...))
end

local function passed(ok, ...)
  if not ok then
    error(..., 0)
  end
  return ...
end

guard.coroutine = {
  create = function(callee)
    return body_of("create", callee)
  end,
  resume = resumed,
  running = running,
  status = status,
  wrap = function(callee)
    local thread = body_of("wrap", callee)
    return function(...)
      return passed(resumed(thread, ...))
    end
  end,
  yield = yield,
}

local function text(problem)
  if type(problem) == "string" or type(problem) == "number" then
    return sub(problem, 1, LONGEST)
  end
  return "(error object is a " .. type(problem) .. " value)"
end

local function outcome(ok, value)
  if guard.killed then
    return guard.killed
  elseif not ok then
    return value == MEMORY and "memory" or "raised", text(value)
  end
  local kind = type(value)
  local number = (kind == "number" or kind == "string") and tonumber(value)
  if number then
    return "number", number
  elseif kind == "string" then
    return "text"
  end
  return kind == "nil" and "nil" or "type", kind
end

-- The hook leaves alone what comes after the function.
local function alone(callee)
  local value = callee()
  guard.inside = false
  return value
end

-- Runs a function for so many seconds of processor time: the kind of its outcome, and a number or a text.
function guard.run(callee, seconds)
  guard.inside, guard.killed, guard.depth, guard.stop_at = true, false, 0, clock() + seconds
  sethook(hook, "", STEP)
  local ok, value = pcall(alone, callee)
  guard.inside = false
  sethook()
  local told, kind, detail = pcall(outcome, ok, value)
  if told then
    return kind, detail
  end
  return "memory" -- There was not even room for the text.
end

return guard
