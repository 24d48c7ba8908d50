-- Values to and from the bytes of the wire: particles, and the msgpack of lists and maps.
--
-- A string, blob or GeoJSON inside msgpack begins with its particle type byte. A container's flags
-- are an extension of no bytes: the first element of a list, the first key (with nil) of a map.

local lib = ...

local new_list, new_map, new_bytes = lib.new_list, lib.new_map, lib.new_bytes
local new_geojson, bytes_token, sorted_keys = lib.new_geojson, lib.bytes_token, lib.sorted_keys
local List, Map, Bytes, Geojson, NIL = lib.List, lib.Map, lib.Bytes, lib.Geojson, lib.NIL
local ITEMS, COUNT, FLAGS, VALUES = lib.ITEMS, lib.COUNT, lib.FLAGS, lib.VALUES
local DATA, TYPE = lib.DATA, lib.TYPE
local metatable_of = lib.metatable_of
local raw_type, math_type, error, pcall = type, math.type, error, pcall
local byte, char, sub, concat = string.byte, string.char, string.sub, table.concat
local pack, unpack = string.pack, string.unpack

local MAX_DEPTH <const> = 128 -- containers within containers; the interpreter's own limit is 200

local INTEGER <const>, DOUBLE <const>, STRING <const>, BLOB <const> = 1, 2, 3, 4
local BOOL <const>, MAP <const>, LIST <const>, GEOJSON <const> = 17, 19, 20, 23

-- ---------------------------------------------------------------- decoding

local decode

local function typed(text)
  local kind = byte(text, 1)
  if kind == STRING then
    return sub(text, 2)
  elseif kind == GEOJSON then
    return new_geojson(sub(text, 2))
  elseif kind ~= nil and kind < 32 then
    return new_bytes(sub(text, 2), kind)
  end
  return text
end

-- The flags at `position` and what follows them; nil when there are none.
local function flags_at(data, position)
  local first, second, third = byte(data, position, position + 2)
  if first == 0xc7 and second == 0 then
    return third, position + 3
  end
end

local function decode_list(data, position, count, depth)
  if depth > MAX_DEPTH or count > #data then
    error("not a list", 0)
  end
  local flags, after = flags_at(data, position)
  if flags and count > 0 then
    position, count = after, count - 1
  end
  local items = {}
  for index = 1, count do
    items[index], position = decode(data, position, depth + 1)
  end
  return new_list(items, count, flags), position
end

local function decode_map(data, position, count, depth)
  if depth > MAX_DEPTH or count > #data then
    error("not a map", 0)
  end
  local flags, after = flags_at(data, position)
  if flags and count > 0 then
    position, count = after + 1, count - 1
  end
  local values, found = {}, 0
  for _ = 1, count do
    local key, value
    key, position = decode(data, position, depth + 1)
    value, position = decode(data, position, depth + 1)
    if raw_type(key) == "table" and metatable_of(key) == Bytes then
      key = bytes_token(key[DATA], key[TYPE])
    elseif raw_type(key) ~= "number" and raw_type(key) ~= "string" or key ~= key then
      error("not a key", 0)
    end
    if values[key] == nil then
      found = found + 1
    end
    values[key] = value == nil and NIL or value
  end
  return new_map(values, found, flags), position
end

local NUMBERS = {
  [0xca] = ">f", [0xcb] = ">d", [0xcc] = ">I1", [0xcd] = ">I2", [0xce] = ">I4", [0xcf] = ">i8",
  [0xd0] = ">i1", [0xd1] = ">i2", [0xd2] = ">i4", [0xd3] = ">i8",
}
local TEXTS = {
  [0xc4] = ">s1", [0xc5] = ">s2", [0xc6] = ">s4", [0xd9] = ">s1", [0xda] = ">s2", [0xdb] = ">s4",
}

-- The value at `position` and the position behind it. An error for what is no value.
function decode(data, position, depth)
  local tag = byte(data, position)
  if tag == nil then
    error("cut off", 0)
  elseif tag < 0x80 then
    return tag, position + 1
  elseif tag < 0x90 then
    return decode_map(data, position + 1, tag - 0x80, depth)
  elseif tag < 0xa0 then
    return decode_list(data, position + 1, tag - 0x90, depth)
  elseif tag < 0xc0 then
    local last = position + tag - 0xa0
    if last > #data then
      error("cut off", 0)
    end
    return typed(sub(data, position + 1, last)), last + 1
  elseif tag >= 0xe0 then
    return tag - 0x100, position + 1
  elseif NUMBERS[tag] then
    return unpack(NUMBERS[tag], data, position + 1)
  elseif TEXTS[tag] then
    local text, after = unpack(TEXTS[tag], data, position + 1)
    return typed(text), after
  elseif tag == 0xc0 then
    return nil, position + 1
  elseif tag == 0xc2 or tag == 0xc3 then
    return tag == 0xc3, position + 1
  elseif tag == 0xdc or tag == 0xdd then
    local count, after = unpack(tag == 0xdc and ">I2" or ">I4", data, position + 1)
    return decode_list(data, after, count, depth)
  elseif tag == 0xde or tag == 0xdf then
    local count, after = unpack(tag == 0xde and ">I2" or ">I4", data, position + 1)
    return decode_map(data, after, count, depth)
  end
  error("not a value", 0)
end

-- The arguments of a call, as table and count; none when the bytes are not one list of values.
function lib.arguments(data)
  if data == "\x90" then
    return {}, 0
  end
  local ok, value, after = pcall(decode, data, 1, 0)
  if ok and raw_type(value) == "table" and metatable_of(value) == List and after == #data + 1 then
    return value[ITEMS], value[COUNT]
  end
  return {}, 0
end

-- The value of a particle as a record holds it.
function lib.from_particle(kind, data)
  if kind == INTEGER then
    return (unpack(">i8", data))
  elseif kind == STRING then
    return data
  elseif kind == DOUBLE then
    return (unpack(">d", data))
  elseif kind == BOOL then
    return data == "\1"
  elseif kind == LIST or kind == MAP then
    return (decode(data, 1, 0))
  elseif kind == GEOJSON then
    return new_geojson(sub(data, 4 + 8 * unpack(">I2", data, 2)))
  end
  return new_bytes(data, kind)
end

-- ---------------------------------------------------------------- encoding

local encode

local function header(count, short, mark16)
  if count < 16 then
    return char(short + count)
  elseif count < 0x10000 then
    return pack(">BI2", mark16, count)
  end
  return pack(">BI4", mark16 + 1, count)
end

local function encode_text(kind, text)
  local size = #text + 1
  if size < 32 then
    return char(0xa0 + size, kind) .. text
  elseif size < 0x100 then
    return char(0xd9, size, kind) .. text
  elseif size < 0x10000 then
    return pack(">BI2B", 0xda, size, kind) .. text
  end
  return pack(">BI4B", 0xdb, size, kind) .. text
end

local function encode_integer(number)
  if number >= 0 then
    if number < 0x80 then
      return char(number)
    elseif number < 0x100 then
      return char(0xcc, number)
    elseif number < 0x10000 then
      return pack(">BI2", 0xcd, number)
    elseif number < 0x100000000 then
      return pack(">BI4", 0xce, number)
    end
    return pack(">Bi8", 0xcf, number)
  elseif number >= -32 then
    return char(number + 0x100)
  elseif number >= -0x80 then
    return pack(">Bi1", 0xd0, number)
  elseif number >= -0x8000 then
    return pack(">Bi2", 0xd1, number)
  elseif number >= -0x80000000 then
    return pack(">Bi4", 0xd2, number)
  end
  return pack(">Bi8", 0xd3, number)
end

local function encode_list(value, parts, n, depth)
  local items, count, flags = value[ITEMS], value[COUNT], value[FLAGS]
  if flags then
    n = n + 2
    parts[n - 1], parts[n] = header(count + 1, 0x90, 0xdc), "\xc7\0" .. char(flags)
  else
    n = n + 1
    parts[n] = header(count, 0x90, 0xdc)
  end
  for index = 1, count do
    n = encode(items[index], parts, n, depth)
  end
  return n
end

local function encode_map(value, parts, n, depth)
  local keys, count = sorted_keys(value)
  local values, flags = value[VALUES], value[FLAGS]
  if flags then
    n = n + 2
    parts[n - 1], parts[n] = header(count + 1, 0x80, 0xde), "\xc7\0" .. char(flags) .. "\xc0"
  else
    n = n + 1
    parts[n] = header(count, 0x80, 0xde)
  end
  for index = 1, count do
    local key = keys[index]
    n = n + 1
    if raw_type(key) == "string" then
      parts[n] = encode_text(STRING, key)
    elseif math_type(key) == "integer" then
      parts[n] = encode_integer(key)
    elseif raw_type(key) == "table" then
      parts[n] = encode_text(key[TYPE], key[DATA])
    else
      error("a stored map has no keys of type " .. (math_type(key) or raw_type(key)), 0)
    end
    n = encode(values[key], parts, n, depth)
  end
  return n
end

-- Appends the bytes of `value` to the `n` parts; how many there are then.
function encode(value, parts, n, depth)
  local kind = raw_type(value)
  if kind == "string" then
    parts[n + 1] = encode_text(STRING, value)
  elseif kind == "number" then
    parts[n + 1] = math_type(value) == "integer" and encode_integer(value)
      or pack(">Bd", 0xcb, value)
  elseif value == nil or value == NIL then
    parts[n + 1] = "\xc0"
  elseif kind == "boolean" then
    parts[n + 1] = value and "\xc3" or "\xc2"
  elseif depth > MAX_DEPTH then
    error("nested too deeply", 0)
  else
    local metatable = metatable_of(value)
    if metatable == List then
      return encode_list(value, parts, n, depth + 1)
    elseif metatable == Map then
      return encode_map(value, parts, n, depth + 1)
    end
    parts[n + 1] = encode_text(metatable == Geojson and GEOJSON or value[TYPE], value[DATA])
  end
  return n + 1
end

-- The msgpack of a value.
function lib.pack(value)
  local parts = {}
  return concat(parts, "", 1, encode(value, parts, 0, 0))
end
local pack_value = lib.pack

-- Particle type and data; 0 and nothing for nil and for what has no wire form.
function lib.to_particle(value)
  local kind = math_type(value)
  if kind == "integer" then
    return INTEGER, pack(">i8", value)
  elseif kind == "float" then
    return DOUBLE, pack(">d", value)
  end
  kind = raw_type(value)
  if kind == "string" then
    return STRING, value
  elseif kind == "boolean" then
    return BOOL, value and "\1" or "\0"
  elseif kind == "table" then
    local metatable = metatable_of(value)
    if metatable == List then
      return LIST, pack_value(value)
    elseif metatable == Map then
      return MAP, pack_value(value)
    elseif metatable == Bytes then
      return value[TYPE], value[DATA]
    elseif metatable == Geojson then
      return GEOJSON, "\0\0\0" .. value[DATA]
    end
  end
  return 0, ""
end
