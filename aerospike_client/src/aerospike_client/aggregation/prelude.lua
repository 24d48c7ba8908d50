-- What users' stream functions find on the client: lists, maps, and the client's half of a stream.
--
-- The nodes run a stream up to its first reduce, that one included, each over its own records. The
-- client runs the rest, from that same reduce on, over what the nodes sent. So this is less than the
-- world a module has on a server: there are no records here.

local function class(name)
  local kind = { __name = name }
  return kind
end

-- ---------------------------------------------------------------- lists

local List = class("List")
list = {}

local function new_list(values)
  local made = setmetatable({}, List)
  for index, value in ipairs(values or {}) do made[index] = value end
  return made
end

setmetatable(list, { __call = function(_, values) return new_list(values) end })

function list.create() return new_list() end
list.new = list.create
function list.size(l) return #l end
function list.append(l, value) l[#l + 1] = value end
function list.prepend(l, value) table.insert(l, 1, value) end
function list.insert(l, index, value) table.insert(l, index, value) end
function list.remove(l, index) table.remove(l, index) end
function list.clone(l) return new_list(l) end

function list.concat(l, other)
  for _, value in ipairs(other) do l[#l + 1] = value end
end

function list.merge(l, other)
  local merged = new_list(l)
  list.concat(merged, other)
  return merged
end

function list.trim(l, index)
  for place = #l, index, -1 do l[place] = nil end
end

function list.take(l, count)
  return new_list(table.move(l, 1, math.min(count, #l), 1, {}))
end

function list.drop(l, count)
  return new_list(table.move(l, count + 1, #l, 1, {}))
end

function list.iterator(l)
  local index = 0
  return function()
    index = index + 1
    return l[index]
  end
end

function list.tostring(l)
  local parts = {}
  for index, value in ipairs(l) do parts[index] = tostring(value) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

List.__tostring = list.tostring

-- ---------------------------------------------------------------- maps

local Map = class("Map")
map = {}

local function new_map(values)
  local made = setmetatable({}, Map)
  for key, value in next, values or {} do made[key] = value end
  return made
end

setmetatable(map, { __call = function(_, values) return new_map(values) end })

function map.create() return new_map() end

function map.size(m)
  local count = 0
  for _ in next, m do count = count + 1 end
  return count
end

Map.__len = map.size

function map.pairs(m) return next, m, nil end
map.iterator = map.pairs

function map.keys(m)
  local key
  return function()
    key = next(m, key)
    return key
  end
end

function map.values(m)
  local key, value
  return function()
    key, value = next(m, key)
    return value
  end
end

function map.remove(m, key) m[key] = nil end
function map.clone(m) return new_map(m) end

function map.merge(m, other, combine)
  local merged = new_map(m)
  for key, value in next, other do
    local present = merged[key]
    if combine and present ~= nil then
      merged[key] = combine(present, value)
    else
      merged[key] = value
    end
  end
  return merged
end

function map.diff(m, other)
  local different = new_map()
  for key, value in next, m do
    if other[key] == nil then different[key] = value end
  end
  for key, value in next, other do
    if m[key] == nil then different[key] = value end
  end
  return different
end

function map.tostring(m)
  local parts = {}
  for key, value in next, m do parts[#parts + 1] = tostring(key) .. ":" .. tostring(value) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

Map.__tostring = map.tostring

-- ---------------------------------------------------------------- what else modules expect

function math.sum(a, b) return a + b end
function math.product(a, b) return a * b end

local function quiet() end
trace, debug, info, warn = quiet, quiet, quiet, quiet
aerospike = { log = quiet, get_current_time = function() return os.time() * 1000 end }

-- ---------------------------------------------------------------- streams

local Stream = {}
Stream.__index = Stream

local function recorder(name)
  return function(stream, ...)
    stream[#stream + 1] = { name = name, ... }
    return stream
  end
end

for _, name in ipairs({ "filter", "map", "aggregate", "reduce", "groupby" }) do
  Stream[name] = recorder(name)
end

local function copied(value)
  local kind = getmetatable(value)
  if kind == Map then return new_map(value) end
  if kind == List then return new_list(value) end
  return value
end

local run = {}

function run.filter(values, keep)
  local kept = {}
  for _, value in ipairs(values) do
    if keep(value) then kept[#kept + 1] = value end
  end
  return kept
end

function run.map(values, change)
  local changed = {}
  for _, value in ipairs(values) do
    local result = change(value)
    if result == nil then break end
    changed[#changed + 1] = result
  end
  return changed
end

function run.aggregate(values, initial, fold)
  local result = copied(initial)
  for _, value in ipairs(values) do result = fold(result, value) end
  return { result }
end

function run.reduce(values, fold)
  local result = values[1]
  for index = 2, #values do result = fold(result, values[index]) end
  return { result }
end

function run.groupby(values)
  local function join(a, b)
    return map.merge(a, b, list.merge)
  end
  return run.reduce(values, join)
end

local both_sides = { reduce = true, groupby = true }

-- The client's part of a stream function, over what the nodes sent. `...`: the function's arguments.
local function finish(name, values, ...)
  local stream = _G[name](setmetatable({}, Stream), ...)
  local begun = false
  for _, operator in ipairs(stream) do
    begun = begun or both_sides[operator.name]
    if begun then values = run[operator.name](values, table.unpack(operator)) end
  end
  return new_list(values)
end

local function kind_of(value)
  local meta = getmetatable(value)
  return meta == List and "list" or meta == Map and "map" or type(value)
end

-- ---------------------------------------------------------------- a closed world

-- Modules may come from the servers: they reduce values, and reach nothing of this machine.
os = { time = os.time, clock = os.clock, date = os.date }
io, package, require, python, load, loadfile, dofile, collectgarbage = nil

return { finish = finish, kind_of = kind_of, new_list = new_list, new_map = new_map }
