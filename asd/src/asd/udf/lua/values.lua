-- The database's values: what list, map, bytes and geojson have in common, and geojson.
--
-- A value is a box: a table that keeps its content under private keys, with a metatable that makes
-- it behave as the documentation says. To users' code its type is "userdata".

local lib = ...

local env, boxes, boxed = lib.env, lib.boxes, lib.boxed
local metatable_of, bad_argument = lib.metatable_of, lib.bad_argument
local raw_type, setmetatable, tostring = type, setmetatable, tostring
local concat, ipairs, error, math_type = table.concat, ipairs, error, math.type
local format, gsub, byte, sub = string.format, string.gsub, string.byte, string.sub

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

-- An error of the caller's caller unless `value` is of the class.
function lib.check(value, metatable, index, name)
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
function lib.library(name, call)
  local functions = setmetatable({}, { __call = call })
  env[name] = functions
  return functions
end

-- --------------------------------------------------------------- geojson

function lib.new_geojson(text)
  return setmetatable({ [DATA] = text }, Geojson)
end

lib.library("geojson", function(_, text)
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
    for index, key in ipairs((lib.sorted_keys(value))) do
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

-- ------------------------------------------------------------------ math

function env.math.sum(a, b)
  return a + b
end

function env.math.product(a, b)
  return a * b
end
