"""How batch messages are framed: what their fields' sizes mean, and that a reply always ends."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info3, ParticleType, ResultCode
from aerospike_common.wire.message import (
    encode_field,
    encode_message,
    parse_message,
    split_messages,
)

FIELDS = encode_field(FieldType.NAMESPACE, b"test") + encode_field(FieldType.SET, b"demo")
GET_ALL = struct.pack(">BBBBIHH", 0x0A, 3, 0, 0, 0, 2, 0) + FIELDS
REPEAT = b"\x01"
LETS_ALL_PASS = b"\x93\x01\x01\x01"
PASSES = encode_field(FieldType.FILTER, LETS_ALL_PASS)
FOUND = ({0: ResultCode.OK, 1: ResultCode.NOT_FOUND}, ResultCode.OK)


@pytest.fixture
def wire(kit: Any) -> Any:
    """A client of a node that has record 1."""
    wire = kit.Wire(kit.make_node())
    wire.call(kit.put(1, (b"a", ParticleType.INTEGER, bytes(8))))
    return wire


@pytest.fixture
def rows(kit: Any) -> bytes:
    """Two rows: records 1 and 2."""
    first, second = (struct.pack(">I20s", at, kit.digest(at + 1)) for at in (0, 1))
    return struct.pack(">IB", 2, 0x0D) + first + GET_ALL + second + REPEAT


def codes(data: bytes) -> tuple[dict[int, int], int]:
    """Row index to result code, and the code of the whole, which has the LAST flag."""
    messages = []
    while data:
        end = 8 + int.from_bytes(data[2:8], "big")
        messages += map(parse_message, split_messages(data[8:end]))
        data = data[end:]
    last = messages.pop()
    assert last.info3 == Info3.LAST
    return {m.transaction_ttl: m.result_code for m in messages}, last.result_code


def framed(body: bytes) -> bytes:
    return b"\x02\x03" + len(body).to_bytes(6, "big") + body


def field_of(kind: int, data: bytes, size: int | None = None) -> bytes:
    """A field whose declared size may be wrong."""
    return struct.pack(">IB", len(data) + 1 if size is None else size, kind) + data


def message_of(*fields: bytes, n_ops: int = 0) -> bytes:
    """A batch message of these fields as they are."""
    body = encode_message(Info1.BATCH)
    return framed(body[:18] + struct.pack(">HH", len(fields), n_ops) + b"".join(fields))


@pytest.mark.parametrize("kind", [FieldType.BATCH, FieldType.BATCH_WITH_SET])
@pytest.mark.parametrize("size", [0, 1, 2, 40, 86, 200, 1_000_000])
@pytest.mark.parametrize("junk", [b"", b"junk" * 9])
def test_the_size_of_a_last_batch_field_does_not_count(
    wire: Any, rows: bytes, kind: int, size: int, junk: bytes
) -> None:
    field = field_of(kind, rows + junk, size)
    assert codes(wire.send(message_of(field))) == FOUND
    assert codes(wire.send(message_of(PASSES, field))) == FOUND
    assert codes(wire.send(message_of(field, n_ops=3))) == FOUND


def test_of_several_batch_fields_the_last_one_counts(wire: Any, rows: bytes) -> None:
    none = encode_field(FieldType.BATCH, b"\0\0\0\0\x0d")
    for kind in (FieldType.BATCH, FieldType.BATCH_WITH_SET):
        some = encode_field(kind, rows)
        assert codes(wire.send(message_of(none, some))) == FOUND
        assert codes(wire.send(message_of(some, none))) == ({}, ResultCode.PARAMETER)
        assert codes(wire.send(message_of(some, PASSES, none))) == ({}, ResultCode.PARAMETER)


@pytest.mark.parametrize("size", [0, 1, 86, 200])
def test_the_size_of_a_batch_field_before_another_counts(wire: Any, rows: bytes, size: int) -> None:
    data = message_of(field_of(FieldType.BATCH, rows, size), PASSES)
    assert codes(wire.send(data)) == ({}, ResultCode.PARAMETER)
    assert codes(wire.send(message_of(encode_field(FieldType.BATCH, rows), PASSES)))[1] == 0


@pytest.mark.parametrize("cut", range(2, 22))
def test_a_malformed_batch_has_a_last_message(wire: Any, cut: int) -> None:
    body = encode_message(Info1.BATCH)
    assert codes(wire.send(framed(body[:cut]))) == ({}, ResultCode.PARAMETER)
    assert wire.node.statistics.demarshal_error == 1
    for fields in ([b"\0\0\0\0\0"], [b"\0"], [field_of(FieldType.FILTER, b"", 90)]):
        assert codes(wire.send(message_of(*fields))) == ({}, ResultCode.PARAMETER)


def test_a_bug_in_a_batch_has_a_last_message(
    wire: Any, rows: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asd.batch.batch._check_limits", lambda *_: 1 // 0)
    data = message_of(encode_field(FieldType.BATCH, rows))
    assert codes(wire.send(data)) == ({}, ResultCode.SERVER_ERROR)
