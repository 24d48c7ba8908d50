"""Admin messages: users, roles, login (frame type 2).

    0   u8   scheme, 0
    1   u8   result code of a reply
    2   u8   command of a request
    3   u8   number of fields
    4   12 bytes of zero
    16  fields: u32 size of what follows, u8 id, data

A frame holds one message, or several in the replies to user and role queries.

Fields that are more than text: names of roles are u8 count, then u8 size and name of each;
privileges are u8 count, then u8 code of each, and for codes from 10 on the namespace and the set it
is for, each with its u8 size (0: all); figures are u8 count, then u32 each.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError

#: Size of an admin message header in bytes.
ADMIN_HEADER_SIZE: Final = 16

_HEADER: Final = struct.Struct(">BBBB12x")
_FIELD: Final = struct.Struct(">IB")

#: Privileges with a lower code have no scope on the wire.
FIRST_SCOPED_PRIVILEGE: Final = 10


class AdminCommand(IntEnum):
    """What an admin request asks for."""

    AUTHENTICATE = 0
    CREATE_USER = 1
    DROP_USER = 2
    SET_PASSWORD = 3
    CHANGE_PASSWORD = 4
    GRANT_ROLES = 5
    REVOKE_ROLES = 6
    QUERY_USERS = 9
    CREATE_ROLE = 10
    DROP_ROLE = 11
    GRANT_PRIVILEGES = 12
    REVOKE_PRIVILEGES = 13
    SET_WHITELIST = 14
    SET_QUOTAS = 15
    QUERY_ROLES = 16
    LOGIN = 20


class AdminField(IntEnum):
    """The id of a field of an admin message."""

    USER = 0
    PASSWORD = 1
    OLD_PASSWORD = 2
    CREDENTIAL = 3
    CLEAR_PASSWORD = 4
    SESSION_TOKEN = 5
    SESSION_TTL = 6
    ROLES = 10
    ROLE = 11
    PRIVILEGES = 12
    WHITELIST = 13
    READ_QUOTA = 14
    WRITE_QUOTA = 15
    READ_INFO = 16
    WRITE_INFO = 17
    CONNECTIONS = 18


class AdminMessage(NamedTuple):
    """One admin request or reply."""

    scheme: int
    #: `ResultCode` of a reply, 0 in requests.
    result_code: int
    #: `AdminCommand` of a request, 0 in replies.
    command: int
    #: `AdminField` value to data; the first of several fields of one id counts.
    fields: dict[int, bytes]


def parse_admin(body: bytes) -> list[AdminMessage]:
    """The messages in the body of an admin frame, at least one.

    Raises MessageError with SECURITY_FIELD when the header or a field is cut or has no id.
    """
    messages: list[AdminMessage] = []
    position = 0
    try:
        while position < len(body) or not messages:
            scheme, result_code, command, n_fields = _HEADER.unpack_from(body, position)
            fields, position = _parse_fields(body, position + ADMIN_HEADER_SIZE, n_fields)
            messages.append(AdminMessage(scheme, result_code, command, fields))
    except struct.error:
        raise _broken("admin message cut off") from None
    return messages


def _parse_fields(body: bytes, position: int, n_fields: int) -> tuple[dict[int, bytes], int]:
    fields: dict[int, bytes] = {}
    for _ in range(n_fields):
        size, field_id = _FIELD.unpack_from(body, position)
        end = position + 4 + size
        if not size or end > len(body):
            raise _broken("admin field of a wrong size")
        fields.setdefault(field_id, body[position + 5 : end])
        position = end
    return fields, position


def _broken(reason: str) -> MessageError:
    return MessageError(reason, ResultCode.SECURITY_FIELD)


def encode_admin(
    command: int = 0,
    fields: Mapping[int, bytes] | None = None,
    result_code: int = 0,
    scheme: int = 0,
) -> bytes:
    """One admin message, without frame header."""
    fields = fields or {}
    parts = [_HEADER.pack(scheme, result_code, command, len(fields))]
    parts += [_FIELD.pack(len(data) + 1, field_id) + data for field_id, data in fields.items()]
    return b"".join(parts)


class WirePrivilege(NamedTuple):
    """A privilege as it is sent: for a set of a namespace, a namespace, or (both empty) for all."""

    code: int
    namespace: bytes = b""
    set_name: bytes = b""


def encode_roles(names: Sequence[bytes]) -> bytes:
    """The data of a roles field: at most 255 names of at most 255 bytes each.

    >>> encode_roles([b"read"])
    b'\\x01\\x04read'
    """
    return bytes((len(names),)) + b"".join(map(_sized, names))


def parse_roles(data: bytes) -> list[bytes]:
    """The names in a roles field. Raises MessageError with SECURITY_FIELD."""
    reader = _Reader(data)
    names = [reader.text() for _ in range(reader.byte())]
    reader.end()
    return names


def encode_privileges(privileges: Sequence[WirePrivilege]) -> bytes:
    """The data of a privileges field: at most 255 privileges.

    >>> encode_privileges([WirePrivilege(0), WirePrivilege(10, b"test")])
    b'\\x02\\x00\\n\\x04test\\x00'
    """
    return bytes((len(privileges),)) + b"".join(map(_encode_privilege, privileges))


def _encode_privilege(privilege: WirePrivilege) -> bytes:
    code = bytes((privilege.code,))
    if privilege.code < FIRST_SCOPED_PRIVILEGE:
        return code
    return code + _sized(privilege.namespace) + _sized(privilege.set_name)


def parse_privileges(data: bytes) -> list[WirePrivilege]:
    """The privileges in a privileges field, whatever their codes.

    Raises MessageError with SECURITY_FIELD.
    """
    reader = _Reader(data)
    privileges = []
    for _ in range(reader.byte()):
        code = reader.byte()
        scope = (reader.text(), reader.text()) if code >= FIRST_SCOPED_PRIVILEGE else ()
        privileges.append(WirePrivilege(code, *scope))
    reader.end()
    return privileges


def encode_figures(figures: Iterable[int]) -> bytes:
    """The data of a field with what a user reads or writes: quota, single records a second, records
    a second of queries with a limit, queries without."""
    numbers = tuple(figures)
    return struct.pack(f">B{len(numbers)}I", len(numbers), *numbers)


def _sized(text: bytes) -> bytes:
    return bytes((len(text),)) + text


class _Reader:
    """Takes a field's data apart from the left; all of it must be used."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        if self._at >= len(self._data):
            raise _broken("admin field cut off")
        self._at += 1
        return self._data[self._at - 1]

    def text(self) -> bytes:
        size = self.byte()
        text = self._data[self._at : self._at + size]
        if len(text) < size:
            raise _broken("admin field cut off")
        self._at += size
        return text

    def end(self) -> None:
        if self._at < len(self._data):
            raise _broken("admin field with more than it says")
