"""The searches that can be stopped find what the library finds."""

from __future__ import annotations

import pkgutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa.lua54 import LuaRuntime  # type: ignore[import-untyped]

COMPARE = """
local native, slow = ...
local function run(f, ...) return table.pack(pcall(f, ...)) end
local function same(one, other)
  if one.n ~= other.n then return false end
  for i = 1, one.n do if one[i] ~= other[i] then return false end end
  return true
end
local function all(f, text, pattern)
  local found = {}
  for a, b in f(text, pattern) do
    found[#found + 1] = tostring(a) .. "|" .. tostring(b)
    if #found > 200 then break end
  end
  return table.concat(found, ";")
end
return function(text, pattern, init, with)
  local count = 0
  local function check(what, one, other)
    if not one[1] then return nil end
    count = count + 1
    if not same(one, other) then return what end
  end
  return check("find", run(native.find, text, pattern, init), run(slow.find, text, pattern, init))
    or check("match", run(native.match, text, pattern, init), run(slow.match, text, pattern, init))
    or check("plain", run(native.find, text, pattern, init, true),
      run(slow.find, text, pattern, init, true))
    or check("gmatch", run(all, native.gmatch, text, pattern), run(all, slow.gmatch, text, pattern))
    or check("gsub", run(native.gsub, text, pattern, with), run(slow.gsub, text, pattern, with))
    or check("gsub 2", run(native.gsub, text, pattern, string.upper, 2),
      run(slow.gsub, text, pattern, string.upper, 2))
    or count
end
"""


@pytest.fixture(scope="module")
def compare() -> Any:
    """Compares all searches; how many the library did without an error, or the name of one."""
    lua = LuaRuntime(encoding="latin-1")
    native = lua.execute("local t = {} for k, v in pairs(string) do t[k] = v end return t")
    lib = lua.execute(
        """return {
          library_steps = 0, type_of = type, env = { pcall = pcall },
          integer = function(value, default) return value or default end,
        }"""
    )
    source = pkgutil.get_data("asd.udf", "lua/patterns.lua")
    assert source is not None
    lua.execute(source.decode(), lib)
    return lua.execute(COMPARE, native, lua.globals().string)


PIECES = r"a b %a %d . [ab] [^a] [a-c%d] %% %. ^ $ () ( ) %1 %bab %f[a] []a] - * + ? %s"
pieces = st.sampled_from(PIECES.split())
repeated = st.tuples(pieces, st.sampled_from(["", "", "*", "+", "-", "?"])).map("".join)
patterns = st.lists(repeated, max_size=5).map("".join)
balanced = st.tuples(patterns, patterns).map(lambda two: f"({two[0]}){two[1]}")
texts = st.text(alphabet="aabbc1 %.\0ÿ", max_size=12)


@given(
    text=texts,
    pattern=st.one_of(patterns, balanced, patterns.map("^".__add__)),
    init=st.integers(-4, 8),
    with_=st.sampled_from(["", "x", "<%0>", "%1", "%%"]),
)
def test_the_same_results_as_the_library(
    compare: Any, text: str, pattern: str, init: int, with_: str
) -> None:
    assert isinstance(compare(text, pattern, init, with_), int)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("  trimmed text ", "^%s*(.-)%s*$"),
        ("key = value", "^(%w+)%s*=%s*(%w+)$"),
        ("THE (quick) fox", "%((%a+)%)"),
        ("THE (quick) fox", "%f[%a]%a+"),
        ("f(a(b)c)d", "%b()"),
        ("hello hello", "(%w+) %1"),
        ("x", ""),
        ("one;two;;four", "([^;]*)"),
        ("2026-11-21", "(%d+)-(%d+)-(%d+)"),
        ("a.b", "()%.()"),
    ],
)
def test_patterns_from_life(compare: Any, text: str, pattern: str) -> None:
    assert compare(text, pattern, 1, "<%0>") == 6


@pytest.mark.parametrize("text", ["f(x)", "x", ""])
def test_a_lone_bracket_is_plain_text_to_find_and_a_fault_to_all_others(
    compare: Any, text: str
) -> None:
    assert compare(text, ")", 1, "x") == 2
