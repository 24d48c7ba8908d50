"""A naive model of users and rights: what the listing of users and roles comes to.

Written from the documentation, and not from the server: privileges by their codes, as plain sets of
numbers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from aerospike_common.wire.admin import AdminField, AdminMessage, parse_privileges, parse_roles

USER_ADMIN: Final = frozenset({0})
READ: Final = frozenset({10, 11, 12})
WRITE: Final = frozenset({11, 12, 13})
TRUNCATE: Final = frozenset({1, 2, 14})
INDEXES: Final = frozenset({1, 2, 4})

ADDRESS: Final = ipaddress.ip_address("127.0.0.1")


class Right(NamedTuple):
    """A privilege of the listing."""

    code: int
    namespace: bytes
    set_name: bytes


class Role(NamedTuple):
    """What a role gives, and from where."""

    rights: frozenset[Right]
    whitelist: tuple[str, ...]
    quotas: tuple[bytes, bytes]


class Listing(NamedTuple):
    """Users and roles as the server lists them; to be compared."""

    users: Mapping[bytes, frozenset[bytes]]
    roles: Mapping[bytes, Role]

    @classmethod
    def of(cls, users: Iterable[AdminMessage], roles: Iterable[AdminMessage]) -> Listing:
        """From the messages of the replies to both queries."""
        return cls(
            {
                message.fields[AdminField.USER]: frozenset(
                    parse_roles(message.fields[AdminField.ROLES])
                )
                for message in users
                if message.fields
            },
            {
                message.fields[AdminField.ROLE]: _role(message.fields)
                for message in roles
                if message.fields
            },
        )

    def allowed(self, user: bytes, codes: frozenset[int], *place: bytes) -> bool:
        """May the user do what one of the privileges allows, in a namespace and set (or
        everywhere)?"""
        namespace, set_name = place or (b"", b"")
        return any(
            right.code in codes
            and right.namespace in (b"", namespace)
            and right.set_name in (b"", set_name)
            for role in self._roles(user)
            for right in role.rights
        )

    def may_come(self, user: bytes) -> bool:
        """May the user come from here?"""
        entries = [entry for role in self._roles(user) for entry in role.whitelist]
        return not entries or any(
            ADDRESS in ipaddress.ip_network(entry, strict=False) for entry in entries
        )

    def _roles(self, user: bytes) -> list[Role]:
        names = self.users.get(user, frozenset())
        return [self.roles[name] for name in names if name in self.roles]


def _role(fields: Mapping[int, bytes]) -> Role:
    rights = {Right(*sent) for sent in parse_privileges(fields[AdminField.PRIVILEGES])}
    whitelist = fields.get(AdminField.WHITELIST, b"").decode()
    return Role(
        frozenset(rights),
        tuple(filter(None, whitelist.split(","))),
        (fields.get(AdminField.READ_QUOTA, b""), fields.get(AdminField.WRITE_QUOTA, b"")),
    )
