"""Stream functions, fed in slices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.message import parse_message
from asd.bins.particle import Particle
from asd.records.record import pack_bins
from asd.udf import Aggregation, AggregationError, Call

MODULE = """
local function value(rec) return rec.a end
local function add(x, y) return x + y end

function values(s) return s:map(value) end
function count(s) return s:map(function() return 1 end):reduce(add) end
function total(s) return s:map(value):reduce(add) end
function at_least(s, n) return s:filter(function(rec) return rec.a >= n end):map(value) end
function folded(s)
  local function fold(m, rec) m.n = m.n + 1 m.t = m.t + rec.a return m end
  return s:aggregate(map{ n = 0, t = 0 }, fold)
    :reduce(function(x, y) return map{ n = x.n + y.n, t = x.t + y.t } end)
end
function early(s) return s:map(value):aggregate(0, function(x, y) return x + y end) end
function grouped(s) return s:map(value):groupby(function(v) return v % 3 end) end
function client_part(s)
  return s:map(value):reduce(add):map(function(v) error("on the client") end)
end
function strings(s) return s:map(function(rec) return "v" .. rec.a end) end
function first(s)
  local n = 0
  return s:map(function(rec)
    n = n + 1
    if n < 3 then return rec.a end
  end)
end
function nothing(s) return s end
function tables(s) return s:map(function(rec) return { rec.a } end) end
function fails(s) return s:map(function(rec) error("in stream") end) end
function fails_at_the_end(s)
  local after = s:aggregate(0, function(total, rec) return total + rec.a end)
  return after:map(function(total) error("at the end") end)
end
function fails_at_once(s) error("no chain") end
function no_chain(s) return 5 end
function nil_chain(s) end
function runs_away(s) return s:filter(function() while true do end end) end
function writes(s)
  return s:map(function(rec)
    rec.a = 1
    local answers = list{ aerospike:update(rec), aerospike:create(rec), aerospike:remove(rec) }
    list.append(answers, record.gen(rec))
    return answers
  end)
end
function remembers(s) seen = (seen or 0) + 1 return s:map(function() return seen end) end
"""


@pytest.fixture(scope="module")
def lua(make_functions: Any) -> Any:
    made = make_functions()
    made.register(MODULE)
    return made


def records(numbers: list[int]) -> list[Any]:
    return [
        (
            number.to_bytes(20, "big"),
            (1, 0, 0, 0, 0, pack_bins({b"a": Particle(1, number.to_bytes(8, "big", signed=True))})),
        )
        for number in numbers
    ]


def start(lua: Any, function: str, *arguments: Any) -> Aggregation:
    call = Call("m", function.encode(), as_msgpack.pack(list(arguments)))
    return Aggregation(lua.node.udf, lua.namespace, call, timeout_ms=1000)


def run(lua: Any, function: str, numbers: list[int], *arguments: Any, slice_size: int = 3) -> Any:
    aggregation = start(lua, function, *arguments)
    ops: list[bytes] = []
    for begin in range(0, len(numbers), slice_size):
        if aggregation.done:
            break
        ops += aggregation.feed(records(numbers[begin : begin + slice_size]))
    ops += aggregation.finish()
    return [plain(op) for op in ops]


def plain(op: bytes) -> Any:
    header = b"\x16" + bytes(18) + b"\0" + b"\0\x01"
    parsed = parse_message(header + op).ops[0]
    assert parsed.name == b"SUCCESS"
    if parsed.particle_type == 1:
        return int.from_bytes(parsed.value, "big", signed=True)
    return parsed.value.decode() if parsed.particle_type == 3 else as_msgpack.unpack(parsed.value)


some_numbers = st.lists(st.integers(0, 400), max_size=20)


@given(numbers=some_numbers, slice_size=st.integers(1, 7))
def test_operators_do_what_python_does(lua: Any, numbers: list[int], slice_size: int) -> None:
    def result(function: str, *arguments: Any) -> Any:
        return run(lua, function, numbers, *arguments, slice_size=slice_size)

    assert result("values") == numbers
    assert result("strings") == [f"v{n}" for n in numbers]
    assert result("at_least", 100) == [n for n in numbers if n >= 100]
    assert result("count") == ([len(numbers)] if numbers else [])
    assert result("total") == result("client_part") == ([sum(numbers)] if numbers else [])
    assert result("folded") == [{"\x03n": len(numbers), "\x03t": sum(numbers)}]
    groups: dict[int, list[int]] = {}
    for number in numbers:
        groups.setdefault(number % 3, []).append(number)
    assert result("grouped") == [groups]
    assert result("early") == early(numbers)
    assert result("nothing") == result("tables") == []


def early(numbers: list[int]) -> list[int]:
    """Sums, handed on as soon as they are large."""
    sums, total = [], 0
    for number in numbers:
        total += number
        if total >= 1000:
            sums.append(total)
            total = 0
    return [*sums, total]


def test_a_nil_ends_the_stream(lua: Any) -> None:
    aggregation = start(lua, "first")
    assert [plain(op) for op in aggregation.feed(records([5, 6, 7, 8]))] == [5, 6]
    assert aggregation.done
    assert aggregation.finish() == []


def test_many_outputs_of_one_slice(lua: Any) -> None:
    numbers = list(range(12_000))
    assert run(lua, "values", numbers, slice_size=12_000) == numbers


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("fails", r"m\.lua:\d+: in stream"),
        ("fails_at_the_end", r"m\.lua:\d+: at the end"),
        ("fails_at_once", r"m\.lua:\d+: no chain"),
        ("absent", "function not found"),
        ("MODULE", "function not found"),
        ("no_chain", r'\[string "aerospike\.lua"\]:33: attempt to index a number value'),
        ("nil_chain", r'\[string "aerospike\.lua"\]:33: attempt to index a nil value'),
    ],
)
def test_failures(lua: Any, function: str, text: str) -> None:
    with pytest.raises(AggregationError, match="^UDF: Execution Error 2 : " + text) as caught:
        run(lua, function, [1, 2])
    assert caught.value.op()[8:].startswith(b"FAILURE")


def test_a_module_that_is_not_there(lua: Any) -> None:
    with pytest.raises(AggregationError, match=r"^UDF: Execution Error 1$"):
        Aggregation(lua.node.udf, lua.namespace, Call("absent", b"f", b"\x90"), 1000)


def test_a_runaway_is_stopped(lua: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asd.udf.lua_state.MAX_INSTRUCTIONS", 100_000)
    with pytest.raises(AggregationError, match="Timeout"):
        run(lua, "runs_away", [1])
    assert run(lua, "count", [1]) == [1]


def test_records_of_a_stream_are_not_written(lua: Any) -> None:
    assert run(lua, "writes", [7]) == [[-1, -1, -1, 1]]


def test_streams_at_once_do_not_share_a_state(lua: Any) -> None:
    one, other = start(lua, "total"), start(lua, "total")
    one.feed(records([1, 2]))
    other.feed(records([10]))
    assert lua.failure("absent") == "function not found"  # a call on a record in between
    one.feed(records([3]))
    assert [plain(op) for op in one.finish()] == [6]
    assert [plain(op) for op in other.finish()] == [10]


def test_states_come_back_and_old_ones_do_not(lua: Any) -> None:
    assert run(lua, "remembers", [0]) in ([1], [2])
    aggregation = start(lua, "total")
    lua.register(MODULE)
    aggregation.feed(records([1]))
    aggregation.finish()
    assert run(lua, "remembers", [0]) == [1]


def test_a_closed_aggregation_is_over(lua: Any) -> None:
    aggregation = start(lua, "total")
    aggregation.close()
    aggregation.close()
    with pytest.raises(ValueError, match="over"):
        aggregation.feed([])
