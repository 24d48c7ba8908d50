-- What the host calls. Every function catches what users' code throws; none throws itself.

local lib = ...

local env = lib.env
local raw_pcall, raw_type, unpack, error = pcall, type, table.unpack, error
local gsub = lib.gsub
local arguments, to_particle, new_record = lib.arguments, lib.to_particle, lib.new_record
local effects, start = lib.effects, lib.start

local entry = { env = env, expired = lib.expired, start = start }

-- The text of a failure: only strings are passed on, and no places in our own sources.
local function failure(message)
  if raw_type(message) == "string" then
    return (gsub(message, "^asd:%l+:%d+: ", ""))
  end
  return "result value type unexpected"
end

-- Run the module's file for its functions; nil, or what went wrong.
function entry.load(name, deadline_us, instructions)
  start(deadline_us, instructions)
  local ok, message = raw_pcall(lib.require, name)
  if not ok then
    return failure(message)
  end
end

local function call(f, record, values, count)
  local kind, data = to_particle(f(record, unpack(values, 1, count)))
  return kind, data, effects(record)
end

local function answer(ok, kind, ...)
  if ok then
    return kind, ...
  end
  return -1, failure(kind)
end

local function lookup(name)
  local f = env[name]
  if f == nil then
    error("function not found", 0)
  elseif raw_type(f) ~= "function" then
    error("attempt to call a " .. lib.type_of(f) .. " value", 0)
  end
  return f
end

-- The value as particle type and data, then the effects on the record (lib.effects).
-- A failure is -1 and its text.
function entry.apply_record(deadline_us, instructions, name, packed, ...)
  start(deadline_us, instructions)
  local ok, f = raw_pcall(lookup, name)
  if not ok then
    return -1, f
  end
  return answer(raw_pcall(call, f, new_record(...), arguments(packed)))
end

-- nil, or the failure's text.
function entry.begin_stream(deadline_us, instructions, name, packed)
  start(deadline_us, instructions)
  local ok, f = raw_pcall(lookup, name)
  if not ok then
    return f
  end
  local message
  ok, message = raw_pcall(lib.begin_stream, f, arguments(packed))
  if not ok then
    return failure(message)
  end
end

local function push(...)
  local record = new_record(...)
  lib.protect(record)
  return lib.push_stream(record)
end

-- Whether the stream wants more, or the failure's text.
function entry.push_stream(...)
  local ok, ended = raw_pcall(push, ...)
  if ok then
    return not ended
  end
  return failure(ended)
end

-- nil, or the failure's text.
function entry.finish_stream()
  local ok, message = raw_pcall(lib.finish_stream)
  if not ok then
    return failure(message)
  end
end

entry.take_outputs = lib.take_outputs

return entry
