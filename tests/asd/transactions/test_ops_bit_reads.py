"""Reads of bits: what is looked at first."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common.wire.codes import Info1, OpType, ResultCode
from aerospike_common.wire.message import Op

COUNT = bytes.fromhex("93330008")
MAP, STRING, BLOB = 19, 3, 4


@pytest.mark.parametrize("kind", [0, 1, STRING, BLOB, MAP])
def test_a_missing_bin_answers_before_the_type_of_the_argument(kit: Any, kind: int) -> None:
    wire = kit.Wire(kit.make_node())
    assert wire.call(kit.put(1, (b"b", BLOB, b"\xff"))).result_code == 0

    def count(name: bytes) -> Any:
        op = Op(OpType.BIT_READ, kind, name, COUNT)
        return wire.call(kit.request(1, info1=Info1.READ, ops=[op]))

    reply = count(b"none")
    assert (reply.result_code, reply.ops) == (0, [])
    assert count(b"b").result_code == (0 if kind == BLOB else ResultCode.BIN_TYPE)
