"""Messages: vectors from the wire, round trips, every way to be malformed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.codes import FieldType, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import (
    Message,
    Op,
    encode_field,
    encode_message,
    encode_op,
    encode_reply,
    parse_message,
    reply_frame,
    split_messages,
)

U8 = st.integers(0, 255)
U32 = st.integers(0, 2**32 - 1)
OPS = st.builds(Op, U8, U8, st.binary(max_size=20), st.binary(max_size=40))
MESSAGES = st.builds(
    Message,
    *[U8] * 5,
    *[U32] * 3,
    st.dictionaries(U8, st.binary(max_size=40), max_size=6),
    st.lists(OPS, max_size=6),
)
# A put of two bins and a whole-record read with its answer, as recorded on the wire.
PUT = bytes.fromhex(
    "16000100000000000000000000000000271000030002"
    "000000050074657374"
    "0000000a016d616c666f726d6564"
    "0000001504ed0acbbaae93d28d86cd26bb0838b316453d6ba0"
    "0000000d02010001610000000000000001"
    "0000000902140001 6c93010203"
)
ANSWER = bytes.fromhex(
    "16000000000000000001000000000000000000000002"
    "0000000d01010001610000000000000001"
    "00000009011400016c93010203"
)


def test_a_recorded_put() -> None:
    message = parse_message(PUT)
    assert message == Message(
        0, 1, 0, 0, 0, 0, 0, 10000,
        {
            FieldType.NAMESPACE: b"test",
            FieldType.SET: b"malformed",
            FieldType.DIGEST: bytes.fromhex("ed0acbbaae93d28d86cd26bb0838b316453d6ba0"),
        },
        [
            Op(OpType.WRITE, ParticleType.INTEGER, b"a", bytes(7) + b"\x01"),
            Op(OpType.WRITE, ParticleType.LIST, b"l", b"\x93\x01\x02\x03"),
        ],
    )  # fmt: skip
    assert encode_message(*message) == PUT


def test_a_recorded_answer() -> None:
    ops = encode_op(OpType.READ, ParticleType.INTEGER, b"a", (1).to_bytes(8, "big"))
    ops += encode_op(OpType.READ, ParticleType.LIST, b"l", b"\x93\x01\x02\x03")
    assert encode_reply(ResultCode.OK, 1, n_ops=2, ops=ops) == ANSWER
    assert reply_frame(ResultCode.OK, 1, n_ops=2, ops=ops) == frame(3, ANSWER)
    assert parse_message(ANSWER).generation == 1


@given(MESSAGES)
def test_messages_survive_the_wire(message: Message) -> None:
    assert parse_message(encode_message(*message)) == message


@given(U8, U32, U32, U8, U32, st.lists(OPS, max_size=3))
def test_replies_survive_the_wire(
    code: int, generation: int, void_time: int, info3: int, row: int, ops: list[Op]
) -> None:
    packed = b"".join(encode_op(*op) for op in ops)
    reply = encode_reply(
        code,
        generation,
        void_time,
        len(ops),
        packed,
        info3=info3,
        row=row,
        n_fields=1,
        fields=encode_field(FieldType.SET, b"s"),
    )
    expected = Message(0, 0, info3, 0, code, generation, void_time, row, {1: b"s"}, ops)
    assert parse_message(reply) == expected
    single = reply_frame(code, generation, void_time, len(ops), packed, info3)
    assert parse_message(single[8:]) == expected._replace(fields={}, transaction_ttl=0)
    assert single == frame(3, single[8:])


@given(st.lists(MESSAGES, max_size=5))
def test_a_frame_of_several_messages_is_split(messages: list[Message]) -> None:
    bodies = [encode_message(*message) for message in messages]
    assert split_messages(b"".join(bodies)) == bodies


@given(MESSAGES, st.data())
def test_every_cut_is_refused(message: Message, data: st.DataObject) -> None:
    body = encode_message(*message)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(MessageError) as error:
        parse_message(cut)
    assert error.value.code == ResultCode.PARAMETER
    if cut:
        with pytest.raises(MessageError):
            split_messages(cut)


@given(MESSAGES, st.binary(min_size=1, max_size=40))
def test_bytes_after_the_last_op_are_refused(message: Message, extra: bytes) -> None:
    with pytest.raises(MessageError):
        parse_message(encode_message(*message) + extra)


def test_the_header_size_is_not_checked() -> None:
    assert parse_message(b"\x15" + PUT[1:]) == parse_message(PUT)


def test_the_first_of_two_fields_counts() -> None:
    fields = encode_field(0, b"test") + encode_field(0, b"other")
    body = encode_reply(0, n_fields=2, fields=fields)
    assert parse_message(body).fields == {0: b"test"}


def message_with_op(op: bytes) -> bytes:
    return encode_reply(0, n_ops=1, ops=op)


def test_an_op_may_carry_a_last_update_time() -> None:
    op = struct.pack(">IBBBB", 4 + 1 + 8 + 2, 2, 3, 0x01, 1) + b"a" + bytes(8) + b"hi"
    assert parse_message(message_with_op(op)).ops == [Op(2, 3, b"a", b"hi")]
    other_flags = op[:6] + b"\xfe" + op[7:]
    assert parse_message(message_with_op(other_flags)).ops == [Op(2, 3, b"a", bytes(8) + b"hi")]


@pytest.mark.parametrize(
    "op",
    [
        struct.pack(">IBBBB", 3, 1, 0, 0, 0),
        struct.pack(">IBBBB", 4, 1, 0, 0, 1) + b"a",
        struct.pack(">IBBBB", 0, 1, 0, 0, 0),
        struct.pack(">IBBBB", 5, 1, 0, 1, 1) + b"a",
        struct.pack(">IBBBB", 12, 1, 0, 1, 1) + b"a" + bytes(7),
        struct.pack(">IBBBB", 2**32 - 1, 1, 0, 0, 1) + b"a",
    ],
)
def test_an_inconsistent_op_is_refused(op: bytes) -> None:
    with pytest.raises(MessageError):
        parse_message(message_with_op(op))


@pytest.mark.parametrize("size", [0, 3, 2**32 - 1])
def test_an_inconsistent_field_is_refused(size: int) -> None:
    field = struct.pack(">IB", size, 0) + b"x"
    with pytest.raises(MessageError):
        parse_message(encode_reply(0, n_fields=1, fields=field))


def test_counts_beyond_the_body_cost_nothing() -> None:
    body = bytearray(encode_message(info2=Info2.WRITE))
    body[18:22] = b"\xff" * 4
    with pytest.raises(MessageError):
        parse_message(bytes(body))
