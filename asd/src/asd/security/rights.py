"""What a connection may do: the one function that everything asks, `Rights.check`.

Every connection has a `Rights`. There are three kinds. `UNRESTRICTED` is everybody's where security
is off: it checks nothing and costs one call on the general way. `Nobody` is for connections on
which nobody has logged in. A `UserRights` is that of one user, and all connections of the user have
the same object, which changes in place when the user or one of the roles changes. So a change takes
effect with the next request of every connection, whatever runs or waits: nothing is looked up
again, nothing is refreshed by a timer.

Fast paths (`asd.fastpath.contract`) skip the check. They may, because the table of paths belongs to
the rights: a path is made only after a request has passed the check on the general way, is found
only by connections with the same rights, and is forgotten when the rights change. Requests that
must be seen each time (`watched`: by the audit log or by a quota) never get a path.

Rejected: rights looked up by user name at each request (a dict look-up and a copy that can be
stale), and one table of paths with the user in the key (every hot look-up would build a key).

What must hold: a set scope counts only where the request names the set. It may not be guessed from
the digest; that the record is in the set that was named, the transaction itself sees to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from aerospike_common.wire.codes import FieldType, Info1, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.security.permissions import ALLOWS, SCOPED_INFO, Permission, info_permission
from asd.security.roles import Privilege

KNOWN_CAPACITY: Final = 1024
"""Answers kept for each user; a cache that is full starts afresh."""

_FUNCTION_QUERY: Final = (FieldType.UDF_OP, FieldType.UDF_PACKAGE, FieldType.UDF_FUNCTION)


class RoleViolation(OperationError):
    """Refused for want of a permission, which the text names as clients expect it."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(
            ResultCode.ROLE_VIOLATION,
            f"role violation - requires permission '{permission.value}'",
        )
        self.permission = permission


class NotAuthenticated(OperationError):
    """Refused because nobody has logged in on the connection, or the user is gone."""

    def __init__(self) -> None:
        super().__init__(ResultCode.NOT_AUTHENTICATED, "not authenticated")


class InfoAsked(NamedTuple):
    """An info command: who asks, its name, its arguments, the namespace and set that they name."""

    peer: str
    name: str
    arguments: str = ""
    namespace: bytes = b""
    set_name: bytes = b""


class QueryLoad:
    """Told when a query begins and ends; this one needs not to know."""

    def begin(self) -> None:
        """The query runs."""

    def end(self) -> None:
        """The query that has begun has ended."""


class Rights:
    """What a connection may do, and the base of those that restrict it: everything."""

    __slots__ = ()

    authenticated = True
    """Has somebody logged in, or need nobody?"""
    user = ""
    """The user's name; empty where there is none."""

    def check(self, permission: Permission, namespace: bytes = b"", set_name: bytes = b"") -> None:
        """Raises RoleViolation or NotAuthenticated where this may not be done.

        Without a namespace the permission is needed everywhere, without a set in all of the
        namespace.
        """

    def permits(self, permission: Permission, namespace: bytes, set_name: bytes) -> bool:
        """`check` as a question."""
        return True

    def check_message(self, peer: str, message: Message, digest: bytes | None) -> None:
        """`check` for a command on the record of a digest or, without one, for a query; with its
        quotas, and the audit log, which `peer` is for.

        Raises besides OperationError(QUOTA_EXCEEDED).
        """

    def violated(self, peer: str, message: Message, digest: bytes | None) -> None:
        """A message that has passed the check was refused all the same, for what it would change or
        see (`asd.transactions.masked`): the audit log is told."""

    def check_info(self, asked: InfoAsked) -> None:
        """`check` for an info command."""

    def query_load(self, message: Message) -> QueryLoad:
        """What is to be told of the beginning and the end of a query."""
        return QueryLoad()

    def watched(self, message: Message) -> bool:
        """Must requests like this one be seen each time, so that no fast path may answer them?"""
        return False


UNRESTRICTED: Final = Rights()


class Watcher:
    """Who sees requests that have passed the check, and those that have not: quotas, audit.

    One that sees nothing; `asd.security.security` has the one that does.
    """

    def admit(self, user: UserRights, peer: str, message: Message, digest: bytes | None) -> None:
        """The user may do this. Raises OperationError(QUOTA_EXCEEDED) where it is too much."""

    def violated(self, user: Rights, peer: str, message: Message, digest: bytes | None) -> None:
        """The user may not do this."""

    def informed(self, user: Rights, asked: InfoAsked, *, allowed: bool) -> None:
        """The user, or whoever has not logged in, has sent an info command."""

    def query_load(self, user: UserRights, message: Message) -> QueryLoad:
        """What is to be told of the beginning and the end of a query."""
        return QueryLoad()

    def watches(self, user: UserRights, message: Message) -> bool:
        """Must `admit` see requests like this one each time?"""
        return False


class Nobody(Rights):
    """The rights of a connection on which nobody has logged in."""

    __slots__ = ("_watcher",)

    authenticated = False

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def check(self, permission: Permission, namespace: bytes = b"", set_name: bytes = b"") -> None:
        """Raises NotAuthenticated."""
        raise NotAuthenticated

    def permits(self, permission: Permission, namespace: bytes, set_name: bytes) -> bool:
        """Nothing."""
        return False

    def check_message(self, peer: str, message: Message, digest: bytes | None) -> None:
        """Raises NotAuthenticated."""
        self._watcher.violated(self, peer, message, digest)
        raise NotAuthenticated

    def check_info(self, asked: InfoAsked) -> None:
        """Raises NotAuthenticated."""
        self._watcher.informed(self, asked, allowed=False)
        raise NotAuthenticated

    def watched(self, message: Message) -> bool:
        """Nothing of a stranger's is answered at all."""
        return True


class UserRights(Rights):
    """The rights of one user. `privileges` is the union of those of the roles."""

    __slots__ = ("_changed", "_known", "_privileges", "_watcher", "authenticated", "user")

    def __init__(self, user: str, watcher: Watcher, changed: Callable[[Rights], None]) -> None:
        """`changed` is called when the rights have: what was made under the old ones must go."""
        self.user = user
        self.authenticated = True
        self._watcher = watcher
        self._changed = changed
        self._privileges: frozenset[Privilege] = frozenset()
        self._known: dict[tuple[Permission, bytes, bytes], bool] = {}

    def become(self, privileges: frozenset[Privilege]) -> None:
        """These are the rights from now on."""
        self._privileges = privileges
        self._known.clear()
        self._changed(self)

    def end(self) -> None:
        """The user is gone: on connections that still have these rights, nobody is logged in."""
        self.authenticated = False
        self.become(frozenset())

    def permits(self, permission: Permission, namespace: bytes, set_name: bytes) -> bool:
        """Is this allowed? O(1) when asked again, O(privileges) the first time."""
        key = (permission, namespace, set_name)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN_CAPACITY:
                self._known.clear()
            known = any(
                permission in ALLOWS[privilege.code] and privilege.covers(namespace, set_name)
                for privilege in self._privileges
            )
            self._known[key] = known
        return known

    def check(self, permission: Permission, namespace: bytes = b"", set_name: bytes = b"") -> None:
        """Raises RoleViolation or NotAuthenticated where this may not be done."""
        if not self.authenticated:
            raise NotAuthenticated
        if not self.permits(permission, namespace, set_name):
            raise RoleViolation(permission)

    def check_message(self, peer: str, message: Message, digest: bytes | None) -> None:
        """`check` for a command on a record or a query, with its quotas and the audit log."""
        fields = message.fields
        namespace, set_name = fields.get(FieldType.NAMESPACE, b""), fields.get(FieldType.SET, b"")
        permissions = needs(message, digest is not None)
        try:
            for permission in permissions:
                self.check(permission, namespace, set_name)
        except OperationError:
            self._watcher.violated(self, peer, message, digest)
            raise
        self._watcher.admit(self, peer, message, digest)

    def violated(self, peer: str, message: Message, digest: bytes | None) -> None:
        """A message that has passed the check was refused all the same."""
        self._watcher.violated(self, peer, message, digest)

    def check_info(self, asked: InfoAsked) -> None:
        """`check` for an info command, with the audit log."""
        permission = info_permission(asked.name)
        try:
            if not self.authenticated:
                raise NotAuthenticated
            if permission in SCOPED_INFO:
                self.check(permission, asked.namespace, asked.set_name)
            elif permission is not None:
                self.check(permission)
        except OperationError:
            self._watcher.informed(self, asked, allowed=False)
            raise
        self._watcher.informed(self, asked, allowed=True)

    def query_load(self, message: Message) -> QueryLoad:
        """What is to be told of the beginning and the end of a query."""
        return self._watcher.query_load(self, message)

    def watched(self, message: Message) -> bool:
        """Must requests like this one be seen each time?"""
        return not self.authenticated or self._watcher.watches(self, message)


def needs(message: Message, of_record: bool) -> tuple[Permission, ...]:
    """The permissions that a command on a record (a batch row, too) or a query needs: at least
    one."""
    if of_record:
        return _record_needs(message)
    if all(name in message.fields for name in _FUNCTION_QUERY):
        return (Permission.UDF_QUERY,)
    if message.info2 & Info2.WRITE:
        return (Permission.OPS_QUERY,)
    return (Permission.QUERY,)


def _record_needs(message: Message) -> tuple[Permission, ...]:
    if not message.info2 & Info2.WRITE:
        return (Permission.READ,)
    if FieldType.UDF_PACKAGE in message.fields and not message.info2 & Info2.DELETE:
        return (Permission.UDF_APPLY,)
    if message.info1 & Info1.READ:
        return (Permission.WRITE, Permission.READ)
    return (Permission.WRITE,)
