-- The value `list`: elements counted from 1, any of which may be nil.
--
-- The length of a Lua table that holds nils is not defined, so each list counts for itself: COUNT
-- is its size, and ITEMS has nothing beyond it. What cannot be stored is not taken in, and a place
-- that no list has is not written to; neither is an error.
--
-- Elements are moved by loops, not by table.move: the hook that stops runaways does not see into C.

local lib = ...

local check, integer, storable = lib.check, lib.integer, lib.storable
local boxed, bad_argument = lib.boxed, lib.bad_argument
local List, ITEMS, COUNT, FLAGS = lib.List, lib.ITEMS, lib.COUNT, lib.FLAGS
local raw_type, raw_get, setmetatable, tostring = type, rawget, setmetatable, tostring
local next, ipairs, sort = next, ipairs, table.sort

local MAX_SIZE <const> = 1 << 24 -- elements; the memory of a state holds no more

-- `flags` are those of the wire form. Never nil: what is nil would be looked up as an index.
local function new_list(items, count, flags)
  return setmetatable({ [ITEMS] = items, [COUNT] = count, [FLAGS] = flags or false }, List)
end
lib.new_list = new_list

-- --------------------------------------------------------- without checks

-- A place behind the end makes the list longer; what lies between is nil.
local function put(self, index, value)
  if index < 1 or index > MAX_SIZE or not storable(value) then
    return
  end
  self[ITEMS][index] = value
  if index > self[COUNT] then
    self[COUNT] = index
  end
end

local function append(self, value)
  put(self, self[COUNT] + 1, value)
end

local function insert(self, index, value)
  local items, count = self[ITEMS], self[COUNT]
  if index > count then
    put(self, index, value)
  elseif index >= 1 and count < MAX_SIZE and storable(value) then
    for place = count, index, -1 do
      items[place + 1] = items[place]
    end
    items[index], self[COUNT] = value, count + 1
  end
end

local function remove(self, index)
  local items, count = self[ITEMS], self[COUNT]
  if index >= 1 and index <= count then
    for place = index, count do
      items[place] = items[place + 1]
    end
    self[COUNT] = count - 1
  end
end

local function extend(self, other)
  local items = other[ITEMS]
  for index = 1, other[COUNT] do -- counted once: a list may be added to itself
    append(self, items[index])
  end
end

local function slice(self, first, last, flags)
  local items, copied = self[ITEMS], {}
  for index = first, last do
    copied[index - first + 1] = items[index]
  end
  return new_list(copied, last - first + 1, flags)
end

-- ------------------------------------------------------------ constructors

local function numeric_keys(elements)
  local keys = {}
  for key in next, elements do
    if raw_type(key) == "number" then
      keys[#keys + 1] = key
    end
  end
  sort(keys)
  return keys
end

-- The keys of the table give the order only: where it has a nil the list has no element.
local list = lib.library("list", function(_, elements)
  local made = new_list({}, 0)
  if elements == nil then
    return made
  elseif raw_type(elements) ~= "table" or boxed(elements) then
    bad_argument(1, "list", "table", elements)
  end
  for _, key in ipairs(numeric_keys(elements)) do
    append(made, raw_get(elements, key))
  end
  return made
end)

-- Room grows by itself, so both sizes are hints; nil for a capacity that none can have.
function list.create(capacity, step)
  capacity = integer(capacity, 0, 1, "create")
  integer(step, 0, 2, "create")
  if capacity >= 0 then
    return new_list({}, 0)
  end
end
list.new = list.create

-- ---------------------------------------------------------- changes in place

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
  index = integer(index, 0, 2, "insert")
  insert(self, index, value)
end

function list.remove(self, index)
  check(self, List, 1, "remove")
  index = integer(index, 0, 2, "remove")
  remove(self, index)
end

function list.concat(self, other)
  check(self, List, 1, "concat")
  check(other, List, 2, "concat")
  extend(self, other)
end

-- Without the elements from `index` on.
function list.trim(self, index)
  check(self, List, 1, "trim")
  index = integer(index, 0, 2, "trim")
  if index < 1 or index > self[COUNT] then
    return
  end
  local items = self[ITEMS]
  for place = index, self[COUNT] do
    items[place] = nil
  end
  self[COUNT] = index - 1
end

-- ----------------------------------------------------- new lists from others

-- The first `size` elements; nil for a size that is not positive, as in `drop`.
function list.take(self, size)
  check(self, List, 1, "take")
  size = integer(size, 0, 2, "take")
  if size > 0 then
    return slice(self, 1, size < self[COUNT] and size or self[COUNT])
  end
end

-- All but the first `size` elements.
function list.drop(self, size)
  check(self, List, 1, "drop")
  size = integer(size, 0, 2, "drop")
  if size > self[COUNT] then
    return new_list({}, 0)
  elseif size > 0 then
    return slice(self, size + 1, self[COUNT])
  end
end

-- Another list of the same elements; containers among them are shared.
function list.clone(self)
  check(self, List, 1, "clone")
  return slice(self, 1, self[COUNT], self[FLAGS])
end

function list.merge(first, second)
  check(first, List, 1, "merge")
  check(second, List, 2, "merge")
  local merged = slice(first, 1, first[COUNT])
  extend(merged, second)
  return merged
end

-- ----------------------------------------------------------------- reading

function list.size(self)
  check(self, List, 1, "size")
  return self[COUNT]
end

-- The bytes of its wire form.
function list.nbytes(self)
  check(self, List, 1, "nbytes")
  return #lib.pack(self)
end

-- For a generic `for`, which a nil ends. It sees what is changed on the way.
function list.iterator(self)
  check(self, List, 1, "iterator")
  local index = 0
  return function()
    index = index + 1
    return self[ITEMS][index]
  end
end

list.tostring = tostring

-- --------------------------------------------------------------- operators

function List:__index(index)
  return self[ITEMS][integer(index, 0, 2, "index")]
end

function List:__newindex(index, value)
  index = integer(index, 0, 2, "newindex")
  put(self, index, value)
end

function List:__len()
  return self[COUNT]
end
