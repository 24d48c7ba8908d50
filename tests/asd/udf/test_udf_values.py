"""Values on their way into Lua and out, and the types that users' code works on them with."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType

MODULE = """
function same(rec, value) return value end
function kind(rec, value) return type(value) end
function text(rec, value) return tostring(value) end

-- steps: list of {operation, ...}; returns the list after all of them and what they answered
function on_list(rec, l, steps)
  local answers = list()
  for step in list.iterator(steps) do
    local name, a, b = step[1], step[2], step[3]
    if name == "set" then l[a] = b
    elseif name == "get" then list.append(answers, l[a])
    elseif name == "concat" then list.concat(l, a)
    else list.append(answers, list[name](l, a, b)) end
  end
  return list{ l, answers, #l }
end

function on_map(rec, m, steps)
  local answers = list()
  for step in list.iterator(steps) do
    local name, key, value = step[1], step[2], step[3]
    if name == "set" then m[key] = value
    elseif name == "get" then list.append(answers, m[key])
    elseif name == "remove" then map.remove(m, key)
    else list.append(answers, map.size(m)) end
  end
  return list{ m, answers, #m }
end

function entries(rec, m)
  local keys, values, both = list(), list(), list()
  for key in map.keys(m) do list.append(keys, key) end
  for value in map.values(m) do list.append(values, value) end
  for key, value in map.pairs(m) do list.append(both, key) list.append(both, value) end
  return list{ keys, values, both }
end

function numbers(rec, kind, value)
  local b = bytes()
  local grown = bytes["append_" .. kind](b, value)
  local written = bytes["set_" .. kind](b, 3, value)
  local answers = list{ grown, written, b }
  list.append(answers, bytes["get_" .. kind](b, 3))
  list.append(answers, bytes.get_string(b, 1, 2))
  return answers
end

function var(rec, value)
  local b = bytes()
  bytes.append_int64(b, 0)
  local size = bytes.set_var_int(b, 1, value)
  local got, length = bytes.get_var_int(b, 1)
  return list{ size, got, length, bytes.append_var_int(b, value), bytes.size(b) }
end

function misuse(rec)
  local caught = list()
  local function try(f, ...) local _, message = pcall(f, ...) list.append(caught, message) end
  try(list.append, nil, 1)
  try(list.append, map(), 1)
  try(map.size, {})
  try(bytes.get_byte, list(), 1)
  try(list.remove, list{1}, {})
  try(next, list())
  try(setmetatable, map(), {})
  try(function() return list() + 1 end)
  return caught
end

function ignored(rec)
  local l, m = list{1}, map()
  list.append(l, {}) list.append(l, print) l[1] = {} list.append(l, rec)
  m[{}] = 1 m.x = {} m[0/0] = 1
  list.insert(l, 0, 9) list.insert(l, 1 << 40, 9) l[-1] = 9 l[1 << 40] = 9
  return list{ l, m, list.take(l, 0) == nil, list.create(-1) == nil, map.create(0) == nil }
end

function float_key(rec) local m = map() m[1.5] = 1 return m end
function deep(rec)
  local l = list()
  for i = 1, 1000 do local outer = list() list.append(outer, l) l = outer end
  return l
end
function itself(rec) local l = list() list.append(l, l) return l end
function place(rec, at) return geojson(at) end
function place_text(rec, at) return tostring(geojson(at)) end
function merged(rec, a, b) return map.merge(a, b, function(x, y) return x * 100 + y end) end
function second(rec, a, b) return map.merge(a, b) end
function typed(rec, b, kind) bytes.set_type(b, kind) return b end
function classes(rec)
  return list{ getmetatable(list()) == List, getmetatable(map()) == Map,
    getmetatable(bytes()) == Bytes, getmetatable(map()) == List }
end
"""


@pytest.fixture(scope="module")
def lua(make_functions: Any) -> Any:
    """One node for every example: the functions here keep nothing."""
    made = make_functions()
    made.register(MODULE)
    return made


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=40).map(lambda text: "\x03" + text),
    st.binary(max_size=40).map(lambda data: "\x04" + data.decode("utf-8", "surrogateescape")),
    st.just('\x17{"type":"Point","coordinates":[1,2]}'),
)
keys = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=20).map(lambda text: "\x03" + text),
    st.binary(max_size=20).map(lambda data: "\x04" + data.decode("utf-8", "surrogateescape")),
)


def sorted_maps(value: Any) -> Any:
    """Maps in the order in which they are stored."""
    return as_msgpack.normalise_for_storage(value)


values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20), st.dictionaries(keys, inner, max_size=20)
    ),
    max_leaves=40,
)


@given(value=values)
def test_a_value_comes_back_as_it_went_in(lua: Any, value: Any) -> None:
    packed = as_msgpack.pack([[value]])
    assert as_msgpack.pack(lua.result("same", packed=packed)) == as_msgpack.pack(
        sorted_maps([value])
    )


@pytest.mark.parametrize("count", [15, 16, 255, 256, 65535, 65536])
def test_containers_of_every_header_size(lua: Any, count: int) -> None:
    numbers = list(range(count))
    assert lua.result("same", numbers) == numbers
    assert lua.result("same", {n: n for n in numbers}) == {n: n for n in numbers}
    assert lua.result("same", ["\x03" + "x" * count]) == ["\x03" + "x" * count]


def test_flags_of_containers_are_kept(lua: Any) -> None:
    ordered_list, ordered_map = b"\x93\xc7\x00\x01\x01\x02", b"\x82\xc7\x00\x01\xc0\xa2\x03a\x01"
    for packed in (ordered_list, ordered_map):
        _, value = answer(lua.call("same", packed=b"\x91" + packed))
        assert value == packed


def answer(reply: Any) -> tuple[int, bytes]:
    size, _, kind, _, name_size = struct.unpack_from(">IBBBB", reply.ops)
    return kind, reply.ops[8 + name_size : 4 + size]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "nil", "nil"),
        (True, "boolean", "true"),
        (7, "number", "7"),
        (1.5, "number", "1.5"),
        ("\x03ab", "string", "ab"),
        ("\x04\x01\x7f", "userdata", "01 7F"),
        ("\x04", "userdata", "Bytes()"),
        ([1, "\x03a", [True, None]], "userdata", '[1, "a", [true, NIL]]'),
        ({"\x03k": 1, 2: 2.5}, "userdata", '{2:2.5, "k":1}'),
        ('\x17{"a":1}', "userdata", '{"a":1}'),
    ],
)
def test_types_and_texts(lua: Any, value: Any, kind: str, text: str) -> None:
    assert lua.result("kind", value) == kind
    assert lua.result("text", value) == text


# ----------------------------------------------------------------------- list

items = st.integers(-5, 5)
positions = st.integers(-1, 8)
list_steps = st.one_of(
    st.tuples(st.sampled_from(["append", "prepend"]), items),
    st.tuples(st.just("insert"), positions, items),
    st.tuples(st.just("set"), positions, items),
    st.tuples(st.sampled_from(["remove", "get", "trim", "take", "drop"]), positions),
    st.tuples(st.sampled_from(["size", "clone"])),
    st.tuples(st.sampled_from(["concat", "merge"]), st.lists(items, max_size=4)),
)


def apply_to_list(model: list[Any], step: tuple[Any, ...]) -> list[Any]:
    """Change the model; what the step answers, in a list, or nothing."""
    name, *rest = step
    at = rest[0] if rest else 0
    match name:
        case "append":
            model.append(at)
        case "prepend":
            model.insert(0, at)
        case "insert" if at > 0:
            model.extend([None] * (at - 1 - len(model)))
            model.insert(at - 1, rest[1])
        case "set" if at > 0:
            model.extend([None] * (at - len(model)))
            model[at - 1] = rest[1]
        case "remove" if 0 < at <= len(model):
            del model[at - 1]
        case "trim" if 0 < at <= len(model):
            del model[at - 1 :]
        case "concat":
            model.extend(at)
            return []
        case "get":
            return [model[at - 1] if 0 < at <= len(model) else None]
        case "take":
            return [model[:at] if at > 0 else None]
        case "drop":
            return [model[at:] if at > 0 else None]
        case "size":
            return [len(model)]
        case "clone":
            return [list(model)]
        case "merge":
            return [model + at]
    return [] if name == "set" else [None]


@given(start=st.lists(items, max_size=6), steps=st.lists(list_steps, max_size=12))
def test_lists_do_what_a_list_does(lua: Any, start: list[int], steps: list[Any]) -> None:
    wire = [["\x03" + name, *rest] for name, *rest in steps]
    model: list[Any] = list(start)
    answers = [value for step in steps for value in apply_to_list(model, step)]
    assert lua.result("on_list", start, wire) == [model, answers, len(model)]


# ------------------------------------------------------------------------ map

few_keys = st.sampled_from([1, 2, "\x03a", "\x03b", "\x04a", "\x03"])
map_steps = st.one_of(
    st.tuples(st.just("set"), few_keys, st.one_of(items, st.none(), st.booleans())),
    st.tuples(st.sampled_from(["get", "remove", "size"]), few_keys),
)


@given(start=st.dictionaries(few_keys, items, max_size=4), steps=st.lists(map_steps, max_size=12))
def test_maps_do_what_a_dict_does(lua: Any, start: dict[Any, Any], steps: list[Any]) -> None:
    wire = [["\x03" + name, *rest] for name, *rest in steps]
    model, answers = dict(start), []
    for name, key, *value in steps:
        match name:
            case "set":
                model[key] = value[0]
            case "get":
                answers.append(model.get(key))
            case "remove":
                model.pop(key, None)
            case _:
                answers.append(len(model))
    assert lua.result("on_map", start, wire) == [model, answers, len(model)]


@given(pairs=st.dictionaries(few_keys, items, max_size=6))
def test_iteration_is_in_key_order(lua: Any, pairs: dict[Any, int]) -> None:
    ordered = as_msgpack.sort_pairs(list(pairs.items()))
    flat = [part for pair in ordered for part in pair]
    expected = [[key for key, _ in ordered], [value for _, value in ordered], flat]
    assert lua.result("entries", pairs) == expected


@given(st.data())
def test_merge_asks_only_for_keys_in_both(lua: Any, data: st.DataObject) -> None:
    one, other = (data.draw(st.dictionaries(few_keys, items, max_size=5)) for _ in range(2))
    both = {k: one[k] * 100 + other[k] for k in one if k in other}
    assert lua.result("merged", one, other) == {**one, **other, **both}
    assert lua.result("second", one, other) == {**one, **other}


# ---------------------------------------------------------------------- bytes

CODES = {
    "byte": ">B",
    "int16": ">h",
    "int16_be": ">h",
    "int16_le": "<h",
    "int32": ">i",
    "int32_le": "<i",
    "int64": ">q",
    "int64_le": "<q",
}


@given(kind=st.sampled_from(sorted(CODES)), value=st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=60)
def test_numbers_in_bytes(lua: Any, kind: str, value: int) -> None:
    try:
        packed = struct.pack(CODES[kind], value)
    except struct.error:
        packed = b""
    grown, written, data, got, head = lua.result("numbers", "\x03" + kind, value)
    assert grown is written is bool(packed)
    expected = (packed[:2].ljust(2, b"\0") + packed) if packed else b""
    assert data == "\x04" + expected.decode("utf-8", "surrogateescape")
    assert got == (value if packed else None)
    assert head == "\x03" + expected[:2].decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31 - 1])
def test_numbers_of_variable_length(lua: Any, value: int) -> None:
    size = max(1, -(-value.bit_length() // 7))
    assert lua.result("var", value) == [size, value, size, size, 8]


def test_the_type_of_bytes(lua: Any) -> None:
    assert answer(lua.call("typed", "\x04ab", 9)) == (ParticleType.PYTHON_BLOB, b"ab")


# ------------------------------------------------------------------- the rest


def test_geojson(lua: Any) -> None:
    kind, data = answer(lua.call("place", '\x03{"type":"Point"}'))
    assert (kind, data) == (ParticleType.GEOJSON, b'\0\0\0{"type":"Point"}')
    assert lua.result("place_text", '\x03{"type":"Point"}') == '{"type":"Point"}'


def test_misuse_names_the_argument(lua: Any) -> None:
    *misused, added = [text[1:] for text in lua.result("misuse")]
    assert re.fullmatch(r"m\.lua:\d+: attempt to perform arithmetic on a List value", added)
    assert misused == [
        "bad argument #1 to 'append' (userdata expected, got no value)",
        "bad argument #1 to 'append' (List expected, got Map)",
        "bad argument #1 to 'size' (userdata expected, got table)",
        "bad argument #1 to 'get_byte' (Bytes expected, got List)",
        "bad argument #2 to 'remove' (number expected, got table)",
        "bad argument #1 to 'next' (table expected, got List)",
        "bad argument #1 to 'setmetatable' (table expected, got Map)",
    ]


def test_what_has_no_wire_form_is_not_taken_in(lua: Any) -> None:
    assert lua.result("ignored") == [[1], {}, True, True, True]


def test_what_cannot_be_stored_is_a_failure(lua: Any) -> None:
    assert lua.failure("float_key") == "a stored map has no keys of type float"
    assert lua.failure("deep") == "nested too deeply"
    assert lua.failure("itself") == "nested too deeply"


def test_classes_are_told_apart_by_their_metatable(lua: Any) -> None:
    assert lua.result("classes") == [True, True, True, False]
