"""Big messages and those of many ops: taken apart in slices, and answered like any others."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.frame import deflate
from aerospike_common.wire.message import Op, encode_message, split_messages
from citrusleaf.cf_digest import key_digest

READ = Op(OpType.READ, 0, b"n", b"")
WRITE = Op(OpType.WRITE, ParticleType.INTEGER, b"n", struct.pack(">q", 7))


def framed(kind: int, body: bytes) -> bytes:
    return bytes((2, kind)) + len(body).to_bytes(6, "big") + body


def command(*ops: Op, **more: Any) -> bytes:
    fields = {
        FieldType.NAMESPACE: b"test",
        FieldType.SET: b"s",
        FieldType.DIGEST: key_digest("s", 1),
    }
    return framed(3, encode_message(fields={**fields, **more.pop("fields", {})}, ops=ops, **more))


def batch(numbers: range, ops: list[Op]) -> bytes:
    wire_ops = encode_message(fields={}, ops=ops)[22:]
    fields = b"".join(
        (len(value) + 1).to_bytes(4, "big") + bytes((kind,)) + value
        for kind, value in ((FieldType.NAMESPACE, b"test"), (FieldType.SET, b"s"))
    )
    rows = b"".join(
        at.to_bytes(4, "big")
        + key_digest("s", at)
        + bytes((0, Info1.READ))
        + struct.pack(">HH", 2, len(ops))
        + fields
        + wire_ops
        for at in numbers
    )
    field = len(numbers).to_bytes(4, "big") + b"\1" + rows
    return framed(3, encode_message(Info1.READ | Info1.BATCH, 0, fields={FieldType.BATCH: field}))


def frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = 8 + int.from_bytes(data[2:8], "big")
        found.append(data[8:size])
        data = data[size:]
    return found


def answers(kit: Any, data: bytes, piece: int) -> list[bytes]:
    """The bodies that come back of what is sent in pieces."""

    async def main() -> bytes:
        wire = kit.Wire(kit.make_node())
        wire.send(command(WRITE, info2=Info2.WRITE))
        wire.transport.written = b""
        for at in range(0, len(data), piece):
            wire.connection.data_received(data[at : at + piece])
            while wire.connection.busy:
                await asyncio.sleep(0.001)
        assert wire.connection.partial_bytes == 0
        return bytes(wire.transport.written)

    return frames(asyncio.run(main()))


LAST = command(READ, info1=Info1.READ)


@pytest.mark.parametrize("piece", [10_000, 1 << 16, 1 << 30])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_big_batch_is_answered_whatever_it_comes_in(
    kit: Any, piece: int, compressed: bool
) -> None:
    plain = batch(range(30), [READ] * 4_000)
    assert len(plain) > 1 << 20
    data = deflate(plain[8:]) if compressed else plain
    *rows, last = answers(kit, data + LAST + LAST, piece)
    assert last[5] == 0
    codes = [message[5] for body in rows[:-1] for message in split_messages(body)]
    assert codes == [2, 0, *[2] * 28, 0]


def test_a_batch_with_a_field_behind_its_rows_ends_there(kit: Any) -> None:
    body = batch(range(2), [READ])[8:]
    more = (2).to_bytes(4, "big") + bytes((200, 1))
    two = body[:18] + struct.pack(">HH", 2, 0) + body[22:] + more
    whole = b"".join(answers(kit, framed(3, two), 1 << 30))
    assert [message[5] for message in split_messages(whole)] == [2, 0, 0]


@pytest.mark.parametrize("piece", [10, 1 << 16])
def test_a_command_with_more_than_a_record_holds_is_refused_unread(kit: Any, piece: int) -> None:
    arguments = {FieldType.UDF_ARGS: bytes(17 << 20)}
    data = command(READ, info1=Info1.READ, fields=arguments)
    if piece == 10:  # its beginning only
        data, behind = data[:10_000], data[10_000:]
        wire = kit.Wire(kit.make_node())
        assert b"".join(wire.send(data[at : at + piece]) for at in range(0, 10_000, piece)) == b""
        assert wire.connection.partial_bytes == 0
        assert wire.send(behind)[13] == ResultCode.RECORD_TOO_BIG
        return
    first, second = answers(kit, data + LAST, piece)
    assert first[5] == ResultCode.RECORD_TOO_BIG
    assert second[5] == 0


def test_a_compressed_one_is_refused_too(kit: Any) -> None:
    data = command(READ, info1=Info1.READ, fields={FieldType.UDF_ARGS: bytes(17 << 20)})
    first, second = answers(kit, deflate(data[8:]) + LAST, 1 << 30)
    assert (first[5], second[5]) == (ResultCode.RECORD_TOO_BIG, 0)


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_a_broken_big_compressed_message_is_refused(kit: Any, cut: int) -> None:
    size = 2 << 20
    packed = zlib.compress(framed(3, bytes(size - 8)))
    for stream in (packed[: len(packed) - cut] if cut else packed + b"x", b"nonsense"):
        reply, last = answers(kit, framed(4, size.to_bytes(8, "big") + stream) + LAST, 1 << 30)
        assert (reply[5], last[5]) == (ResultCode.PARAMETER, 0)


def test_many_ops_are_answered_in_order(kit: Any) -> None:
    writes = [WRITE._replace(value=struct.pack(">q", at)) for at in range(5_000)]
    data = command(*writes, info2=Info2.WRITE) + LAST
    first, second = answers(kit, data, 1 << 30)
    assert first[5] == 0
    assert second.endswith(struct.pack(">q", 4_999))


def test_many_ops_that_are_cut_are_malformed(kit: Any) -> None:
    body = command(*[WRITE] * 5_000, info2=Info2.WRITE)[8:-3]
    first, second = answers(kit, framed(3, body) + LAST, 1 << 30)
    assert (first[5], second[5]) == (ResultCode.PARAMETER, 0)


def test_of_an_info_request_some_text_is_kept(kit: Any) -> None:
    data = framed(1, b"a\n" * (3 << 20))
    wire = kit.Wire(kit.make_node())
    wire.send(data[:-1])
    assert wire.connection.partial_bytes <= 2 << 20


@pytest.mark.parametrize(("kind", "size"), [(9, 2 << 20), (0, 2 << 20), (3, 1 << 40)])
def test_what_nobody_speaks_is_closed_also_when_it_was_not_looked_at(
    kit: Any, kind: int, size: int
) -> None:
    """As behind a command with which the connection's share of a turn was over."""
    wire = kit.Wire(kit.make_node())
    wire.connection._keep(bytes((2, kind)) + size.to_bytes(6, "big") + bytes(5000))
    assert wire.transport.closed
    assert wire.connection.partial_bytes == 0
