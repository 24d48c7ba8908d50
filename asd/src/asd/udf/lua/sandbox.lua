-- The world of users' functions: what they may call, and what stops them.
--
-- Loaded first, with the shared table `lib` and the host's functions. Fills `lib.env` (the globals
-- of users' code) and gives the other parts what they need of the real libraries. Users' code sees
-- no function that reaches the host, no metatable but its own, and no way around the hook.
--
-- Users' code may change the library `string` and the metatable of strings. So nothing here, and in
-- the other parts, calls methods of strings: what it needs it took before.

local lib, host = ...

local raw_error, raw_pcall, raw_load, raw_next = error, pcall, load, next
local raw_type, raw_setmetatable, raw_rawget = type, setmetatable, rawget
local raw_rawset, raw_rawlen = rawset, rawlen
local metatable_of, getinfo, sethook = debug.getmetatable, debug.getinfo, debug.sethook
local floor, tointeger, math_type = math.floor, math.tointeger, math.type
local concat, select, format, sub = table.concat, select, string.format, string.sub

local STEP <const> = 1000 -- instructions between two looks at the limits
local LARGE <const> = 1 << 16 -- a C function that made so many bytes is worth a look
local MAX_SOURCE <const> = 1 << 20 -- bytes that `load` compiles
local MAX_MOVED <const> = 10000000 -- elements that one call of `table.move` moves
local MOVED_AT_ONCE <const> = 65536 -- of them between two looks at the limits

local env = {}
local boxes = {} -- the metatables of the database's types

lib.env, lib.boxes, lib.metatable_of = env, boxes, metatable_of
lib.library_steps = 1e7 -- what a search in the library may cost (patterns.lua)
lib.gsub = string.gsub

-- ---------------------------------------------------------------- limits

-- `expired` is false, or the text of the error that says so.
local deadline, budget, expired = math.maxinteger, math.maxinteger, false

-- "file:line: " of the innermost code that is not ours.
local function position()
  for level = 3, 100 do
    local info = getinfo(level, "Sl")
    if info == nil then
      return ""
    end
    if sub(info.source, 1, 1) == "@" then
      return info.short_src .. ":" .. info.currentline .. ": "
    end
  end
  return ""
end
lib.position = position

local function tick()
  budget = budget - STEP
  if expired then
    raw_error(expired, 0)
  elseif budget < 0 or host.now_us() >= deadline then
    expired = position() .. "UDF Execution Timeout"
    raw_error(expired, 0)
  end
end

sethook(tick, "", STEP)

-- From now on code may run until `deadline_us`, for `instructions` at most.
function lib.start(deadline_us, instructions)
  deadline, budget, expired = deadline_us, instructions, false
end

function lib.expired()
  return expired ~= false
end

-- An error that was caught is thrown again once time is up: no loop around `pcall` lives on.
local function unless_expired(...)
  if expired then
    raw_error(expired, 0)
  end
  return ...
end

local function watched(text)
  if #text > LARGE then
    tick()
  end
  return text
end

-- ------------------------------------------------------------- arguments

local function boxed(value)
  return raw_type(value) == "table" and boxes[metatable_of(value)] ~= nil
end
lib.boxed = boxed

local function type_of(value)
  return boxed(value) and "userdata" or raw_type(value)
end
lib.type_of = type_of

-- As the C library reports it; `level` 2 is the caller of the function that calls this.
function lib.bad_argument(index, name, expected, value, level)
  local got = value == nil and "no value" or boxes[metatable_of(value)] or type_of(value)
  local text = "bad argument #%d to '%s' (%s expected, got %s)"
  raw_error(format(text, index, name, expected, got), (level or 2) + 1)
end

-- The integer that an argument stands for, `default` for none.
function lib.integer(value, default, index, name)
  if math_type(value) == "integer" then
    return value
  elseif value == nil then
    return default
  end
  local number = raw_type(value) ~= "table" and tonumber(value) or nil
  local integer = number and tointeger(number)
  if integer then
    return integer
  elseif number then
    local text = "bad argument #%d to '%s' (number has no integer representation)"
    raw_error(format(text, index, name), 3)
  end
  lib.bad_argument(index, name, "number", value, 3)
end

local function plain(value, name)
  if raw_type(value) ~= "table" or boxed(value) then
    lib.bad_argument(1, name, "table", value, 3)
  end
end

-- ----------------------------------------------------------- basic library

for _, name in ipairs({
  "assert", "error", "getmetatable", "ipairs", "rawequal", "select", "tonumber", "tostring",
  "_VERSION", "utf8",
}) do
  env[name] = _G[name]
end
env._G = env
env.type = type_of

function env.pairs(value)
  if boxed(value) then
    lib.bad_argument(1, "for iterator", "table", value)
  end
  return pairs(value)
end

function env.next(value, key)
  plain(value, "next")
  return raw_next(value, key)
end

function env.rawget(value, key)
  plain(value, "rawget")
  return raw_rawget(value, key)
end

function env.rawset(value, key, new)
  plain(value, "rawset")
  return raw_rawset(value, key, new)
end

function env.rawlen(value)
  if raw_type(value) ~= "string" then
    plain(value, "rawlen")
  end
  return raw_rawlen(value)
end

-- Finalizers run without hooks: one that never ends would hold the server for good.
function env.setmetatable(value, metatable)
  plain(value, "setmetatable")
  if raw_type(metatable) == "table" and raw_rawget(metatable, "__gc") ~= nil then
    raw_error("finalizers are not available", 2)
  end
  return raw_setmetatable(value, metatable)
end

function env.pcall(...)
  return unless_expired(raw_pcall(...))
end

-- The handler is called when the stack has been unwound: before, it would run without hooks.
function env.xpcall(f, handler, ...)
  local function handled(ok, ...)
    if ok then
      return true, ...
    end
    return false, handler(...)
  end
  return handled(unless_expired(raw_pcall(f, ...)))
end

local function source_text(chunk)
  if raw_type(chunk) ~= "function" then
    return chunk
  end
  local pieces, size = {}, 0
  for piece in chunk do
    if piece == "" then
      break
    end
    pieces[#pieces + 1], size = piece, size + #piece
    if size > MAX_SOURCE then
      raw_error("chunk too large", 3)
    end
  end
  return concat(pieces)
end

-- Text only: no verifier stands behind precompiled code.
function env.load(chunk, name, _, ...)
  local source = source_text(chunk)
  if raw_type(source) == "string" and #source > MAX_SOURCE then
    return nil, "chunk too large"
  end
  local globals = env
  if select("#", ...) > 0 then
    globals = (...)
  end
  return raw_load(source, name or (raw_type(chunk) == "function" and "=(load)" or nil), "t", globals)
end

function env.print(...)
  local texts = {}
  for i = 1, select("#", ...) do
    texts[i] = tostring((select(i, ...)))
  end
  host.log(2, position() .. concat(texts, "\t"))
end

local loaded = {}

-- Another module by its name without extension, run once for all who ask.
local function require(name)
  if raw_type(name) ~= "string" then
    lib.bad_argument(1, "require", "string", name)
  end
  if loaded[name] == nil then
    local source = host.source(name)
    if not source then
      raw_error("module '" .. name .. "' not found", 2)
    end
    local chunk, message = raw_load(source, "@" .. name .. ".lua", "t", env)
    if not chunk then
      raw_error(message, 0)
    end
    loaded[name] = true
    local result = chunk(name)
    if result ~= nil then
      loaded[name] = result
    end
  end
  return loaded[name]
end
env.require, lib.require = require, require

-- ------------------------------------------------------------- libraries

local function copy(library)
  local copied = {}
  for name, value in raw_next, library do
    copied[name] = value
  end
  return copied
end

env.math = copy(math)

-- Methods of strings are found through their metatable, so this library is changed in place.
env.string = string
string.dump = nil
local raw_rep = string.rep

function string.rep(text, count, separator)
  if text == "" and (separator == nil or separator == "") then
    return "" -- the library would do nothing `count` times
  end
  return watched(raw_rep(text, count, separator))
end

function string.format(...)
  return watched(format(...))
end

-- These libraries' loops run in C, out of the hook's sight: they must end by themselves.
env.table = copy(table)
local raw_insert, raw_remove, raw_move = table.insert, table.remove, table.move
local raw_concat, raw_sort = table.concat, table.sort

local function honest(value, name)
  local metatable = metatable_of(value)
  if metatable ~= nil and not boxes[metatable] and raw_type(value) == "table" then
    if raw_rawget(metatable, "__len") ~= nil then
      raw_error("'" .. name .. "' of a table with its own length", 3)
    end
  end
end

function env.table.insert(value, ...)
  honest(value, "insert")
  return raw_insert(value, ...)
end

function env.table.remove(value, ...)
  honest(value, "remove")
  return raw_remove(value, ...)
end

function env.table.sort(value, ...)
  honest(value, "sort")
  return raw_sort(value, ...)
end

-- In pieces, from the end where the ranges overlap so that the C library would begin there.
local function move_in_pieces(from, first, last, target, to)
  if target > last or target <= first or to ~= from then
    for start = first, last, MOVED_AT_ONCE do
      raw_move(from, start, math.min(start + MOVED_AT_ONCE - 1, last), target + (start - first), to)
      tick()
    end
  else
    for stop = last, first, -MOVED_AT_ONCE do
      local start = math.max(stop - MOVED_AT_ONCE + 1, first)
      raw_move(from, start, stop, target + (start - first), to)
      tick()
    end
  end
  return to
end

function env.table.move(from, first, last, ...)
  first = lib.integer(first, 0, 2, "move")
  last = lib.integer(last, 0, 3, "move")
  if last >= first and (first <= last - MAX_MOVED or last - first < 0) then
    raw_error("too many elements to move", 2)
  end
  local target, to = ...
  local plain_tables = raw_type(from) == "table" and (to == nil or raw_type(to) == "table")
  if last - first >= MOVED_AT_ONCE and plain_tables and math_type(target) == "integer" then
    if target <= math.maxinteger - (last - first) then
      return move_in_pieces(from, first, last, target, to or from)
    end
  end
  return raw_move(from, first, last, ...)
end

function env.table.concat(...)
  return watched(raw_concat(...))
end

-- Of `os` what tells the time, by the server's clock.
local time, date = os.time, os.date
env.os = { difftime = os.difftime }

local function now()
  return host.now_ms() // 1000
end

function env.os.time(parts)
  if parts == nil then
    return now()
  end
  plain(parts, "time")
  return (time(parts))
end

function env.os.date(form, at)
  return (watched(date(form or "%c", at or now())))
end

function env.os.clock()
  return host.now_us() / 1e6
end

local raw_create, raw_resume = coroutine.create, coroutine.resume
env.coroutine = copy(coroutine)

local function create(f)
  local thread = raw_create(f)
  sethook(thread, tick, "", STEP)
  return thread
end
env.coroutine.create = create

local function resume(...)
  return unless_expired(raw_resume(...))
end
env.coroutine.resume = resume

function env.coroutine.wrap(f)
  local thread = create(f)
  local function results(ok, ...)
    if not ok then
      raw_error((...), 0)
    end
    return ...
  end
  return function(...)
    return results(resume(thread, ...))
  end
end

function env.collectgarbage(option)
  return option == "count" and collectgarbage("count") or 0
end

-- Nothing of the real globals can be reached from `env`; these are gone all the same.
for _, name in ipairs({ "dofile", "io", "loadfile", "os", "package", "python", "require" }) do
  _G[name] = nil
end
debug = nil
