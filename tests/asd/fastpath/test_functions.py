"""The fast path of functions: what it takes for a call, and how it gives one up."""

from __future__ import annotations

import struct
from typing import Any, Final

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info2, ParticleType, ResultCode
from asd.fastpath import functions, known
from asd.fastpath.cache import head_size
from asd.transactions.heavy import Leave

SOURCE: Final = b"""
function add(r, bin, value)
  r[bin] = value
  aerospike:update(r)
  return value
end
"""


@pytest.fixture
def wire(kit: Any) -> Any:
    """A client of a node that has the function, and a record."""
    node = kit.make_node()
    node.udf.put("m.lua", SOURCE)
    wire = kit.Wire(node)
    wire.send(kit.put(1, (b"a", ParticleType.INTEGER, bytes(8))))
    return wire


def call(kit: Any, bin: str, value: as_msgpack.Value, **more: Any) -> bytes:
    """A request for `add`."""
    arguments = as_msgpack.pack([b"\3" + bin.encode(), value])
    fields = {
        FieldType.UDF_PACKAGE: b"m",
        FieldType.UDF_FUNCTION: b"add",
        FieldType.UDF_ARGS: arguments,
        FieldType.UDF_OP: b"\0",
    }
    return bytes(kit.request(1, info2=Info2.WRITE, fields=fields, **more))


def learned(wire: Any, request: bytes) -> Any:
    """The path for requests that begin like this one, if there is one."""
    return wire.node.paths.table.get(request[: head_size(request, 0)])


def test_new_arguments_and_bins_take_the_same_path(kit: Any, wire: Any) -> None:
    for number in range(known.KNOWN + 2):
        bin = "ab"[number % 2]
        reply = wire.call(call(kit, bin, number))
        assert reply.ops[0].value == struct.pack(">q", number)
        assert reply.generation == number + 2
    assert learned(wire, call(kit, "a", 1))
    found = {op.name: op.value for op in wire.call(kit.get(1)).ops}
    assert found == {b"a": struct.pack(">q", number - 1), b"b": struct.pack(">q", number)}


@pytest.mark.parametrize("value", [1.5, True, b"\3text", [1, 2], {1: 2}], ids=repr)
def test_a_value_of_any_type_is_written(kit: Any, wire: Any, value: as_msgpack.Value) -> None:
    for _ in range(3):
        answered = wire.call(call(kit, "a", value)).ops[0]
        stored = wire.call(kit.get(1)).ops[0]
        assert stored[1:] == (answered.particle_type, b"a", answered.value)


def test_a_bin_goes_and_with_the_last_the_record(kit: Any, wire: Any) -> None:
    for bin in "bb":
        wire.call(call(kit, bin, 1))
    assert wire.call(call(kit, "b", None)).result_code == ResultCode.OK
    assert [op.name for op in wire.call(kit.get(1)).ops] == [b"a"]
    assert wire.call(call(kit, "a", None)).result_code == ResultCode.OK
    assert wire.call(kit.get(1)).result_code == ResultCode.NOT_FOUND


def test_other_fields_of_the_same_size_are_not_a_call(kit: Any, wire: Any) -> None:
    request = call(kit, "a", 1)
    for _ in range(2):
        wire.call(request)
    kind = request.rindex(bytes((FieldType.UDF_FUNCTION,)) + b"add")
    other = request[:kind] + bytes((FieldType.KEY,)) + request[kind + 1 :]
    assert learned(wire, other)
    assert wire.call(other).result_code == ResultCode.PARAMETER


def test_one_that_takes_long_is_left_to_the_general_way(
    kit: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = call(kit, "a", 1)
    for _ in range(2):
        wire.call(request)
    path = learned(wire, request)
    assert path is not None

    def perform(transaction: Any, *_: object) -> None:
        raise Leave(transaction, 1)

    monkeypatch.setattr(functions, "perform", perform)
    reply = wire.call(request)
    assert (reply.result_code, reply.generation) == (ResultCode.OK, 4)
    assert learned(wire, request) is not path
