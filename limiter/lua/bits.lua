-- The `bit` library where the runtime has none (Lua 5.1): signed 32-bit numbers, as LuaJIT's.

local jit_bits = rawget(_G, "bit")
if jit_bits then
  return jit_bits
end

local floor, select, format, sub = math.floor, select, string.format, string.sub

local function word(number)
  return floor(number + 0.5) % 4294967296
end

local function signed(number)
  return number >= 2147483648 and number - 4294967296 or number
end

-- `keep[x][y]`: the bit that comes of bits x and y.
local function folded(keep)
  return function(first, ...)
    local result = word(first)
    for index = 1, select("#", ...) do
      local left, right, place, sum = result, word((select(index, ...))), 1, 0
      for _ = 1, 32 do
        local x, y = left % 2, right % 2
        sum = sum + keep(x, y) * place
        left, right, place = (left - x) / 2, (right - y) / 2, place * 2
      end
      result = sum
    end
    return signed(result)
  end
end

local bits = {
  band = folded(function(x, y) return x * y end),
  bor = folded(function(x, y) return x + y > 0 and 1 or 0 end),
  bxor = folded(function(x, y) return (x + y) % 2 end),
}

function bits.tobit(number)
  return signed(word(number))
end

function bits.bnot(number)
  return signed(4294967295 - word(number))
end

function bits.lshift(number, count)
  return signed(word(number) * 2 ^ (count % 32) % 4294967296)
end

function bits.rshift(number, count)
  return signed(floor(word(number) / 2 ^ (count % 32)))
end

function bits.arshift(number, count)
  return floor(signed(word(number)) / 2 ^ (count % 32))
end

function bits.rol(number, count)
  local high = word(number) * 2 ^ (count % 32)
  return signed(high % 4294967296 + floor(high / 4294967296))
end

function bits.ror(number, count)
  return bits.rol(number, 32 - count % 32)
end

function bits.bswap(number)
  local value, swapped = word(number), 0
  for _ = 1, 4 do
    swapped = swapped * 256 + value % 256
    value = floor(value / 256)
  end
  return signed(swapped)
end

function bits.tohex(number, digits)
  digits = digits or 8
  local hex = format(digits < 0 and "%08X" or "%08x", word(number))
  return sub(hex, -math.min(math.abs(digits), 8))
end

return bits
