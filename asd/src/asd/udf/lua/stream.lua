-- Streams: the server's part of an aggregation, fed record by record.
--
-- A stream knows the stream before it, and how to build its own stage. A stage is a function that
-- is called with value after value, and with nil when there are no more. When it answers true it
-- wants nothing more, and is not called again; to nil it always does. The stages are built from the
-- last one to the first, when the user's function has returned the stream that it made of ours.

local lib = ...

local env, boxes, metatable_of = lib.env, lib.boxes, lib.metatable_of
local type_of, to_particle, new_bytes = lib.type_of, lib.to_particle, lib.new_bytes
local check, new_list, new_map = lib.check, lib.new_list, lib.new_map
local append, clone_list, clone_map = env.list.append, env.list.clone, env.map.clone
local List, Map, Bytes, DATA, TYPE = lib.List, lib.Map, lib.Bytes, lib.DATA, lib.TYPE
local setmetatable, error, unpack = setmetatable, error, table.unpack
local math_type, format = math.type, string.format

local FULL <const> = 1000 -- an accumulator that is a number and reaches this is handed on at once
local TAKEN <const> = 500 -- values that the host takes in one call, each as two results

-- What clients are told, word by word, of a function whose result is no stream.
local NO_STREAM <const> =
  "[string \"aerospike.lua\"]:33: attempt to index a %s value (global 'result')"

-- ------------------------------------------------------------------ stages

-- Each makes a stage that gives its values to the stage `next`.
local stages = {}

function stages.filter(next, keeps)
  return function(value)
    if value == nil or keeps(value) then
      return next(value)
    end
  end
end

-- A nil that `change` makes is passed on as the end, and is one: `next` answers true to it.
function stages.map(next, change)
  return function(value)
    if value ~= nil then
      value = change(value)
    end
    return next(value)
  end
end

-- What a stage held back, then the end, unless the first was enough.
local function last(next, held)
  return next(held) or next(nil)
end

local CLONES <const> = {
  [List] = clone_list,
  [Map] = clone_map,
  [Bytes] = function(value)
    return new_bytes(value[DATA], value[TYPE])
  end,
}

-- The user's own value stays as it is: another stream may begin with it, too.
local function fresh(initial)
  local clone = CLONES[metatable_of(initial)]
  return clone and clone(initial) or initial
end

function stages.aggregate(next, initial, fold)
  local total = fresh(initial)
  return function(value)
    if value == nil then
      return last(next, total)
    end
    total = fold(total, value)
    if math_type(total) and total >= FULL then
      local full = total
      total = fresh(initial)
      return next(full)
    end
  end
end

function stages.reduce(next, join)
  local total
  return function(value)
    if value == nil then
      return last(next, total)
    elseif total == nil then
      total = value
    else
      total = join(total, value)
    end
  end
end

-- One map of lists: the values by what `key_of` makes of them. To join the maps of several nodes is
-- left to the client, as with a reduce.
function stages.groupby(next, key_of)
  return stages.aggregate(next, new_map({}, 0), function(groups, value)
    local key = key_of(value)
    local group = groups[key]
    if group == nil then
      group = new_list({}, 0)
      groups[key] = group
    end
    append(group, value)
    return groups
  end)
end

-- --------------------------------------------------------------- operators

local BEFORE, BUILD, COMPLETE = {}, {}, {}
local StreamOps = { __name = "StreamOps", __metatable = {} }
boxes[StreamOps] = "StreamOps"
env.StreamOps = StreamOps.__metatable

local function new_stream(before, build, complete)
  return setmetatable({ [BEFORE] = before, [BUILD] = build, [COMPLETE] = complete }, StreamOps)
end

-- Behind an operator that `completes` the server's part, the others are the client's: it calls the
-- same function to find them, and here they add nothing.
local function operator(name, completes)
  local stage = stages[name]
  return function(self, first, second)
    check(self, StreamOps, 1, name)
    if self[COMPLETE] then
      return self
    end
    return new_stream(self, function(next)
      return stage(next, first, second)
    end, completes)
  end
end

StreamOps.__index = {
  filter = operator("filter", false),
  map = operator("map", false),
  aggregate = operator("aggregate", false),
  reduce = operator("reduce", true),
  groupby = operator("groupby", true),
}

-- ----------------------------------------------------------------- outputs

-- Particle type and data of each value, one after the other; those up to `taken` the host has.
local outputs, count, taken = {}, 0, 0

local function clear_outputs()
  outputs, count, taken = {}, 0, 0
end

-- The stage behind all others. What has no wire form is not sent.
local function send(value)
  if value == nil then
    return true
  end
  local kind, data = to_particle(value)
  if kind ~= 0 then
    outputs[count + 1], outputs[count + 2], count = kind, data, count + 2
  end
end

-- Type and data of some values; nothing when there are no more.
function lib.take_outputs()
  if taken == count then
    clear_outputs()
    return
  end
  local first = taken + 1
  taken = taken + 2 * TAKEN < count and taken + 2 * TAKEN or count
  return unpack(outputs, first, taken)
end

-- -------------------------------------------------------------- the stream

local feed -- the first stage; nil when it wants no more

-- Call the user's function `f` for its stream, and make that ready for records.
function lib.begin_stream(f, arguments, number)
  feed = nil
  clear_outputs()
  local stream = f(new_stream(), unpack(arguments, 1, number))
  if metatable_of(stream) ~= StreamOps then
    error(format(NO_STREAM, type_of(stream)), 0)
  end
  local stage = send
  while stream[BEFORE] do
    stage, stream = stream[BUILD](stage), stream[BEFORE]
  end
  feed = stage
end

-- Whether the stream has ended: then the record, or an earlier one, was its last.
function lib.push_stream(record)
  if feed and feed(record) then
    feed = nil
  end
  return feed == nil
end

-- No record will follow: the stages give what they held back.
function lib.finish_stream()
  local stage = feed
  feed = nil
  if stage then
    stage(nil)
  end
end
