-- The database's values: list, map, bytes, geojson.
--
-- A value is a box: a table that keeps its content under private keys, with a metatable that makes
-- it behave as the documentation says. To users' code its type is "userdata".

local lib = ...

local env, boxes, integer = lib.env, lib.boxes, lib.integer
local metatable_of, bad_argument = lib.metatable_of, lib.bad_argument
local boxed = lib.boxed
local raw_type, setmetatable, select, next = type, setmetatable, select, next
local move, concat, sort = table.move, table.concat, table.sort
local format, gsub, byte, sub = string.format, string.gsub, string.byte, string.sub
local math_type = math.type

local MAX_ITEMS <const> = 1 << 23 -- an index beyond grows no list

local ITEMS, COUNT, FLAGS, VALUES, DATA, TYPE = {}, {}, {}, {}, {}, {}
local NIL = {} -- a nil inside a map

local function class(name)
  local metatable = { __name = name, __metatable = {} }
  boxes[metatable] = name
  env[name] = metatable.__metatable
  return metatable
end

local List, Map, Bytes, Geojson = class("List"), class("Map"), class("Bytes"), class("GeoJSON")

lib.List, lib.Map, lib.Bytes, lib.Geojson, lib.NIL = List, Map, Bytes, Geojson, NIL
lib.ITEMS, lib.COUNT, lib.FLAGS, lib.VALUES = ITEMS, COUNT, FLAGS, VALUES
lib.DATA, lib.TYPE = DATA, TYPE

local function check(value, metatable, index, name)
  if metatable_of(value) ~= metatable then
    local expected = boxed(value) and boxes[metatable] or "userdata"
    bad_argument(index, name, expected, value, 3)
  end
end

-- What may be in a list, a map or a bin.
local STORED = { ["nil"] = true, boolean = true, number = true, string = true }
local function storable(value)
  local kind = raw_type(value)
  if kind == "table" then
    local metatable = metatable_of(value)
    return metatable == List or metatable == Map or metatable == Bytes or metatable == Geojson
  end
  return STORED[kind] or false
end
lib.storable = storable

-- A library table that makes a value when it is called.
local function library(name, call)
  local functions = setmetatable({}, { __call = call })
  env[name] = functions
  return functions
end

-- ------------------------------------------------------------------ list

local function new_list(items, count, flags)
  return setmetatable({ [ITEMS] = items, [COUNT] = count, [FLAGS] = flags or false }, List)
end
lib.new_list = new_list

local function append(self, value)
  if storable(value) then
    local count = self[COUNT] + 1
    self[COUNT] = count
    self[ITEMS][count] = value
  end
end

local list = library("list", function(_, values)
  local made = new_list({}, 0)
  if raw_type(values) == "table" and not boxed(values) then
    for key, value in next, values do
      if raw_type(key) == "number" then
        append(made, value)
      end
    end
  end
  return made
end)

local function insert(self, index, value)
  local items, count = self[ITEMS], self[COUNT]
  if index < 1 or index > MAX_ITEMS or not storable(value) then
    return
  end
  if index <= count then
    move(items, index, count, index + 1)
  else
    count = index - 1
  end
  items[index] = value
  self[COUNT] = count + 1
end

local function part(self, first, last)
  return new_list(move(self[ITEMS], first, last, 1, {}), last - first + 1, self[FLAGS])
end

function list.create(capacity, step)
  if (integer(capacity, -1, 1, "create") < 0) or (integer(step, 10, 2, "create") < 0) then
    return nil
  end
  return new_list({}, 0)
end
list.new = list.create

function list.append(self, value)
  check(self, List, 1, "append")
  append(self, value)
end

function list.prepend(self, value)
  check(self, List, 1, "prepend")
  insert(self, 1, value)
end

function list.insert(self, index, value)
  check(self, List, 1, "insert")
  insert(self, integer(index, 0, 2, "insert"), value)
end

function list.remove(self, index)
  check(self, List, 1, "remove")
  local count = self[COUNT]
  index = integer(index, 0, 2, "remove")
  if index >= 1 and index <= count then
    move(self[ITEMS], index + 1, count + 1, index)
    self[COUNT] = count - 1
  end
end

function list.concat(self, other)
  check(self, List, 1, "concat")
  check(other, List, 2, "concat")
  local count = self[COUNT]
  move(other[ITEMS], 1, other[COUNT], count + 1, self[ITEMS])
  self[COUNT] = count + other[COUNT]
end

function list.trim(self, index)
  check(self, List, 1, "trim")
  index = integer(index, 0, 2, "trim")
  if index >= 1 and index <= self[COUNT] then
    self[ITEMS] = move(self[ITEMS], 1, index - 1, 1, {})
    self[COUNT] = index - 1
  end
end

function list.take(self, count)
  check(self, List, 1, "take")
  count = integer(count, 0, 2, "take")
  if count > 0 then
    return part(self, 1, count < self[COUNT] and count or self[COUNT])
  end
end

function list.drop(self, count)
  check(self, List, 1, "drop")
  count = integer(count, 0, 2, "drop")
  if count > 0 then
    return part(self, (count < self[COUNT] and count or self[COUNT]) + 1, self[COUNT])
  end
end

function list.size(self)
  check(self, List, 1, "size")
  return self[COUNT]
end

function list.nbytes(self)
  check(self, List, 1, "nbytes")
  return #lib.pack(self)
end

function list.clone(self)
  check(self, List, 1, "clone")
  return part(self, 1, self[COUNT])
end

function list.merge(self, other)
  check(self, List, 1, "merge")
  check(other, List, 2, "merge")
  local merged = part(self, 1, self[COUNT])
  list.concat(merged, other)
  return merged
end

function list.iterator(self)
  check(self, List, 1, "iterator")
  local index = 0
  return function()
    index = index + 1
    if index <= self[COUNT] then
      return self[ITEMS][index]
    end
  end
end

function List:__index(index)
  index = integer(index, 0, 2, "index")
  if index >= 1 and index <= self[COUNT] then
    return self[ITEMS][index]
  end
end

function List:__newindex(index, value)
  index = integer(index, 0, 2, "newindex")
  if index >= 1 and index <= MAX_ITEMS and storable(value) then
    self[ITEMS][index] = value
    if index > self[COUNT] then
      self[COUNT] = index
    end
  end
end

function List:__len()
  return self[COUNT]
end

-- ------------------------------------------------------------------- map

local function new_map(values, count, flags)
  return setmetatable({ [VALUES] = values, [COUNT] = count, [FLAGS] = flags or false }, Map)
end
lib.new_map = new_map

-- Bytes are equal keys when their content is: one token stands for all with the same.
local tokens = setmetatable({}, { __mode = "v" })

local function bytes_token(data, kind)
  local id = kind .. ":" .. data
  local token = tokens[id]
  if token == nil then
    token = { [DATA] = data, [TYPE] = kind }
    tokens[id] = token
  end
  return token
end
lib.bytes_token = bytes_token

local KEYS = { boolean = true, string = true }

-- The key as the table of values has it; nil when a map cannot have such a key.
local function to_key(key)
  local kind = raw_type(key)
  if KEYS[kind] or (kind == "number" and key == key) then
    return key
  elseif kind == "table" and metatable_of(key) == Bytes then
    return bytes_token(key[DATA], key[TYPE])
  end
end

local function set(self, key, value)
  key = to_key(key)
  if key ~= nil and storable(value) then
    local values = self[VALUES]
    if values[key] == nil then
      self[COUNT] = self[COUNT] + 1
    end
    values[key] = value == nil and NIL or value
  end
end

local function get(self, key)
  key = to_key(key)
  if key ~= nil then
    local value = self[VALUES][key]
    if value ~= NIL then
      return value
    end
  end
end

local RANKS = { number = 1, string = 2, table = 3, boolean = 4 }
local function before(one, other)
  local kind, other_kind = raw_type(one), raw_type(other)
  if kind ~= other_kind then
    return RANKS[kind] < RANKS[other_kind]
  elseif kind == "table" then
    if one[TYPE] ~= other[TYPE] then
      return one[TYPE] < other[TYPE]
    end
    return one[DATA] < other[DATA]
  elseif kind == "boolean" then
    return other and not one
  end
  return one < other
end

-- The keys as they are in the table of values, in the order in which maps are stored.
local function sorted_keys(self)
  local keys, count, kind, mixed = {}, 0, nil, false
  for key in next, self[VALUES] do
    count = count + 1
    keys[count] = key
    local of = raw_type(key)
    mixed = mixed or of == "table" or of == "boolean" or (kind ~= nil and kind ~= of)
    kind = of
  end
  if mixed then
    sort(keys, before)
  else
    sort(keys)
  end
  return keys, count
end
lib.sorted_keys = sorted_keys

local function from_key(key)
  if raw_type(key) == "table" then
    return lib.new_bytes(key[DATA], key[TYPE])
  end
  return key
end

-- Calls of the result give key and value, in key order; keys removed on the way are left out.
local function entries(self)
  local keys, values, index = sorted_keys(self), self[VALUES], 0
  return function()
    while true do
      index = index + 1
      local key = keys[index]
      if key == nil then
        return nil
      end
      local value = values[key]
      if value ~= nil then
        if value == NIL then
          value = nil
        end
        return from_key(key), value
      end
    end
  end
end

local map = library("map", function(_, values)
  local made = new_map({}, 0)
  if raw_type(values) == "table" and not boxed(values) then
    for key, value in next, values do
      set(made, key, value)
    end
  end
  return made
end)

function map.create(capacity)
  if integer(capacity, 0, 1, "create") < 1 then
    return nil
  end
  return new_map({}, 0)
end
map.new = map.create

function map.pairs(self)
  check(self, Map, 1, "pairs")
  return entries(self)
end
map.iterator = map.pairs

function map.keys(self)
  check(self, Map, 1, "keys")
  local following = entries(self)
  return function()
    return (following())
  end
end

function map.values(self)
  check(self, Map, 1, "values")
  local following = entries(self)
  return function()
    return (select(2, following()))
  end
end

function map.remove(self, key)
  check(self, Map, 1, "remove")
  key = to_key(key)
  if key ~= nil and self[VALUES][key] ~= nil then
    self[VALUES][key] = nil
    self[COUNT] = self[COUNT] - 1
  end
end

function map.size(self)
  check(self, Map, 1, "size")
  return self[COUNT]
end

function map.nbytes(self)
  check(self, Map, 1, "nbytes")
  return #lib.pack(self)
end

-- A new map of the entries that `keep` wants; nils get lost, as in any Lua table.
local function chosen(self, into, keep)
  for key, value in next, self[VALUES] do
    if value ~= NIL and (keep == nil or keep(key)) then
      if into[VALUES][key] == nil then
        into[COUNT] = into[COUNT] + 1
      end
      into[VALUES][key] = value
    end
  end
  return into
end

function map.clone(self)
  check(self, Map, 1, "clone")
  return chosen(self, new_map({}, 0))
end

function map.merge(self, other, combine)
  check(self, Map, 1, "merge")
  check(other, Map, 2, "merge")
  local merged = chosen(other, chosen(self, new_map({}, 0)))
  if raw_type(combine) == "function" then
    for key, value in next, self[VALUES] do
      local with = other[VALUES][key]
      if with ~= nil and with ~= NIL and value ~= NIL then
        local result = combine(value, with)
        if result ~= nil and storable(result) then
          merged[VALUES][key] = result
        end
      end
    end
  end
  return merged
end

function map.diff(self, other)
  check(self, Map, 1, "diff")
  check(other, Map, 2, "diff")
  local function missing_in(values)
    return function(key)
      return values[key] == nil or values[key] == NIL
    end
  end
  local mine = chosen(self, new_map({}, 0), missing_in(other[VALUES]))
  return chosen(other, mine, missing_in(self[VALUES]))
end

function Map:__index(key)
  return get(self, key)
end

function Map:__newindex(key, value)
  set(self, key, value)
end

function Map:__len()
  return self[COUNT]
end

-- --------------------------------------------------------------- geojson

function lib.new_geojson(text)
  return setmetatable({ [DATA] = text }, Geojson)
end

library("geojson", function(_, text)
  if raw_type(text) == "string" then
    return lib.new_geojson(text)
  end
end)

-- ------------------------------------------------------------------ text

local MAX_NESTING <const> = 64

local function hexadecimal(data)
  local spaced = gsub(data, ".", function(c)
    return format("%02X ", byte(c))
  end)
  return sub(spaced, 1, -2)
end

local function text_of(value, nesting)
  if value == nil or value == NIL then
    return "NIL"
  elseif raw_type(value) == "string" then
    return '"' .. value .. '"'
  elseif math_type(value) == "float" then
    return format("%.16g", value)
  elseif raw_type(value) ~= "table" then
    return tostring(value)
  elseif nesting > MAX_NESTING then
    error("nested too deeply", 0)
  end
  local parts, metatable = {}, metatable_of(value)
  if metatable == List then
    for index = 1, value[COUNT] do
      parts[index] = text_of(value[ITEMS][index], nesting + 1)
    end
    return "[" .. concat(parts, ", ") .. "]"
  elseif metatable == Map then
    for index, key in ipairs((sorted_keys(value))) do
      local of = value[VALUES][key]
      parts[index] = text_of(key, nesting + 1) .. ":" .. text_of(of, nesting + 1)
    end
    return "{" .. concat(parts, ", ") .. "}"
  elseif metatable == Geojson then
    return value[DATA]
  end
  return hexadecimal(value[DATA])
end

function List:__tostring()
  return text_of(self, 0)
end

function Map:__tostring()
  return text_of(self, 0)
end

function Bytes:__tostring()
  return self[DATA] == "" and "Bytes()" or hexadecimal(self[DATA])
end

function Geojson:__tostring()
  return self[DATA]
end

list.tostring, map.tostring = tostring, tostring

-- ------------------------------------------------------------------ math

function env.math.sum(a, b)
  return a + b
end

function env.math.product(a, b)
  return a * b
end
