"""The commands on users and roles: what each needs to be sent, and what it does.

One table, `_COMMANDS`: the name for the audit log, the function. A function takes the fields apart,
asks `Accounts`, and gives back what is to be told of it in the audit log; the two queries give back
messages besides. Every command but two needs the permission user-admin: changing one's own
password, and asking about oneself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    encode_admin,
    encode_figures,
    encode_privileges,
    encode_roles,
    parse_privileges,
    parse_roles,
)
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.security.audit import privileges_detail, roles_detail, shown
from asd.security.permissions import Permission
from asd.security.roles import Privilege, Role, parse_whitelist, to_wire

if TYPE_CHECKING:
    from asd.security.quotas import Meter
    from asd.security.security import LiveUser, Security
    from asd.security.session import Session


AS_IT_IS: Final = b"\xff\xff\xff\xff"
"""A quota that is not to change: some clients send this instead of leaving the field out."""


class Fields:
    """The fields of an admin message, by what they are to be. Raise SECURITY_FIELD when missing."""

    def __init__(self, fields: Mapping[int, bytes]) -> None:
        self._fields = fields

    def __contains__(self, field: AdminField) -> bool:
        return field in self._fields

    def data(self, field: AdminField) -> bytes:
        """The bytes as they came."""
        try:
            return self._fields[field]
        except KeyError:
            name = field.name.lower()
            raise OperationError(ResultCode.SECURITY_FIELD, f"no field {name}") from None

    def name(self, field: AdminField) -> str:
        """A user's or role's. Raises USER_INVALID or ROLE_INVALID for what is no text."""
        code = ResultCode.USER_INVALID if field == AdminField.USER else ResultCode.ROLE_INVALID
        return _name(self.data(field), code)

    def roles(self) -> list[str]:
        """Names of roles; none when the field is not there."""
        if AdminField.ROLES not in self:
            return []
        names = parse_roles(self.data(AdminField.ROLES))
        return [_name(name, ResultCode.ROLE_INVALID) for name in names]

    def privileges(self) -> list[Privilege]:
        """Privileges; none when the field is not there. Raises PRIVILEGE_INVALID."""
        if AdminField.PRIVILEGES not in self:
            return []
        return [Privilege.of(*sent) for sent in parse_privileges(self.data(AdminField.PRIVILEGES))]

    def whitelist(self) -> tuple[str, ...]:
        """Addresses; none when the field is not there. Raises WHITELIST_INVALID."""
        data = self._fields.get(AdminField.WHITELIST, b"")
        return parse_whitelist(data.decode("ascii", "replace"))

    def quota(self, field: AdminField) -> int | None:
        """A quota; None when it is to stay as it is. Raises QUOTA_INVALID."""
        data = self._fields.get(field, AS_IT_IS)
        if data == AS_IT_IS:
            return None
        if len(data) != 4:
            raise OperationError(ResultCode.QUOTA_INVALID, f"a quota of {len(data)} bytes")
        return int.from_bytes(data, "big")


class Done(NamedTuple):
    """What a command comes to: what the audit log tells of it, and messages of its reply."""

    detail: str
    messages: tuple[bytes, ...] | None = None
    """None: the reply is a result code alone."""


Command: TypeAlias = Callable[["Security", "Session", Fields], Done]


def carry_out(security: Security, session: Session, command: int, fields: Fields) -> bytes:
    """Do what an admin message asks for; the body of its reply.

    Raises OperationError or MessageError with the code to answer.
    """
    known = _COMMANDS.get(command)
    rights = session.rights
    if known is None:
        raise OperationError(ResultCode.SECURITY_COMMAND, f"command {command}")
    action, function, own = known
    try:
        if not (own and rights.authenticated and _is_own(session, fields)):
            rights.check(Permission.USER_ADMIN)
    except OperationError:
        security.audit.violation(session.peer, rights.user, action, "")
        raise
    try:
        detail, messages = function(security, session, fields)
    except OperationError as error:
        security.audit.user_admin(session.peer, rights.user, action, "", str(error))
        raise
    security.audit.user_admin(session.peer, rights.user, action, detail, "")
    if messages is None:
        return encode_admin()
    return b"".join(messages) + encode_admin(result_code=ResultCode.OK_LAST)


def _is_own(session: Session, fields: Fields) -> bool:
    """Is the command about the user who sends it?"""
    return AdminField.USER in fields and fields.name(AdminField.USER) == session.rights.user


# ----------------------------------------------------------------------------- users


def _create_user(security: Security, _: Session, fields: Fields) -> Done:
    name, roles = fields.name(AdminField.USER), fields.roles()
    given = fields.data(AdminField.PASSWORD)
    security.accounts.create_user(name, given, roles, security.new_salt())
    return Done(f"user={shown(name)};roles={roles_detail(roles)}")


def _drop_user(security: Security, _: Session, fields: Fields) -> Done:
    name = fields.name(AdminField.USER)
    security.accounts.drop_user(name)
    return Done(f"user={shown(name)}")


def _set_password(security: Security, _: Session, fields: Fields) -> Done:
    name = fields.name(AdminField.USER)
    given = fields.data(AdminField.PASSWORD)
    security.accounts.set_password(name, given, security.new_salt())
    return Done(f"user={shown(name)}")


def _change_password(security: Security, session: Session, fields: Fields) -> Done:
    """The user's own: who may change others' has `set password`, which asks for no old one."""
    name = fields.name(AdminField.USER)
    if name != session.rights.user:
        security.accounts.user(name)
        raise OperationError(ResultCode.ROLE_VIOLATION, "another user's password")
    old, given = fields.data(AdminField.OLD_PASSWORD), fields.data(AdminField.PASSWORD)
    security.accounts.change_password(name, old, given, security.new_salt())
    return Done(f"user={shown(name)}")


def _grant_roles(security: Security, _: Session, fields: Fields) -> Done:
    name, roles = fields.name(AdminField.USER), fields.roles()
    security.accounts.grant_roles(name, roles)
    return Done(f"user={shown(name)};roles={roles_detail(roles)}")


def _revoke_roles(security: Security, _: Session, fields: Fields) -> Done:
    name, roles = fields.name(AdminField.USER), fields.roles()
    security.accounts.revoke_roles(name, roles)
    return Done(f"user={shown(name)};roles={roles_detail(roles)}")


def _query_users(security: Security, _: Session, fields: Fields) -> Done:
    if AdminField.USER in fields:
        name = fields.name(AdminField.USER)
        security.accounts.user(name)
        return Done(f"user={shown(name)}", (_user_message(security, name),))
    users = sorted(security.accounts.users)
    return Done("", tuple(_user_message(security, name) for name in users))


def _user_message(security: Security, name: str) -> bytes:
    roles = sorted(security.accounts.user(name).roles)  # those that are not known, too
    live = security.find_live(name)
    fields: dict[int, bytes] = {
        AdminField.USER: name.encode(),
        AdminField.ROLES: encode_roles([role.encode() for role in roles]),
        AdminField.READ_INFO: encode_figures(_figures(security, live, writes=False)),
        AdminField.WRITE_INFO: encode_figures(_figures(security, live, writes=True)),
        AdminField.CONNECTIONS: (0 if live is None else len(live.sessions)).to_bytes(4, "big"),
    }
    return encode_admin(fields=fields)


def _figures(security: Security, live: LiveUser | None, *, writes: bool) -> Iterable[int]:
    if live is None:
        return (0, 0, 0, 0)
    meter: Meter = live.writes if writes else live.reads
    quota = live.write_quota if writes else live.read_quota
    rate = meter.rate(security.clock.monotonic_ns(), security.config.tps_weight)
    return (quota, round(rate), meter.limited, meter.limitless)


# ----------------------------------------------------------------------------- roles


def _create_role(security: Security, _: Session, fields: Fields) -> Done:
    name, privileges = fields.name(AdminField.ROLE), fields.privileges()
    read, write = _quotas(security, fields)
    role = Role(frozenset(privileges), fields.whitelist(), read or 0, write or 0)
    security.accounts.create_role(name, role)
    return Done(f"role={shown(name)};privs={privileges_detail(privileges)}")


def _drop_role(security: Security, _: Session, fields: Fields) -> Done:
    name = fields.name(AdminField.ROLE)
    security.accounts.drop_role(name)
    return Done(f"role={shown(name)}")


def _grant_privileges(security: Security, _: Session, fields: Fields) -> Done:
    name, privileges = fields.name(AdminField.ROLE), fields.privileges()
    security.accounts.grant_privileges(name, privileges)
    return Done(f"role={shown(name)};privs={privileges_detail(privileges)}")


def _revoke_privileges(security: Security, _: Session, fields: Fields) -> Done:
    name, privileges = fields.name(AdminField.ROLE), fields.privileges()
    security.accounts.revoke_privileges(name, privileges)
    return Done(f"role={shown(name)};privs={privileges_detail(privileges)}")


def _set_whitelist(security: Security, _: Session, fields: Fields) -> Done:
    name, whitelist = fields.name(AdminField.ROLE), fields.whitelist()
    security.accounts.set_whitelist(name, whitelist)
    return Done(f"role={shown(name)};whitelist={','.join(whitelist)}")


def _set_quotas(security: Security, _: Session, fields: Fields) -> Done:
    name = fields.name(AdminField.ROLE)
    read, write = _quotas(security, fields)
    security.accounts.set_quotas(name, read, write)
    said = {"read": read, "write": write}
    quotas = ";".join(f"{kind}-quota={n}" for kind, n in said.items() if n is not None)
    return Done(f"role={shown(name)};{quotas}")


def _quotas(security: Security, fields: Fields) -> tuple[int | None, int | None]:
    """Raises QUOTAS_NOT_ENABLED when one is given and none is kept to."""
    quotas = fields.quota(AdminField.READ_QUOTA), fields.quota(AdminField.WRITE_QUOTA)
    if quotas != (None, None) and not security.config.enable_quotas:
        raise OperationError(ResultCode.QUOTAS_NOT_ENABLED, "enable-quotas is false")
    return quotas


def _query_roles(security: Security, _: Session, fields: Fields) -> Done:
    if AdminField.ROLE in fields:
        name = fields.name(AdminField.ROLE)
        role = security.accounts.role(name)
        return Done(f"role={shown(name)}", (_role_message(name, role),))
    roles = sorted(security.accounts.roles.items())
    return Done("", tuple(_role_message(name, role) for name, role in roles))


def _role_message(name: str, role: Role) -> bytes:
    fields: dict[int, bytes] = {
        AdminField.ROLE: name.encode(),
        AdminField.PRIVILEGES: encode_privileges(to_wire(role)),
    }
    if role.whitelist:
        fields[AdminField.WHITELIST] = ",".join(role.whitelist).encode()
    if role.read_quota or role.write_quota:
        fields[AdminField.READ_QUOTA] = role.read_quota.to_bytes(4, "big")
        fields[AdminField.WRITE_QUOTA] = role.write_quota.to_bytes(4, "big")
    return encode_admin(fields=fields)


def _name(data: bytes, code: ResultCode) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise OperationError(code, "a name that is not UTF-8 text") from None


_COMMANDS: Final[Mapping[int, tuple[str, Command, bool]]] = MappingProxyType(
    {
        AdminCommand.CREATE_USER: ("create user", _create_user, False),
        AdminCommand.DROP_USER: ("drop user", _drop_user, False),
        AdminCommand.SET_PASSWORD: ("set password", _set_password, False),
        AdminCommand.CHANGE_PASSWORD: ("change password", _change_password, True),
        AdminCommand.GRANT_ROLES: ("grant roles", _grant_roles, False),
        AdminCommand.REVOKE_ROLES: ("revoke roles", _revoke_roles, False),
        AdminCommand.QUERY_USERS: ("query users", _query_users, True),
        AdminCommand.CREATE_ROLE: ("create role", _create_role, False),
        AdminCommand.DROP_ROLE: ("drop role", _drop_role, False),
        AdminCommand.GRANT_PRIVILEGES: ("grant privileges", _grant_privileges, False),
        AdminCommand.REVOKE_PRIVILEGES: ("revoke privileges", _revoke_privileges, False),
        AdminCommand.SET_WHITELIST: ("set whitelist", _set_whitelist, False),
        AdminCommand.SET_QUOTAS: ("set quotas", _set_quotas, False),
        AdminCommand.QUERY_ROLES: ("query roles", _query_roles, False),
    }
)
"""Command to its name in the audit log, what it does, and whether one needs no permission to do it
to oneself."""
