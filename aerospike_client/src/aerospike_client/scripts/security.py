"""Users and roles: the admin messages."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TypeVar

import attrs

from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply, InvalidParameter, server_error
from aerospike_client.scripts.effects import AdminAt, Script
from aerospike_client.scripts.info import named_node
from aerospike_common.as_password import hash_password
from aerospike_common.wire import (
    AdminCommand,
    AdminField,
    AdminMessage,
    MessageError,
    MessageType,
    ResultCode,
    encode_admin,
)
from aerospike_common.wire.admin import (
    FIRST_SCOPED_PRIVILEGE,
    WirePrivilege,
    encode_privileges,
    encode_roles,
    parse_privileges,
    parse_roles,
)
from aerospike_common.wire.frame import frame

_U32 = struct.Struct(">I").pack
_MAX_NAME = 63

T = TypeVar("T")


class Permission(IntEnum):
    """What a role allows. From READ on it may be bound to a namespace or a set of one."""

    USER_ADMIN = 0
    SYS_ADMIN = 1
    DATA_ADMIN = 2
    UDF_ADMIN = 3
    SINDEX_ADMIN = 4
    READ = 10
    READ_WRITE = 11
    READ_WRITE_UDF = 12
    WRITE = 13
    TRUNCATE = 14


@attrs.frozen
class Privilege:
    """A permission and where it holds: everywhere, in a namespace, or in a set of one."""

    permission: int
    namespace: str = ""
    set_name: str = ""


@attrs.frozen
class User:
    """A user, as the server describes it."""

    name: str
    roles: tuple[str, ...]
    #: Quota, single-record rate, query rate, queries without a limit.
    read_info: tuple[int, ...] = ()
    write_info: tuple[int, ...] = ()
    connections: int = 0


@attrs.frozen
class Role:
    """A role, as the server describes it."""

    name: str
    privileges: tuple[Privilege, ...]
    #: Addresses from which its users may come; empty = all.
    whitelist: tuple[str, ...] = ()
    #: Records a second; 0 = any number.
    read_quota: int = 0
    write_quota: int = 0


# ---------------------------------------------------------------------- commands


def command(
    view: ClusterView, kind: AdminCommand, fields: Mapping[int, bytes], timeout_ms: int
) -> Script[None]:
    """Send an admin command. Raises SecurityFailed when it is refused."""
    node = named_node(view, None)
    request = frame(MessageType.ADMIN, encode_admin(kind, fields))
    messages: list[AdminMessage] = yield AdminAt(node, request, timeout_ms)
    code = messages[0].result_code
    if code:
        raise server_error(code, node=str(node))


def query(
    view: ClusterView, kind: AdminCommand, fields: Mapping[int, bytes], timeout_ms: int
) -> Script[list[AdminMessage]]:
    """Send a query for users or roles: the messages that describe them."""
    node = named_node(view, None)
    request = frame(MessageType.ADMIN, encode_admin(kind, fields))
    messages: list[AdminMessage] = yield AdminAt(node, request, timeout_ms, stream=True)
    last = messages.pop()
    if last.result_code != ResultCode.OK_LAST:
        raise server_error(last.result_code, node=str(node))
    return messages


def users(view: ClusterView, name: str | None, timeout_ms: int) -> Script[list[User]]:
    """All users, or one."""
    fields = {} if name is None else user_field(name)
    messages = yield from query(view, AdminCommand.QUERY_USERS, fields, timeout_ms)
    return [_user(message.fields) for message in messages]


def roles(view: ClusterView, name: str | None, timeout_ms: int) -> Script[list[Role]]:
    """All roles, or one."""
    fields = {} if name is None else role_field(name)
    messages = yield from query(view, AdminCommand.QUERY_ROLES, fields, timeout_ms)
    return [_role(message.fields) for message in messages]


# ---------------------------------------------------------------------- fields


def user_field(name: str) -> dict[int, bytes]:
    """The field that names a user."""
    return {AdminField.USER: _name(name)}


def role_field(name: str) -> dict[int, bytes]:
    """The field that names a role."""
    return {AdminField.ROLE: _name(name)}


def password_field(password: str, kind: AdminField = AdminField.PASSWORD) -> dict[int, bytes]:
    """A password as it travels."""
    return {kind: hash_password(password).encode()}


def roles_field(names: Iterable[str]) -> dict[int, bytes]:
    """A list of roles."""
    return {AdminField.ROLES: encode_roles([_name(name) for name in names])}


def privileges_field(privileges: Sequence[Privilege]) -> dict[int, bytes]:
    """A list of privileges."""
    return {AdminField.PRIVILEGES: encode_privileges([_to_wire(sent) for sent in privileges])}


def _to_wire(privilege: Privilege) -> WirePrivilege:
    scope = (privilege.namespace.encode(), privilege.set_name.encode())
    if privilege.permission < FIRST_SCOPED_PRIVILEGE and any(scope):
        raise InvalidParameter(f"{privilege} holds everywhere or not at all")
    return WirePrivilege(privilege.permission, *scope)


def whitelist_field(addresses: Iterable[str]) -> dict[int, bytes]:
    """The addresses that a role's users may come from; none at all for any."""
    text = ",".join(addresses)
    return {AdminField.WHITELIST: text.encode()} if text else {}


def quota_fields(read_quota: int, write_quota: int) -> dict[int, bytes]:
    """A role's quotas."""
    return {
        AdminField.READ_QUOTA: _U32(read_quota),
        AdminField.WRITE_QUOTA: _U32(write_quota),
    }


def _name(name: str) -> bytes:
    data = name.encode()
    if not 0 < len(data) <= _MAX_NAME:
        raise InvalidParameter(f"a user or role has a name of 1 to {_MAX_NAME} bytes: {name!r}")
    return data


# ---------------------------------------------------------------------- replies


def _user(fields: dict[int, bytes]) -> User:
    return User(
        fields.get(AdminField.USER, b"").decode(),
        tuple(map(_text, _read(parse_roles, fields.get(AdminField.ROLES, b"\0")))),
        _numbers(fields.get(AdminField.READ_INFO, b"")),
        _numbers(fields.get(AdminField.WRITE_INFO, b"")),
        int.from_bytes(fields.get(AdminField.CONNECTIONS, b""), "big"),
    )


def _role(fields: dict[int, bytes]) -> Role:
    whitelist = fields.get(AdminField.WHITELIST, b"").decode()
    return Role(
        fields.get(AdminField.ROLE, b"").decode(),
        _privileges(fields.get(AdminField.PRIVILEGES, b"\0")),
        tuple(whitelist.split(",")) if whitelist else (),
        int.from_bytes(fields.get(AdminField.READ_QUOTA, b""), "big"),
        int.from_bytes(fields.get(AdminField.WRITE_QUOTA, b""), "big"),
    )


def _numbers(data: bytes) -> tuple[int, ...]:
    if not data:
        return ()
    if len(data) < 1 + 4 * data[0]:
        raise BadReply("a list of numbers that is cut off")
    return struct.unpack_from(f">{data[0]}I", data, 1)


def _privileges(data: bytes) -> tuple[Privilege, ...]:
    return tuple(
        Privilege(code, _text(namespace), _text(set_name))
        for code, namespace, set_name in _read(parse_privileges, data)
    )


def _read(parse: Callable[[bytes], T], data: bytes) -> T:
    try:
        return parse(data)
    except MessageError as error:
        raise BadReply(f"a description of users or roles that cannot be read: {error}") from None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
