"""Aggregations: stream functions, begun by the server and finished by either face."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_client import BatchPut, IndexKind, Key, UdfFailed, between
from aerospike_client.aggregation import finish_stream

SOURCE = """
local function add_up(a, b) return a + b end

function total(stream, name)
  return stream : map(function(rec) return rec[name] or 0 end) : reduce(add_up)
end

local function gather(groups, rec)
  local group = rec.group
  groups[group] = (groups[group] or 0) + rec.n
  return groups
end

local function join(a, b) return map.merge(a, b, add_up) end

function by_group(stream)
  return stream : aggregate(map(), gather) : reduce(join)
end

function largest_group(stream)
  local function pick(groups)
    local best
    for key, value in map.pairs(groups) do
      if best == nil or value > groups[best] then best = key end
    end
    return list{best, groups[best]}
  end
  return stream : aggregate(map(), gather) : reduce(join) : map(pick)
end

function names(stream)
  return stream : filter(function(rec) return rec.n < 3 end) : map(function(rec) return rec.n end)
end

function wrong(stream)
  return stream : map(function(rec) return rec.n end) : reduce(function(a, b) return nothing.at end)
end
"""


@pytest.fixture
def filled(client: Any) -> Any:
    """A client of a server with 100 records in three groups, and the module."""
    client.batch(
        [BatchPut(Key("test", "agg", n), {"n": n, "group": "abc"[n % 3]}) for n in range(100)]
    )
    client.udf_put("agg.lua", SOURCE).wait(5000)
    return client


def test_a_stream_is_reduced_to_one_value(filled: Any) -> None:
    assert filled.aggregate("test", "agg", "agg", "total", ["n"]) == [4950]


def test_maps_and_lists_come_back_as_python_s(filled: Any) -> None:
    groups = {"abc"[rest]: sum(range(rest, 100, 3)) for rest in range(3)}
    assert filled.aggregate("test", "agg", "agg", "by_group") == [groups]
    assert filled.aggregate("test", "agg", "agg", "largest_group") == [["a", groups["a"]]]


def test_without_a_reduce_all_values_come(filled: Any) -> None:
    assert sorted(filled.aggregate("test", "agg", "agg", "names")) == [0, 1, 2]


def test_an_index_narrows_it(filled: Any) -> None:
    filled.create_index("aggn", "test", "agg", "n", IndexKind.NUMERIC).wait(5000)
    where = between("n", 10, 12)
    assert filled.aggregate("test", "agg", "agg", "total", ["n"], where=where) == [33]


def test_what_fails_on_the_server_is_told(filled: Any) -> None:
    with pytest.raises(UdfFailed, match="nothing"):
        filled.aggregate("test", "agg", "agg", "wrong")


def test_several_nodes_values_are_reduced_here() -> None:
    source = SOURCE.encode()
    assert finish_stream(source, "total", ["n"], [10, 20, 5]) == [35]
    parts = [{"a": 1, "b": 2}, {"b": 5, "c": 7}, {"a": 1}]
    assert finish_stream(source, "by_group", [], parts) == [{"a": 2, "b": 7, "c": 7}]
    assert finish_stream(source, "largest_group", [], parts) in ([["b", 7]], [["c", 7]])
    assert finish_stream(source, "names", [], [2, 0, 1]) == [2, 0, 1]


def test_what_fails_here_is_told() -> None:
    with pytest.raises(UdfFailed, match="on the client"):
        finish_stream(SOURCE.encode(), "wrong", [], [1, 2])
    with pytest.raises(UdfFailed, match="on the client"):
        finish_stream(b"function f(", "f", [], [])


def test_groups_are_joined() -> None:
    source = b"function f(s) return s : groupby(function(v) return v end) end"
    parts = [{"x": [1], "y": [2]}, {"x": [3]}]
    assert finish_stream(source, "f", [], parts) == [{"x": [1, 3], "y": [2]}]


@pytest.mark.parametrize(
    "escape",
    [
        *("io.open('x', 'w')", "os.execute('true')", "require('x')", "load('return 1')()"),
        *("python.eval('1')", "v.__class__", "dofile('x')", "string.dump(f)()"),
    ],
)
def test_a_module_reaches_nothing_of_this_machine(escape: str) -> None:
    source = f"function f(s) return s : reduce(function(v, w) return {escape} end) end"
    with pytest.raises(UdfFailed, match="on the client"):
        finish_stream(source.encode(), "f", [], [b"blob", b"blob"])


def test_blobs_pass_through() -> None:
    source = b"function f(s) return s : reduce(function(v, w) return w end) end"
    assert finish_stream(source, "f", [], [b"one", b"two"]) == [b"two"]
