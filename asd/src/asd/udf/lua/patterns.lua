-- String searches that can be stopped.
--
-- The library matches patterns in C, where no hook looks on, and what it may try grows with a power
-- of the text's length. So it is asked only where that cannot be much. All other searches are done
-- here: the same patterns with the same results, slower, under the hook.

local lib = ...

local string, error, tostring = string, error, tostring
local raw_type = type
local raw_find, raw_match, raw_gmatch, raw_gsub =
  string.find, string.match, string.gmatch, string.gsub
local sub, byte, char, format = string.sub, string.byte, string.char, string.format
local concat, unpack = table.concat, table.unpack

local MAX_CAPTURES <const> = 32
local POSITION <const>, OPEN <const> = -2, -1 -- instead of a capture's length

-- Steps the library may take at worst: what each repetition can try, from each start.
local function cost(text, pattern)
  local _, repetitions = raw_gsub(pattern, "[*+?-]", "")
  local _, others = raw_gsub(pattern, "%%[bf%d]", "")
  local starts = byte(pattern, 1) == 94 and 0 or 1
  return (#text + 1) ^ (repetitions + others + starts) * (#pattern + 1)
end

local function harmless(text, pattern)
  return raw_type(text) ~= "string" or raw_type(pattern) ~= "string"
    or cost(text, pattern) <= lib.library_steps
end

-- ------------------------------------------------------------- compilation

-- For each byte whether a class ("x", "%a", "[a-z]") has it; the library itself says so.
local function members(class)
  local has, pattern = {}, "^" .. class .. "$"
  for code = 0, 255 do
    has[code] = raw_find(char(code), pattern) ~= nil
  end
  return has
end

-- The end of the class that begins at `at`.
local function class_end(pattern, at)
  local c = sub(pattern, at, at)
  if c == "%" then
    if at == #pattern then
      error("malformed pattern (ends with '%')", 0)
    end
    return at + 1
  elseif c ~= "[" then
    return at
  end
  local place = at + 1
  if sub(pattern, place, place) == "^" then
    place = place + 1
  end
  repeat
    if place > #pattern then
      error("malformed pattern (missing ']')", 0)
    end
    place = place + (sub(pattern, place, place) == "%" and 2 or 1)
  until sub(pattern, place, place) == "]"
  return place
end

local REPEATED = { ["*"] = true, ["+"] = true, ["-"] = true, ["?"] = true }

local function class_node(pattern, at, classes)
  local last = class_end(pattern, at)
  local class = sub(pattern, at, last)
  if #class == 1 and raw_find(class, "[^%w.]") then
    class = "%" .. class
  end
  classes[class] = classes[class] or members(class)
  local sign = sub(pattern, last + 1, last + 1)
  if REPEATED[sign] then
    return { kind = sign, has = classes[class] }, last + 2
  end
  return { kind = "one", has = classes[class] }, last + 1
end

local function escaped_node(pattern, at, classes)
  local c = sub(pattern, at + 1, at + 1)
  if c == "b" then
    if at + 3 > #pattern then
      error("malformed pattern (missing arguments to '%b')", 0)
    end
    return { kind = "balance", from = byte(pattern, at + 2), to = byte(pattern, at + 3) }, at + 4
  elseif c == "f" then
    if sub(pattern, at + 2, at + 2) ~= "[" then
      error("missing '[' after '%f' in pattern", 0)
    end
    local last = class_end(pattern, at + 2)
    return { kind = "frontier", has = members(sub(pattern, at + 2, last)) }, last + 1
  elseif raw_find(c, "^%d$") then
    return { kind = "back", index = byte(c) - 48 }, at + 2
  end
  return class_node(pattern, at, classes)
end

-- The nodes of a pattern, and whether it is anchored.
local function compile(pattern)
  local nodes, classes = {}, {}
  local anchored = sub(pattern, 1, 1) == "^"
  local at = anchored and 2 or 1
  while at <= #pattern do
    local c, node = sub(pattern, at, at), nil
    if c == "(" and sub(pattern, at + 1, at + 1) == ")" then
      node, at = { kind = "position" }, at + 2
    elseif c == "(" then
      node, at = { kind = "open" }, at + 1
    elseif c == ")" then
      node, at = { kind = "close" }, at + 1
    elseif c == "$" and at == #pattern then
      node, at = { kind = "end" }, at + 1
    elseif c == "%" then
      node, at = escaped_node(pattern, at, classes)
    else
      node, at = class_node(pattern, at, classes)
    end
    nodes[#nodes + 1] = node
  end
  return nodes, anchored
end

-- ---------------------------------------------------------------- matching

local step -- step(m, i, at): match the nodes from `i` on at `at`; where the match ends, or nil

local kinds = {}

function kinds.one(m, i, at, node)
  if node.has[byte(m.text, at)] then
    return step(m, i + 1, at + 1)
  end
end

kinds["?"] = function(m, i, at, node)
  local last = node.has[byte(m.text, at)] and step(m, i + 1, at + 1)
  return last or step(m, i + 1, at)
end

local function greedy(m, i, at, node, least)
  local has, text, last = node.has, m.text, at
  while has[byte(text, last)] do
    last = last + 1
  end
  for place = last, at + least, -1 do
    local found = step(m, i + 1, place)
    if found then
      return found
    end
  end
end

kinds["*"] = function(m, i, at, node)
  return greedy(m, i, at, node, 0)
end

kinds["+"] = function(m, i, at, node)
  return greedy(m, i, at, node, 1)
end

kinds["-"] = function(m, i, at, node)
  while true do
    local found = step(m, i + 1, at)
    if found then
      return found
    elseif not node.has[byte(m.text, at)] then
      return nil
    end
    at = at + 1
  end
end

kinds["end"] = function(m, i, at)
  if at == #m.text + 1 then
    return step(m, i + 1, at)
  end
end

local function open(m, i, at, size)
  local level = m.level + 1
  if level > MAX_CAPTURES then
    error("too many captures", 0)
  end
  m.starts[level], m.sizes[level], m.level = at, size, level
  local found = step(m, i + 1, at)
  if not found then
    m.level = level - 1
  end
  return found
end

function kinds.open(m, i, at)
  return open(m, i, at, OPEN)
end

function kinds.position(m, i, at)
  return open(m, i, at, POSITION)
end

function kinds.close(m, i, at)
  for level = m.level, 1, -1 do
    if m.sizes[level] == OPEN then
      m.sizes[level] = at - m.starts[level]
      local found = step(m, i + 1, at)
      if not found then
        m.sizes[level] = OPEN
      end
      return found
    end
  end
  error("invalid pattern capture", 0)
end

function kinds.balance(m, i, at, node)
  if byte(m.text, at) ~= node.from then
    return nil
  end
  local depth = 1
  for place = at + 1, #m.text do
    local c = byte(m.text, place)
    if c == node.to then
      depth = depth - 1
      if depth == 0 then
        return step(m, i + 1, place + 1)
      end
    elseif c == node.from then
      depth = depth + 1
    end
  end
end

function kinds.frontier(m, i, at, node)
  local before = at > 1 and byte(m.text, at - 1) or 0
  if not node.has[before] and node.has[byte(m.text, at) or 0] then
    return step(m, i + 1, at)
  end
end

function kinds.back(m, i, at, node)
  local size = node.index <= m.level and m.sizes[node.index] or OPEN
  if node.index == 0 or size == OPEN then
    error(format("invalid capture index %%%d in pattern", node.index), 0)
  end
  local start = m.starts[node.index]
  if size >= 0 and sub(m.text, start, start + size - 1) == sub(m.text, at, at + size - 1) then
    return step(m, i + 1, at + size)
  end
end

function step(m, i, at)
  local node = m.nodes[i]
  if node == nil then
    return at
  end
  return kinds[node.kind](m, i, at, node)
end

local function capture(m, index, first, last)
  if index > m.level then
    if index ~= 1 then
      error(format("invalid capture index %%%d", index), 0)
    end
    return sub(m.text, first, last)
  end
  local size, start = m.sizes[index], m.starts[index]
  if size == POSITION then
    return start
  elseif size == OPEN then
    error("unfinished capture", 0)
  end
  return sub(m.text, start, start + size - 1)
end

-- The captures; the whole match when `whole` and there are none.
local function captures(m, first, last, whole)
  local count, values = m.level, {}
  if count == 0 and whole then
    count = 1
  end
  for index = 1, count do
    values[index] = capture(m, index, first, last)
  end
  return unpack(values, 1, count)
end

local function matcher(text, pattern)
  local nodes, anchored = compile(pattern)
  return { text = text, nodes = nodes, starts = {}, sizes = {}, level = 0 }, anchored
end

-- First and last byte of the first match from `at` on, or nil.
local function search(m, anchored, at)
  for start = at, anchored and at or #m.text + 1 do
    m.level = 0
    local after = step(m, 1, start)
    if after then
      return start, after - 1
    end
  end
end

-- Run a search as if it were the library: errors are the caller's.
local function call(f, ...)
  local function results(ok, ...)
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return results(lib.env.pcall(f, ...))
end

-- --------------------------------------------------------------- functions

local function first_place(text, init)
  init = init or 1
  if init < 0 then
    init = init + #text + 1
  end
  return init < 1 and 1 or init
end

local function find_slowly(text, pattern, init, plain, whole)
  local at = first_place(text, init)
  if at > #text + 1 then
    return nil
  end
  -- To `find`, but not to `match`, a pattern without any of these is plain text, even a lone `)`.
  if plain or not (whole or raw_find(pattern, "[%^%$%*%+%?%.%(%[%%%-]")) then
    pattern = raw_gsub(pattern, "%W", "%%%0")
  end
  local m, anchored = matcher(text, pattern)
  local first, last = search(m, anchored, at)
  if first == nil then
    return nil
  elseif whole then
    return captures(m, first, last, true)
  end
  return first, last, captures(m, first, last, false)
end

function string.find(text, pattern, init, plain)
  if harmless(text, pattern) then
    return raw_find(text, pattern, init, plain)
  end
  return call(find_slowly, text, pattern, lib.integer(init, 1, 3, "find"), plain, false)
end

function string.match(text, pattern, init)
  if harmless(text, pattern) then
    return raw_match(text, pattern, init)
  end
  return call(find_slowly, text, pattern, lib.integer(init, 1, 3, "match"), false, true)
end

-- A caret is an ordinary character of `gmatch`.
function string.gmatch(text, pattern, init)
  if harmless(text, pattern) then
    return raw_gmatch(text, pattern, init)
  end
  local m = matcher(text, byte(pattern, 1) == 94 and "%" .. pattern or pattern)
  local at, matched_to = first_place(text, lib.integer(init, 1, 3, "gmatch")), nil
  return function()
    while at <= #text + 1 do
      local first, last = search(m, false, at)
      if first == nil then
        break
      end
      if last + 1 ~= matched_to then
        at, matched_to = last + 1, last + 1
        return captures(m, first, last, true)
      end
      at = first + 1
    end
    at = #text + 2
  end
end

local function replacement(m, with, first, last)
  local value
  if raw_type(with) == "function" then
    value = with(captures(m, first, last, true))
  elseif raw_type(with) == "table" then
    value = with[capture(m, 1, first, last)]
  else
    return (raw_gsub(with, "%%(.)", function(c)
      if c == "0" then
        return sub(m.text, first, last)
      elseif c == "%" then
        return "%"
      elseif raw_find(c, "%d") then
        return tostring(capture(m, byte(c) - 48, first, last))
      end
      error("invalid use of '%' in replacement string", 0)
    end))
  end
  if not value then
    return sub(m.text, first, last)
  elseif raw_type(value) ~= "string" and raw_type(value) ~= "number" then
    error("invalid replacement value (a " .. lib.type_of(value) .. ")", 0)
  end
  return tostring(value)
end

local function replace_slowly(text, pattern, with, most)
  local m, anchored = matcher(text, pattern)
  local parts, at, count, matched_to = {}, 1, 0, nil
  while count < most do
    m.level = 0
    local after = step(m, 1, at)
    if after and after ~= matched_to then
      count = count + 1
      parts[#parts + 1] = replacement(m, with, at, after - 1)
      at, matched_to = after, after
    elseif at <= #text then
      parts[#parts + 1] = sub(text, at, at)
      at = at + 1
    else
      break
    end
    if anchored then
      break
    end
  end
  parts[#parts + 1] = sub(text, at)
  return concat(parts), count
end

local REPLACEMENTS = { string = true, number = true, table = true, ["function"] = true }

function string.gsub(text, pattern, with, most)
  if harmless(text, pattern) or not REPLACEMENTS[raw_type(with)] then
    return raw_gsub(text, pattern, with, most)
  end
  return call(replace_slowly, text, pattern, with, lib.integer(most, #text + 1, 4, "gsub"))
end
