-- The value `map`: values by key, where a key may also have nil for its value.
--
-- VALUES is a Lua table from key to value, with NIL in place of nil; COUNT counts its keys. Two
-- buffers of the same content are two tables, but one key: so a key of bytes is kept as a token, of
-- which there is one for each content. What is no key or cannot be stored is not taken in; that is
-- no error.

local lib = ...

local check, integer, storable = lib.check, lib.integer, lib.storable
local boxed, bad_argument, metatable_of = lib.boxed, lib.bad_argument, lib.metatable_of
local Map, Bytes, NIL = lib.Map, lib.Bytes, lib.NIL
local VALUES, COUNT, FLAGS, DATA, TYPE = lib.VALUES, lib.COUNT, lib.FLAGS, lib.DATA, lib.TYPE
local raw_type, setmetatable, tostring, next, ipairs = type, setmetatable, tostring, next, ipairs
local math_type, char, sort = math.type, string.char, table.sort

-- `flags` are those of the wire form. Never nil: what is nil would be looked up as a key.
local function new_map(values, count, flags)
  return setmetatable({ [VALUES] = values, [COUNT] = count, [FLAGS] = flags or false }, Map)
end
lib.new_map = new_map

-- -------------------------------------------------------------------- keys

local tokens = setmetatable({}, { __mode = "v" }) -- gone when no map has the key any more

-- The key that stands for bytes of this content and particle type.
function lib.bytes_token(data, kind)
  local name = char(kind) .. data
  local token = tokens[name]
  if token == nil then
    token = { [DATA] = data, [TYPE] = kind }
    tokens[name] = token
  end
  return token
end
local bytes_token = lib.bytes_token

-- A user's key as VALUES has it; nil for what is no key. Not a number is not even equal to itself.
local function kept(key)
  local kind = raw_type(key)
  if kind == "string" or kind == "boolean" or kind == "number" and key == key then
    return key
  elseif kind == "table" and metatable_of(key) == Bytes then
    return bytes_token(key[DATA], key[TYPE])
  end
end

-- A key of VALUES as users see it. Bytes can be changed, so each gets its own.
local function shown(key)
  return raw_type(key) == "table" and lib.new_bytes(key[DATA], key[TYPE]) or key
end

local function token_before(a, b)
  if a[TYPE] ~= b[TYPE] then
    return a[TYPE] < b[TYPE]
  end
  return a[DATA] < b[DATA]
end

local function false_first(a, b)
  return b and not a
end

-- Keys of one kind stand together; for those without a comparison of their own, Lua's is right.
local RANKS <const> = { boolean = 1, integer = 2, string = 3, table = 4, float = 5 }
local COMPARISONS <const> = { [RANKS.boolean] = false_first, [RANKS.table] = token_before }

-- The keys of VALUES in the order in which they are stored, and how many they are.
function lib.sorted_keys(self)
  local groups = { {}, {}, {}, {}, {} }
  for key in next, self[VALUES] do
    local group = groups[RANKS[math_type(key) or raw_type(key)]]
    group[#group + 1] = key
  end
  local keys, count = {}, 0
  for rank, group in ipairs(groups) do
    sort(group, COMPARISONS[rank])
    for index = 1, #group do
      count = count + 1
      keys[count] = group[index]
    end
  end
  return keys, count
end
local sorted_keys = lib.sorted_keys

-- --------------------------------------------------------- without checks

local function get(self, key)
  key = kept(key)
  if key == nil then
    return nil
  end
  local value = self[VALUES][key]
  if value ~= NIL then
    return value
  end
end

local function put(self, key, value)
  key = kept(key)
  if key == nil or not storable(value) then
    return
  end
  local values = self[VALUES]
  if values[key] == nil then
    self[COUNT] = self[COUNT] + 1
  end
  values[key] = value == nil and NIL or value
end

local function remove(self, key)
  key = kept(key)
  if key ~= nil and self[VALUES][key] ~= nil then
    self[VALUES][key], self[COUNT] = nil, self[COUNT] - 1
  end
end

-- `from`'s entries into `self`, except nils and the keys that `but`, if given, has.
local function copy(self, from, but)
  local values, count = self[VALUES], self[COUNT]
  for key, value in next, from[VALUES] do
    if value ~= NIL and not (but and but[VALUES][key] ~= nil) then
      values[key], count = value, count + 1
    end
  end
  self[COUNT] = count
end

-- For a generic `for`: what `pick` makes of key and value, in key order. The keys are those of the
-- beginning, less those removed on the way.
local function iterate(self, pick)
  local values, keys, count = self[VALUES], sorted_keys(self)
  local index = 0
  return function()
    local value
    repeat
      index = index + 1
      value = values[keys[index]]
    until value ~= nil or index >= count
    if value == NIL then
      return pick(shown(keys[index]), nil)
    elseif value ~= nil then
      return pick(shown(keys[index]), value)
    end
  end
end

-- ------------------------------------------------------------ constructors

-- A map grows by itself, so both constructors take the capacity for a hint.
local map = lib.library("map", function(_, entries, capacity)
  integer(capacity, 0, 2, "map")
  local made = new_map({}, 0)
  if entries == nil then
    return made
  elseif raw_type(entries) ~= "table" or boxed(entries) then
    bad_argument(1, "map", "table", entries)
  end
  for key, value in next, entries do
    put(made, key, value)
  end
  return made
end)

-- Nil for a capacity that holds no key.
function map.create(capacity)
  capacity = integer(capacity, 1, 1, "create")
  if capacity > 0 then
    return new_map({}, 0)
  end
end

-- ------------------------------------------------------------------ content

function map.size(self)
  check(self, Map, 1, "size")
  return self[COUNT]
end

-- The bytes of its wire form.
function map.nbytes(self)
  check(self, Map, 1, "nbytes")
  return #lib.pack(self)
end

-- The key goes, while `m[key] = nil` leaves it with a nil.
function map.remove(self, key)
  check(self, Map, 1, "remove")
  remove(self, key)
end

map.tostring = tostring

-- ---------------------------------------------------------------- iteration

local function both(key, value)
  return key, value
end

local function key_only(key)
  return key
end

local function value_only(_, value)
  return value
end

function map.pairs(self)
  check(self, Map, 1, "pairs")
  return iterate(self, both)
end

function map.iterator(self)
  check(self, Map, 1, "iterator")
  return iterate(self, both)
end

function map.keys(self)
  check(self, Map, 1, "keys")
  return iterate(self, key_only)
end

-- A nil among the values ends the loop.
function map.values(self)
  check(self, Map, 1, "values")
  return iterate(self, value_only)
end

-- ----------------------------------------------------- new maps from others

-- Another map of the same values, less the nils; containers among them are shared.
function map.clone(self)
  check(self, Map, 1, "clone")
  local cloned = new_map({}, 0, self[FLAGS])
  copy(cloned, self)
  return cloned
end

-- The entries of both. Of a key in both the value is `join` of the two, or the second's.
function map.merge(first, second, join)
  check(first, Map, 1, "merge")
  check(second, Map, 2, "merge")
  local merged = new_map({}, 0)
  copy(merged, first)
  copy(merged, second, merged)
  for key, value in iterate(second, both) do
    local other = get(first, key)
    if other ~= nil and value ~= nil then
      if join ~= nil then
        value = join(other, value)
      end
      put(merged, key, value)
    end
  end
  return merged
end

-- The entries whose keys are in one of the two only.
function map.diff(first, second)
  check(first, Map, 1, "diff")
  check(second, Map, 2, "diff")
  local different = new_map({}, 0)
  copy(different, first, second)
  copy(different, second, first)
  return different
end

-- --------------------------------------------------------------- operators

Map.__index = get
Map.__newindex = put

function Map:__len()
  return self[COUNT]
end
