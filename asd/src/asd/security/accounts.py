"""Users and roles as a state: what may be done to them, and what it comes to.

Nothing here knows of connections or clocks. A change is checked against the state and handed to
`keep` as an item, key and text; the state itself changes only when the item comes back through
`apply`. On a node of its own it comes back at once, in a cluster when the metadata has it; so all
nodes apply the same items.

The user `admin` exists until an item says otherwise: it is never written of itself. A node that
joins a cluster with a default of its own has nothing that could win against what the cluster knows.

A user may be given a role that is not there, as the real server allows it: its name is kept and
listed and counts for nothing until somebody makes a role of it, so users and roles can be made in
any order. Since a name that is mistyped looks the same, the log tells of each one. Dropping a role
takes it from its users, one item each, so that nobody gets rights by an old name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from attrs import evolve

from aerospike_common import as_password
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.security.permissions import PREDEFINED, PrivilegeCode
from asd.security.roles import (
    MAX_NAME,
    MAX_QUOTA,
    MAX_ROLES_OF_USER,
    NO_PASSWORD_HASH,
    Privilege,
    Role,
    User,
    check_hash,
    predefined,
)

log = logging.getLogger("asd.security")

_T = TypeVar("_T")

MODULE: Final = "security"
"""The module of the metadata; `user|name` and `role|name` to the account."""

DEFAULT_ADMIN_HASH: Final = "$2a$10$7EqJtq98hPqEX7fNZaFWoO1mVO/4MLpGzsqojz6E9Gef6iXDjXdDa"
"""The hash of `admin`, with which the user of that name begins."""

ADMIN: Final = "admin"
ADMIN_ROLES: Final = frozenset({PrivilegeCode.USER_ADMIN.text})
MAX_USERS: Final = 10_000
MAX_ROLES: Final = 1_000
"""Roles besides the predefined ones."""

USER: Final = "user"
ROLE: Final = "role"

Keep = Callable[[str, str | None], None]
"""Given the key of an item and its text, or None where the item goes."""


class Accounts:
    """The users and roles of a cluster, as this node knows them."""

    def __init__(self, admin: User, keep: Keep) -> None:
        """`admin` is what the user of that name is as long as no item says more."""
        self._keep = keep
        self._users: dict[str, User] = {ADMIN: admin}
        self._roles: dict[str, Role] = {}
        self._check()

    # -------------------------------------------------------------------- looking

    @property
    def users(self) -> Mapping[str, User]:
        """All users by name."""
        return MappingProxyType(self._users)

    @property
    def roles(self) -> dict[str, Role]:
        """All roles by name, the predefined ones first. O(n)."""
        return {**{name: _always(name) for name in PREDEFINED}, **self._roles}

    def user(self, name: str) -> User:
        """Raises USER_INVALID when there is none of this name. O(1)."""
        try:
            return self._users[name]
        except KeyError:
            raise OperationError(ResultCode.USER_INVALID, "no such user") from None

    def role(self, name: str) -> Role:
        """Raises ROLE_INVALID when there is none of this name. O(1)."""
        role = self._find_role(name)
        if role is None:
            raise OperationError(ResultCode.ROLE_INVALID, "no such role")
        return role

    def roles_of(self, user: User) -> dict[str, Role]:
        """The roles that the user has and that there are, by name. O(roles of the user)."""
        found = {name: self._find_role(name) for name in sorted(user.roles)}
        return {name: role for name, role in found.items() if role is not None}

    def _find_role(self, name: str) -> Role | None:
        return self._roles.get(name) or predefined(name)

    # -------------------------------------------------------------------- users

    def create_user(self, name: str, given: bytes, roles: Iterable[str], salt: bytes) -> None:
        """A user who logs in with this hash. Raises OperationError."""
        check_name(name, ResultCode.USER_INVALID)
        if name in self._users:
            raise OperationError(ResultCode.USER_EXISTS, "the user exists")
        if len(self._users) >= MAX_USERS:
            raise OperationError(ResultCode.FORBIDDEN, f"{MAX_USERS} users")
        names = self._role_names(name, roles)
        self._put_user(name, User.with_password(given, salt, names))

    def drop_user(self, name: str) -> None:
        """Raises USER_INVALID when there is none."""
        self.user(name)
        self._keep(f"{USER}|{name}", None)

    def set_password(self, name: str, given: bytes, salt: bytes) -> None:
        """Let the user log in with this hash from now on. Raises OperationError.

        A user who logs in by certificate is not given a password.
        """
        user = self.user(name)
        if not user.has_password:
            raise OperationError(ResultCode.PASSWORD_FORBIDDEN, "logs in by certificate alone")
        if as_password.matches(given, NO_PASSWORD_HASH):
            raise OperationError(ResultCode.PASSWORD_FORBIDDEN, "stands for no password")
        self._put_user(name, User.with_password(given, salt, user.roles))

    def change_password(self, name: str, old: bytes, given: bytes, salt: bytes) -> None:
        """`set_password` by the user, who must know the old one. Raises OperationError."""
        check_hash(given)
        if not self.user(name).accepts(old):
            raise OperationError(ResultCode.PASSWORD_INVALID, "not the user's password")
        self.set_password(name, given, salt)

    def put_external(self, name: str, roles: Iterable[str]) -> None:
        """A user whom a directory knows, with those of its names that are roles here. Raises
        OperationError."""
        check_name(name, ResultCode.USER_INVALID)
        account = self._users.get(name)
        if account is not None and not account.external:
            raise OperationError(ResultCode.USER_EXISTS, "an internal user")
        if account is None and len(self._users) >= MAX_USERS:
            raise OperationError(ResultCode.FORBIDDEN, f"{MAX_USERS} users")
        known = sorted(role for role in set(roles) if self._find_role(role) is not None)
        names = frozenset(known[:MAX_ROLES_OF_USER])
        self._put_user(name, User(b"", b"", names, external=True))

    def _internal(self, name: str) -> User:
        """The user, whose roles are given here. Raises OperationError."""
        user = self.user(name)
        if user.external:
            raise OperationError(ResultCode.FORBIDDEN, "the directory has the roles of this user")
        return user

    def grant_roles(self, name: str, roles: Iterable[str]) -> None:
        """Give the user these roles besides. Raises OperationError."""
        user = self._internal(name)
        self._put_user(name, evolve(user, roles=self._role_names(name, roles, user.roles)))

    def revoke_roles(self, name: str, roles: Iterable[str]) -> None:
        """Take these roles from the user, who need not have them. Raises OperationError."""
        user = self._internal(name)
        self._put_user(name, evolve(user, roles=user.roles - frozenset(roles)))

    def _role_names(
        self, user: str, names: Iterable[str], besides: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """All these; raises ROLE_INVALID when one can be no role's, or there are too many."""
        given = frozenset(names)
        for name in sorted(given):
            check_name(name, ResultCode.ROLE_INVALID)
        if len(given | besides) > MAX_ROLES_OF_USER:
            raise OperationError(ResultCode.ROLE_INVALID, f"over {MAX_ROLES_OF_USER} roles")
        for name in sorted(given):
            if self._find_role(name) is None:
                log.warning("user '%s' is given the role '%s', which is not known", user, name)
        return given | besides

    def _put_user(self, name: str, user: User) -> None:
        if self._users.get(name) != user:
            self._keep(f"{USER}|{name}", user.to_text())

    # -------------------------------------------------------------------- roles

    def create_role(self, name: str, role: Role) -> None:
        """Raises OperationError when there is one of this name, or it cannot be had."""
        check_name(name, ResultCode.ROLE_INVALID)
        if self._find_role(name) is not None:
            raise OperationError(ResultCode.ROLE_EXISTS, "the role exists")
        if len(self._roles) >= MAX_ROLES:
            raise OperationError(ResultCode.FORBIDDEN, f"{MAX_ROLES} roles")
        self._put_role(name, role.granted(()))  # which looks that they are not too many

    def drop_role(self, name: str) -> None:
        """Raises ROLE_INVALID when there is none, or it is always there."""
        self._own(name)
        self._keep(f"{ROLE}|{name}", None)
        self._take_from_users(name)

    def grant_privileges(self, name: str, privileges: Iterable[Privilege]) -> None:
        """Raises OperationError."""
        role = self._own(name)
        self._put_role(name, role.granted(_some(privileges)))

    def revoke_privileges(self, name: str, privileges: Iterable[Privilege]) -> None:
        """Take privileges from the role, which need not have them. Raises OperationError."""
        role = self._own(name)
        self._put_role(name, role.revoked(_some(privileges)))

    def set_whitelist(self, name: str, whitelist: tuple[str, ...]) -> None:
        """From where the role's users may come; () = from anywhere. Raises OperationError."""
        role = self._own(name)
        self._put_role(name, evolve(role, whitelist=whitelist))

    def set_quotas(self, name: str, read: int | None, write: int | None) -> None:
        """How much a second the role's users may do; 0 = anything, None = as it is."""
        role = self._own(name)
        for quota in (read, write):
            if quota is not None and not 0 <= quota <= MAX_QUOTA:
                raise OperationError(ResultCode.QUOTA_INVALID, "a quota that there cannot be")
        new = evolve(
            role,
            read_quota=role.read_quota if read is None else read,
            write_quota=role.write_quota if write is None else write,
        )
        self._put_role(name, new)

    def _own(self, name: str) -> Role:
        """The role, which is not one of those that are always there."""
        role = self.role(name)
        if name not in self._roles:
            raise OperationError(ResultCode.ROLE_INVALID, "a predefined role is not changed")
        return role

    def _put_role(self, name: str, role: Role) -> None:
        if self._roles.get(name) != role:
            self._keep(f"{ROLE}|{name}", role.to_text())

    def _take_from_users(self, role: str) -> None:
        for name, user in list(self._users.items()):
            if role in user.roles:
                self._put_user(name, evolve(user, roles=user.roles - {role}))

    # -------------------------------------------------------------------- items

    def apply(self, key: str, text: str | None) -> set[str]:
        """Take an item into the state; the names of the users it concerns.

        What cannot be made out is left out, and a log line says so: that a user or role is missing
        may lock somebody out, but lets nobody in.
        """
        kind, _, name = key.partition("|")
        if kind == USER:
            _place(self._users, name, text, User.from_text)
            return {name}
        if kind == ROLE:
            _place(self._roles, name, text, Role.from_text)
            return {user for user, account in self._users.items() if name in account.roles}
        log.warning("unknown item '%s' in the system metadata of security", key)
        return set()

    def _check(self) -> None:
        assert not set(self._roles) & set(PREDEFINED)


def check_name(name: str, code: ResultCode) -> None:
    """Raises OperationError(code) for what cannot be the name of a user or role.

    Control characters would forge lines of the audit log; all others are allowed.
    """
    if not 0 < len(name.encode()) <= MAX_NAME:
        raise OperationError(code, f"a name has 1 to {MAX_NAME} bytes")
    if not name.isprintable():
        raise OperationError(code, "a name of printable characters is wanted")


def _always(name: str) -> Role:
    role = predefined(name)
    assert role is not None
    return role


def _some(privileges: Iterable[Privilege]) -> list[Privilege]:
    found = list(privileges)
    if not found:
        raise OperationError(ResultCode.PRIVILEGE_INVALID, "no privileges")
    return found


def _place(items: dict[str, _T], name: str, text: str | None, parse: Callable[[str], _T]) -> None:
    items.pop(name, None)
    if text is None:
        return
    try:
        items[name] = parse(text)
    except (ValueError, KeyError, TypeError, OperationError) as error:
        log.warning("'%s' in the system metadata of security is left out: %s", name, error)
