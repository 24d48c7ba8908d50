-- The record that a function is called with, and `aerospike`, through which it writes it.
--
-- Nothing leaves Lua while the function runs: bins are read from the record's payload (16 bits of
-- number of bins, then one op a bin), changes are collected, and the host is told at the end.

local lib, host = ...

local env, boxes, integer = lib.env, lib.boxes, lib.integer
local metatable_of, bad_argument, boxed = lib.metatable_of, lib.bad_argument, lib.boxed
local from_particle, to_particle, new_bytes = lib.from_particle, lib.to_particle, lib.new_bytes
local storable, position = lib.storable, lib.position
local raw_type, setmetatable, error, tostring = type, setmetatable, error, tostring
local unpack, sub, find, format = string.unpack, string.sub, string.find, string.format
local move, table_unpack, next = table.move, table.unpack, next

local MAX_BIN_NAME <const> = 15
local MAX_WRITES <const> = 1024
local BLOB <const> = 4

local STATE = {}
local GONE = {} -- in a cache of bins: there is none

local Record = { __name = "Record", __metatable = {} }
local Aerospike = { __name = "Aerospike", __metatable = {} }
boxes[Record], boxes[Aerospike] = "Record", "Aerospike"

-- `payload` is nil for a record that does not exist; `key_type` and `key` when none is stored, and
-- `sent_type` and `sent` when the request has no key that functions see.
function lib.new_record(
  payload, generation, void_time, now_s, updated_ms, set, digest, key_type, key, sent_type, sent
)
  return setmetatable({
    [STATE] = {
      payload = payload,
      exists = payload ~= nil,
      generation = generation,
      void_time = void_time,
      now_s = now_s,
      updated_ms = updated_ms,
      set = set,
      digest = digest,
      key_type = key_type,
      key = key,
      sent_type = sent_type,
      sent = sent,
      cache = {},
      writes = 0,
    },
  }, Record)
end

-- Streams read records and write none.
function lib.protect(record)
  record[STATE].protected = true
end

-- -------------------------------------------------------------------- bins

local function stored_bin(payload, name)
  local offset, wanted = 3, #name
  for _ = 1, unpack(">I2", payload) do
    local size, _, kind, _, name_size = unpack(">I4BBBB", payload, offset)
    if name_size == wanted and sub(payload, offset + 8, offset + 7 + wanted) == name then
      return from_particle(kind, sub(payload, offset + 8 + wanted, offset + 3 + size))
    end
    offset = offset + 4 + size
  end
end

-- What the caller wrote as a bin's name, as a string; nil when it was nil.
local function bin_name(name)
  if raw_type(name) == "string" then
    return name
  elseif raw_type(name) == "number" then
    return tostring(name)
  elseif name ~= nil then
    bad_argument(2, "?", "string", name, 3)
  end
end

function Record:__index(name)
  name = bin_name(name)
  if name == nil then
    return nil
  end
  local state = self[STATE]
  local value = state.cache[name]
  if value == nil and state.exists and state.payload then
    value = stored_bin(state.payload, name)
    state.cache[name] = value
  end
  if value ~= GONE then
    return value
  end
end

function Record:__newindex(name, value)
  name = bin_name(name)
  if name == nil then
    return
  elseif not storable(value) then
    error(format("can't set bin %s to unsupported type", name), 2)
  elseif #name > MAX_BIN_NAME or find(name, "\0", 1, true) then
    return
  end
  local state = self[STATE]
  local pending = state.pending
  if pending == nil then
    pending = { size = 0 }
    state.pending = pending
  end
  if pending[name] == nil then
    pending.size = pending.size + 1
    pending[pending.size] = name
    pending[name] = true
  end
  state.writes = state.writes + 1
  state.cache[name] = value == nil and GONE or value
end

-- The names of the bins in storage order: a deleted bin's place is taken by the last one.
local function follow(names, places, name, deleted)
  local place = places[name]
  if not deleted then
    if place == nil then
      names[#names + 1] = name
      places[name] = #names
    end
  elseif place ~= nil then
    local last = names[#names]
    names[#names], places[name] = nil, nil
    if last ~= name then
      names[place], places[last] = last, place
    end
  end
end

local function layout(state)
  local names, places, payload, changes = {}, {}, state.payload, state.changes
  if payload then
    local offset = 3
    for index = 1, unpack(">I2", payload) do
      local size, name_size = unpack(">I4xxxB", payload, offset)
      names[index] = sub(payload, offset + 8, offset + 7 + name_size)
      places[names[index]] = index
      offset = offset + 4 + size
    end
  end
  for index = 1, changes and #changes or 0, 3 do
    follow(names, places, changes[index], changes[index + 1] == 0)
  end
  return names
end

-- --------------------------------------------------------------- aerospike

local function state_of(record, name)
  if metatable_of(record) ~= Record then
    bad_argument(2, name, boxed(record) and "Record" or "userdata", record, 3)
  end
  return record[STATE]
end

-- Pending bins become changes for the host: name, particle type, data, three by three.
local function commit(state)
  local pending, changes = state.pending, state.changes or {}
  state.changes = changes
  if pending == nil then
    return
  end
  local n = #changes
  for index = 1, pending.size do
    local name = pending[index]
    local value = state.cache[name]
    if value == GONE then
      value = nil
    end
    changes[n + 1] = name
    changes[n + 2], changes[n + 3] = to_particle(value)
    n = n + 3
  end
  state.pending = nil
end

local methods = {}

function methods:create(record)
  local state = state_of(record, "create")
  if state.protected then
    return -1
  elseif state.exists then
    return 1
  end
  state.exists, state.payload = true, nil
  commit(state)
  return 0
end

function methods:update(record)
  local state = state_of(record, "update")
  if state.protected then
    return -1
  elseif not state.exists then
    return -2
  end
  commit(state)
  return 0
end

function methods:remove(record)
  local state = state_of(record, "remove")
  if state.protected then
    return -1
  elseif not state.exists then
    return 1
  end
  state.exists, state.removed, state.payload = false, true, nil
  state.changes, state.pending, state.cache = {}, nil, {}
  return 0
end

function methods:exists(record)
  return state_of(record, "exists").exists
end

function methods:log(level, message)
  host.log(integer(level, 0, 2, "log"), position() .. tostring(message))
end

function methods.get_current_time()
  return host.now_ms()
end

-- Reserved.
function methods.set_context()
  return -1
end
methods.get_config = methods.set_context

Aerospike.__index = methods
env.aerospike = setmetatable({}, Aerospike)

for name, level in next, { trace = 4, debug = 3, info = 2, warn = 1 } do
  env[name] = function(message, ...)
    host.log(level, position() .. format(message, ...))
  end
end

-- ---------------------------------------------------------------- metadata

local function checked(record, name)
  if metatable_of(record) ~= Record then
    bad_argument(1, name, boxed(record) and "Record" or "userdata", record, 3)
  end
  return record[STATE]
end

env.record = {}

local function getter(name, get)
  env.record[name] = function(record)
    return get(checked(record, name))
  end
end

getter("gen", function(state) return state.generation end)
getter("ttl", function(state)
  local left = state.void_time - state.now_s
  return state.void_time > 0 and left > 0 and left or 0
end)
getter("last_update_time", function(state) return state.updated_ms end)
getter("digest", function(state) return new_bytes(state.digest, BLOB) end)
getter("setname", function(state) return state.set ~= "" and state.set or nil end)
getter("key", function(state)
  if state.key then
    return from_particle(state.key_type, state.key)
  end
  return state.sent and from_particle(state.sent_type, state.sent)
end)
getter("numbins", function(state) return #layout(state) end)
getter("drop_key", function(state) state.drop_key, state.key, state.sent = true, nil, nil end)
for _, name in next, { "size", "device_size", "memory_size" } do
  getter(name, function(state)
    if state.payload == nil then
      return 0
    end
    return host.size(state.payload, state.void_time, state.set, state.key_type, state.key)
  end)
end

function env.record.bin_names(record)
  local state = checked(record, "bin_names")
  if not state.exists then
    error("can't get bin names", 2)
  end
  local names = layout(state)
  return move(names, 1, #names, 1, {})
end

function env.record.set_ttl(record, ttl)
  checked(record, "set_ttl").new_ttl = integer(ttl, 0, 2, "set_ttl") & 0xffffffff
end

-- What became of a record, nothing at all when nothing did: whether it was removed (before any
-- change that follows), whether it exists, the ttl asked for (-1: none), whether its key is dropped,
-- whether there were too many writes, and the changes of bins, three by three.
function lib.effects(record)
  local state = record[STATE]
  local changes = state.changes
  if changes == nil then
    return
  end
  local excessive = state.writes > MAX_WRITES
  return state.removed or false, state.exists, state.new_ttl or -1, state.drop_key or false,
    excessive, table_unpack(excessive and {} or changes)
end
