"""Admin messages: layout, round trips, malformed bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    AdminMessage,
    encode_admin,
    parse_admin,
)
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.frame import frame

U8 = st.integers(0, 255)
ADMIN = st.builds(AdminMessage, U8, U8, U8, st.dictionaries(U8, st.binary(max_size=30), max_size=5))


def encode(message: AdminMessage) -> bytes:
    return encode_admin(
        message.command, message.fields, result_code=message.result_code, scheme=message.scheme
    )


def test_the_answer_of_a_server_without_security() -> None:
    reply = frame(2, encode_admin(result_code=ResultCode.SECURITY_NOT_SUPPORTED))
    assert reply.hex() == "020200000000001000330000000000000000000000000000"


def test_a_login() -> None:
    body = encode_admin(AdminCommand.LOGIN, {AdminField.USER: b"ann", AdminField.CREDENTIAL: b"x"})
    assert body == bytes([0, 0, 20, 2]) + bytes(12) + b"\0\0\0\4\0ann" + b"\0\0\0\2\3x"
    assert parse_admin(body) == [AdminMessage(0, 0, 20, {0: b"ann", 3: b"x"})]


@given(st.lists(ADMIN, min_size=1, max_size=4))
def test_messages_survive_the_wire(messages: list[AdminMessage]) -> None:
    assert parse_admin(b"".join(map(encode, messages))) == messages


@given(ADMIN, st.data())
def test_every_cut_is_refused(message: AdminMessage, data: st.DataObject) -> None:
    body = encode(message)
    with pytest.raises(MessageError) as error:
        parse_admin(body[: data.draw(st.integers(0, len(body) - 1))])
    assert error.value.code == ResultCode.SECURITY_FIELD


def test_a_field_of_size_zero_is_refused() -> None:
    with pytest.raises(MessageError):
        parse_admin(bytes([0, 0, 20, 1]) + bytes(12) + bytes(5))


def test_the_first_of_two_fields_counts() -> None:
    body = bytes([0, 0, 2, 2]) + bytes(12) + b"\0\0\0\2\0a" + b"\0\0\0\2\0b"
    assert parse_admin(body)[0].fields == {0: b"a"}
