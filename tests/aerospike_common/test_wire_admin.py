"""Admin messages: layout, round trips, malformed bodies."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    AdminMessage,
    WirePrivilege,
    encode_admin,
    encode_figures,
    encode_privileges,
    encode_roles,
    parse_admin,
    parse_privileges,
    parse_roles,
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


NAMES = st.lists(st.binary(max_size=63), max_size=255)
PRIVILEGES = st.lists(
    st.one_of(
        st.builds(WirePrivilege, st.integers(0, 9), st.just(b""), st.just(b"")),
        st.builds(WirePrivilege, st.integers(10, 255), st.binary(max_size=31), st.binary()),
    ),
    max_size=255,
)


@given(NAMES)
def test_names_of_roles_survive_the_wire(names: list[bytes]) -> None:
    assert parse_roles(encode_roles(names)) == names


@given(PRIVILEGES)
def test_privileges_survive_the_wire(privileges: list[WirePrivilege]) -> None:
    assert parse_privileges(encode_privileges(privileges)) == privileges


@given(st.binary())
def test_lists_that_make_no_sense_are_refused_as_fields(data: bytes) -> None:
    for parse in (parse_roles, parse_privileges):
        with suppress(MessageError):
            parse(data)


@pytest.mark.parametrize("data", [b"", b"\1", b"\1\2a", b"\0\0"])
def test_a_list_that_is_cut_or_has_more_is_a_bad_field(data: bytes) -> None:
    for parse in (parse_roles, parse_privileges):
        with pytest.raises(MessageError) as error:
            parse(data)
        assert error.value.code == ResultCode.SECURITY_FIELD


def test_figures() -> None:
    assert encode_figures((1, 2)).hex() == "020000000100000002"
