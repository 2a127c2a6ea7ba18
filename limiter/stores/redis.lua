#!lua
-- The arithmetic of limiter/counters.py inside Redis: a twin, so keep both in step; one property test drives them with
-- the same histories. Instants and durations are milliseconds, amounts whole numbers of at most 2^53.
--
-- KEYS[1] holds by the end of their lease (sorted set of KEYS[3]s) · KEYS[2] what is remembered of the call's id ·
-- KEYS[3] what reaping the call's hold releases · from KEYS[4] on counters. Renewals: KEYS[1] and then holds.
-- ARGV[1] the request in MessagePack, see redis_script.py. All keys of a call lie in one slot, and so do those of the
-- holds that it reaps, which it does not know beforehand.
--
-- Nothing is written before everything was read and found to be sound: a script is not undone when it fails half way.

local LARGEST = 9007199254740992 -- 2^53: Lua's numbers are not exact beyond
local REAPED_AT_ONCE = 1000 -- holds; a few milliseconds. What is more is reaped by the calls that follow

local step, clock, remembered, lease, items = unpack(cmsgpack.unpack(ARGV[1]))
local HOLDS, ID, HOLD = KEYS[1], KEYS[2], KEYS[3]
-- The places of a charge's fields.
local KEY, PREVIOUS, ROOM, LIMIT, TAKE, TTL, EXPIRES_AT, START, SIZE, HELD, KEEP, PENALTY, BLOCKS, CAPPED, UNTIL =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

local now = clock
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whole numbers as text; Lua's own form of large ones has an exponent.
local function text(number)
  return string.format('%.0f', number)
end

-- The live counters that this call has met, as it leaves them; false: none. `stored` is the value in Redis.
local counters = {}

local function find(key)
  local known = counters[key]
  if known ~= nil then return known end
  local value = redis.call('GET', key)
  local counter = false
  if value then
    local ends = redis.call('PEXPIRETIME', key)
    local number = string.find(value, '^-?%d+$') and tonumber(value)
    if not number or text(number) ~= value or math.abs(number) > LARGEST then
      -- The key is not named: it may contain what is nobody else's business.
      error({err = 'NOTCOUNTER a key holds something else than a whole number of at most 2^53'})
    end
    if ends == -1 then
      counter = {value = number, endless = true}
    elseif ends > now then
      counter = {value = number, ends = ends}
    end
    if counter then counter.stored = counter.value end
  end
  counters[key] = counter
  return counter
end

local function ending(charge)
  return charge[EXPIRES_AT] > 0 and charge[EXPIRES_AT] or now + charge[TTL]
end

-- The counter of a charge. One that some other program has left without an end gets one: it would refuse for ever. And
-- one that it lets end too early lives on. A charge that knows of no end only looks.
local function of(charge)
  local key = KEYS[charge[KEY]]
  local counter = find(key)
  if counter and counter.endless and charge[EXPIRES_AT] == 0 and charge[TTL] == 0 then return counter end
  if counter and counter.endless then
    counter.endless, counter.ends, counter.mended = nil, ending(charge), true
    if counter.ends <= now then
      redis.call('DEL', key)
      counter = false
      counters[key] = counter
    end
  elseif counter and counter.ends < charge[UNTIL] then
    counter.ends, counter.mended = charge[UNTIL], true
  end
  return counter
end

-- Adds `amount` in place of `booked`. In this order no step leaves the exact numbers unless the sum does.
local function book(charge, amount, booked)
  local counter = of(charge)
  if counter then
    local before = counter.value - booked
    counter.value = before + amount
    -- 2^53 + 1 would round to 2^53.
    counter.rounded = counter.rounded or counter.value - amount ~= before
  elseif ending(charge) > now then
    counters[KEYS[charge[KEY]]] = {value = amount, ends = ending(charge)}
  end
end

-- Forgets what was booked since the last write.
local function forget()
  for key, counter in pairs(counters) do
    if counter then
      if counter.stored then
        counter.value, counter.rounded = counter.stored, nil
      else
        counters[key] = false
      end
    end
  end
end

local function write()
  for _, counter in pairs(counters) do
    if counter and (counter.rounded or math.abs(counter.value) > LARGEST) then
      error({err = 'OVERFLOW a counter would pass 2^53'})
    end
  end
  for key, counter in pairs(counters) do
    if counter then
      if not counter.stored then
        redis.call('SET', key, text(counter.value), 'PXAT', text(counter.ends))
      elseif counter.value ~= counter.stored then
        redis.call('SET', key, text(counter.value), 'KEEPTTL')
      end
      if counter.mended then
        redis.call('PEXPIREAT', key, text(counter.ends))
        counter.mended = nil
      end
      counter.stored = counter.value
    end
  end
end

-- ceil(count × part / size) for 0 ≤ part ≤ size < 2^41, without ever leaving the numbers that are exact.
local function share(count, part, size)
  local whole = math.floor(count / size)
  local rest = count - whole * size
  local quotient, remainder
  if rest * part < LARGEST then
    quotient = math.floor(rest * part / size)
    remainder = rest * part - quotient * size
  else
    -- Long multiplication, `part` in digits of 11 bits.
    quotient, remainder = 0, 0
    for power = 33, 0, -11 do
      local digit = math.floor(part / 2 ^ power) % 2048
      local partial = remainder * 2048 + rest * digit
      local carried = math.floor(partial / size)
      quotient = quotient * 2048 + carried
      remainder = partial - carried * size
    end
  end
  return whole * part + quotient + (remainder > 0 and 1 or 0)
end

local function overlap(previous, charge)
  local size = charge[SIZE]
  local remaining = size - math.min(math.max(now - charge[START], 0), size)
  return share(previous, remaining, size)
end

-- What is remembered of the id: whether it was settled, and the answer to its acquire.
local function recall()
  local known = redis.call('GET', ID)
  if not known or redis.call('PEXPIRETIME', ID) <= now then return false, nil end
  return string.sub(known, 1, 1) == '1', #known > 1 and string.sub(known, 2) or nil
end

local function remember(settled, answer)
  redis.call('SET', ID, (settled and '1' or '0') .. (answer or ''), 'PXAT', text(now + remembered))
end

local function reap()
  local due = redis.call('ZRANGEBYSCORE', HOLDS, '-inf', text(now), 'LIMIT', 0, REAPED_AT_ONCE)
  if #due == 0 then return end
  for _, hold in ipairs(due) do
    local releases = redis.call('GET', hold)
    if releases then
      releases = cmsgpack.unpack(releases)
      for place = 1, #releases, 3 do
        local key, amount, anchor = releases[place], releases[place + 1], releases[place + 2]
        -- What is no counter any more is passed over, or it would keep all others from being served.
        local sound, counter = pcall(find, key)
        local same = sound and counter and (anchor == 0 or counter.ends == anchor)
        if same and counter.value - amount >= -LARGEST then counter.value = counter.value - amount end
      end
    end
  end
  write()
  for _, hold in ipairs(due) do
    redis.call('DEL', hold)
    redis.call('ZREM', HOLDS, hold)
  end
end

-- Puts what reaping would take back under a lease. It is kept no longer than the counters that it is about.
local function hold(answer)
  local releases, ends = {}, now + lease
  for place, charge in ipairs(items) do
    local ending_read = answer[2 + 5 * place - 1]
    if charge[HELD] and charge[TAKE] > charge[KEEP] and ending_read > 0 then
      local key = KEYS[charge[KEY]]
      table.insert(releases, key)
      table.insert(releases, charge[TAKE] - charge[KEEP])
      table.insert(releases, charge[EXPIRES_AT] > 0 and 0 or ending_read)
      ends = math.max(ends, counters[key] and counters[key].ends or 0)
    end
  end
  if #releases == 0 then return end
  redis.call('SET', HOLD, cmsgpack.pack(releases), 'PXAT', text(ends))
  redis.call('ZADD', HOLDS, text(now + lease), HOLD)
  if redis.call('PEXPIRETIME', HOLDS) < ends then redis.call('PEXPIREAT', HOLDS, text(ends)) end
end

-- Answers: admitted, now, and for each charge current, previous, used, expires_at, fits.
local function acquire()
  reap()
  if #items == 0 then return cmsgpack.pack({true, now}) end
  local settled, known = recall()
  if known then return known end
  local admitted = true
  local answer = {true, now}
  for _, charge in ipairs(items) do
    local counter = of(charge)
    local current, previous = counter and counter.value or 0, 0
    local used = current
    local before = charge[PREVIOUS] > 0 and find(KEYS[charge[PREVIOUS]])
    if before then
      previous = before.value
      used = used + overlap(previous, charge)
    end
    local fits = used <= charge[ROOM] or not charge[BLOCKS]
    local ends = charge[EXPIRES_AT] > 0 and charge[EXPIRES_AT] or counter and counter.ends or 0
    local last = #answer
    answer[last + 1], answer[last + 2], answer[last + 3], answer[last + 4], answer[last + 5] =
      current, previous, used, ends, fits
    admitted = admitted and fits
    if charge[TAKE] ~= 0 then book(charge, charge[TAKE], 0) end
  end
  if not admitted then
    answer[1] = false
    forget()
    for _, charge in ipairs(items) do
      if charge[PENALTY] ~= 0 then book(charge, charge[PENALTY], 0) end
    end
  end
  for place, charge in ipairs(items) do
    if charge[EXPIRES_AT] == 0 then
      local counter = of(charge)
      answer[2 + 5 * place - 1] = counter and counter.ends or 0
    end
  end
  write()
  if admitted then hold(answer) end
  local reply = cmsgpack.pack(answer)
  remember(settled, reply)
  return reply
end

local function correct()
  local held = redis.call('EXISTS', HOLD) == 1
  for _, correction in ipairs(items) do
    local charge, actual, anchor = unpack(correction)
    local counter = of(charge)
    if not (counter and charge[CAPPED] and counter.value > charge[LIMIT]) then
      local booked = 0
      if counter and (charge[EXPIRES_AT] > 0 or counter.ends == anchor) then
        booked = charge[TAKE]
        if charge[HELD] and not held then booked = math.min(charge[KEEP], booked) end
      end
      if actual ~= booked or (not counter and charge[CAPPED]) then book(charge, actual, booked) end
    end
  end
  write()
  if held then
    redis.call('DEL', HOLD)
    redis.call('ZREM', HOLDS, HOLD)
  end
end

local function settle()
  local settled, known = recall()
  if settled then return end
  correct()
  remember(true, known)
end

-- Takes an acquire back as if it had never been asked for; nothing if it was not admitted, or was taken back already.
local function undo()
  local settled, known = recall()
  if settled or not known or not cmsgpack.unpack(known)[1] then return end
  correct()
  redis.call('DEL', ID)
end

local function renew()
  for place = 2, #KEYS do
    redis.call('ZADD', HOLDS, 'XX', text(now + lease), KEYS[place])
  end
end

if step == 'acquire' then return acquire() end
if step == 'settle' then settle() end
if step == 'undo' then undo() end
if step == 'renew' then renew() end
return redis.status_reply('OK')
