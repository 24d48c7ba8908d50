-- The value `bytes`: a buffer that grows where it is written to.
--
-- The content is one string, replaced at each change. Indexes begin at 1. What does not fit gives
-- false (writes), nothing (reads), or 0 (numbers of variable length), never an error.

local lib = ...

local env, integer = lib.env, lib.integer
local metatable_of, bad_argument, boxed = lib.metatable_of, lib.bad_argument, lib.boxed
local Bytes, DATA, TYPE = lib.Bytes, lib.DATA, lib.TYPE
local raw_type, setmetatable, select, tostring = type, setmetatable, select, tostring
local pack, unpack, sub, rep, char, byte =
  string.pack, string.unpack, string.sub, string.rep, string.char, string.byte

local BLOB <const> = 4
local MAX_SIZE <const> = 1 << 27
local CAPACITY = {}

local function new_bytes(data, kind, capacity)
  return setmetatable({ [DATA] = data, [TYPE] = kind, [CAPACITY] = capacity or #data }, Bytes)
end
lib.new_bytes = new_bytes

local bytes = setmetatable({}, {
  __call = function(_, ...)
    local given = select("#", ...)
    if given == 0 then
      return new_bytes("", BLOB)
    elseif given == 1 then
      return new_bytes("", BLOB, integer(..., 0, 1, "bytes"))
    end
  end,
})
env.bytes = bytes

local function check(self, name)
  if metatable_of(self) ~= Bytes then
    bad_argument(1, name, boxed(self) and "Bytes" or "userdata", self, 3)
  end
end

local function write(self, index, data)
  local old, last = self[DATA], index - 1 + #data
  if index < 1 or last > MAX_SIZE then
    return false
  end
  if index > #old + 1 then
    old = old .. rep("\0", index - 1 - #old)
  end
  self[DATA] = sub(old, 1, index - 1) .. data .. sub(old, last + 1)
  return true
end

-- ----------------------------------------------------------------- numbers

local function number_functions(name, code, size, low, high)
  local function fits(value)
    return low == nil or (value >= low and value <= high)
  end

  bytes["get_" .. name] = function(self, index, ...)
    check(self, "get_" .. name)
    index = integer(index, 0, 2, "get_" .. name)
    if select("#", ...) == 0 and index >= 1 and index - 1 + size <= #self[DATA] then
      return (unpack(code, self[DATA], index))
    end
  end

  bytes["set_" .. name] = function(self, index, value, ...)
    check(self, "set_" .. name)
    index = integer(index, 0, 2, "set_" .. name)
    value = integer(value, nil, 3, "set_" .. name)
    if value == nil or select("#", ...) > 0 or not fits(value) then
      return false
    end
    return write(self, index, pack(code, value))
  end

  bytes["append_" .. name] = function(self, value, ...)
    check(self, "append_" .. name)
    value = integer(value, nil, 2, "append_" .. name)
    if value == nil or select("#", ...) > 0 or not fits(value) then
      return false
    end
    return write(self, #self[DATA] + 1, pack(code, value))
  end
end

number_functions("byte", "B", 1, 0, 255)
for _, kind in ipairs({ { "int16", "i2", 2 }, { "int32", "i4", 4 }, { "int64", "i8", 8 } }) do
  local name, code, size = kind[1], kind[2], kind[3]
  local high = size < 8 and (1 << (8 * size - 1)) - 1 or nil
  local low = high and -high - 1
  number_functions(name, ">" .. code, size, low, high)
  number_functions(name .. "_be", ">" .. code, size, low, high)
  number_functions(name .. "_le", "<" .. code, size, low, high)
end

-- --------------------------------------------- numbers of variable length

local function variable(value)
  if value < -0x80000000 or value > 0x7fffffff then
    return ""
  end
  local rest, data = value & 0xffffffff, ""
  while rest >= 0x80 do
    data = data .. char(rest & 0x7f | 0x80)
    rest = rest >> 7
  end
  return data .. char(rest)
end

-- These two write no further than the buffer's present size: they do not make it longer.
function bytes.set_var_int(self, index, value)
  check(self, "set_var_int")
  index = integer(index, 0, 2, "set_var_int")
  local data = variable(integer(value, 0, 3, "set_var_int"))
  if index < 1 or index > MAX_SIZE then
    return 0
  end
  local room = #self[DATA] - index + 1
  if room > 0 then
    write(self, index, sub(data, 1, room))
  end
  return #data
end

function bytes.append_var_int(self, value)
  check(self, "append_var_int")
  return #variable(integer(value, 0, 2, "append_var_int"))
end

-- The value and the number of bytes it takes.
function bytes.get_var_int(self, index)
  check(self, "get_var_int")
  index = integer(index, 0, 2, "get_var_int")
  if index < 1 then
    return nil
  end
  local value, shift, size = 0, 0, 0
  while shift < 35 do
    local part = byte(self[DATA], index + size)
    if part == nil then
      return 0, 0
    end
    value, shift, size = value | (part & 0x7f) << shift, shift + 7, size + 1
    if part < 0x80 then
      return value & 0xffffffff, size
    end
  end
  return 0, 0
end

-- ------------------------------------------------------- strings and bytes

function bytes.get_string(self, index, size)
  check(self, "get_string")
  index = integer(index, 0, 2, "get_string")
  size = integer(size, -1, 3, "get_string")
  if index >= 1 and size >= 0 then
    return sub(self[DATA], index, index + size - 1)
  end
end

function bytes.get_bytes(self, index, size)
  local data = bytes.get_string(self, index, size)
  return data and new_bytes(data, BLOB)
end

function bytes.set_string(self, index, text)
  check(self, "set_string")
  index = integer(index, 0, 2, "set_string")
  return raw_type(text) == "string" and write(self, index, text)
end

function bytes.append_string(self, text)
  check(self, "append_string")
  return raw_type(text) == "string" and text ~= "" and write(self, #self[DATA] + 1, text)
end

function bytes.set_bytes(self, index, other, size)
  check(self, "set_bytes")
  check(other, "set_bytes")
  index = integer(index, 0, 2, "set_bytes")
  size = integer(size, -1, 4, "set_bytes")
  return size >= 0 and size <= #other[DATA] and write(self, index, sub(other[DATA], 1, size))
end

function bytes.append_bytes(self, other, size)
  check(self, "append_bytes")
  check(other, "append_bytes")
  size = integer(size, -1, 3, "append_bytes")
  return size >= 0 and write(self, #self[DATA] + 1, sub(other[DATA], 1, size))
end

-- ------------------------------------------------------------ size and type

-- The operator # gives two arguments to what it calls, and so 0.
function bytes.size(self, ...)
  check(self, "size")
  return select("#", ...) == 0 and #self[DATA] or 0
end

-- Whether there is room for so many; it makes none.
function bytes.set_size(self, size)
  check(self, "set_size")
  size = integer(size, 0, 2, "set_size")
  local room = self[CAPACITY] > #self[DATA] and self[CAPACITY] or #self[DATA]
  return size >= 0 and size <= room
end

function bytes.get_type(self)
  check(self, "get_type")
  return self[TYPE]
end

function bytes.set_type(self, kind)
  check(self, "set_type")
  kind = integer(kind, 0, 2, "set_type")
  if kind <= 0 or kind > 255 then
    return false
  end
  self[TYPE] = kind
  return true
end

bytes.tostring = tostring
Bytes.__index = bytes.get_byte
Bytes.__newindex = bytes.set_byte
Bytes.__len = bytes.size
