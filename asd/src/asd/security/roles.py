"""Privileges, roles and users as values: how they are checked, kept as text, put on the wire."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from aerospike_common import as_password
from aerospike_common.wire.admin import WirePrivilege
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.security.permissions import PREDEFINED, PrivilegeCode
from citrusleaf.cf_crypto import hmac_sha256, is_equal

MAX_NAME: Final = 63
"""Bytes of the name of a user or role."""
MAX_PRIVILEGES: Final = 255
MAX_ROLES_OF_USER: Final = 255
"""What replies to queries have room for."""
MAX_WHITELIST: Final = 256
MAX_QUOTA: Final = (1 << 32) - 1

HASH_SIZE: Final = 60
SALT_SIZE: Final = 16
NO_PASSWORD_HASH: Final = "$2a$10$7EqJtq98hPqEX7fNZaFWoOePA2sZy..tlOF99W2N0g5KZ3dLaw8WO"
"""The hash that stands for "logs in by certificate"."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@frozen
class Privilege:
    """A privilege with its scope: a set of a namespace, a namespace (no set), everything (none)."""

    code: PrivilegeCode
    namespace: bytes = b""
    set_name: bytes = b""

    @classmethod
    def of(cls, code: int, namespace: bytes, set_name: bytes) -> Privilege:
        """Raises PRIVILEGE_INVALID for a code there is not, or a scope that goes with none."""
        try:
            known = PrivilegeCode(code)
        except ValueError:
            raise OperationError(ResultCode.PRIVILEGE_INVALID, f"privilege {code}") from None
        if (namespace or set_name) and not known.scoped:
            raise OperationError(ResultCode.PRIVILEGE_INVALID, f"{known.text} has no scope")
        if (set_name and not namespace) or len(namespace) > 31 or len(set_name) > MAX_NAME:
            raise OperationError(ResultCode.PRIVILEGE_INVALID, "a scope that there cannot be")
        return cls(known, namespace, set_name)

    @classmethod
    def parse(cls, text: str) -> Privilege:
        """`read`, `read.NAMESPACE` or `read.NAMESPACE.SET`, as tools write it. Raises
        PRIVILEGE_INVALID."""
        name, _, scope = text.partition(".")
        code = next((code for code in PrivilegeCode if code.text == name), None)
        if code is None:
            known = ", ".join(code.text for code in PrivilegeCode)
            raise OperationError(ResultCode.PRIVILEGE_INVALID, f"'{name}' is none of {known}")
        namespace, _, set_name = scope.partition(".")
        return cls.of(code, namespace.encode(), set_name.encode())

    def covers(self, namespace: bytes, set_name: bytes) -> bool:
        """Is this place (empty: all of them) within the scope?"""
        if not self.namespace:
            return True
        return self.namespace == namespace and self.set_name in (b"", set_name)


@frozen
class Role:
    """What a role gives, where its users may be, how much they may do a second (0: anything)."""

    privileges: frozenset[Privilege] = frozenset()
    whitelist: tuple[str, ...] = ()
    read_quota: int = 0
    write_quota: int = 0

    def granted(self, privileges: Iterable[Privilege]) -> Role:
        """With these besides. Raises PRIVILEGE_INVALID when they are too many."""
        union = self.privileges | frozenset(privileges)
        if len(union) > MAX_PRIVILEGES:
            raise OperationError(ResultCode.PRIVILEGE_INVALID, f"{len(union)} privileges")
        return evolve(self, privileges=union)

    def revoked(self, privileges: Iterable[Privilege]) -> Role:
        """Without these; one is taken only with the very scope it was given with."""
        return evolve(self, privileges=self.privileges - frozenset(privileges))

    def ordered(self) -> list[Privilege]:
        """The privileges in the order in which they are listed."""
        return sorted(self.privileges, key=lambda one: (one.code, one.namespace, one.set_name))

    def to_text(self) -> str:
        """As system metadata keeps it."""
        rows = [
            [int(one.code), _text(one.namespace), _text(one.set_name)] for one in self.ordered()
        ]
        return json.dumps(
            {
                "privileges": rows,
                "whitelist": list(self.whitelist),
                "read-quota": self.read_quota,
                "write-quota": self.write_quota,
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Role:
        """What `to_text` made. Raises ValueError, KeyError, TypeError, OperationError."""
        kept: dict[str, Any] = json.loads(text)
        privileges = [
            Privilege.of(code, _bytes(namespace), _bytes(set_name))
            for code, namespace, set_name in kept["privileges"]
        ]
        return cls(
            frozenset(privileges),
            tuple(map(str, kept["whitelist"])),
            int(kept["read-quota"]),
            int(kept["write-quota"]),
        )


def predefined(name: str) -> Role | None:
    """The role of that name that is always there, if there is one."""
    codes = PREDEFINED.get(name)
    return None if codes is None else Role(frozenset(map(Privilege, codes)))


@frozen
class User:
    """A user: what the password is known by, and the names of the roles.

    The hash that clients send is as good as the password, for it has the same salt everywhere. So
    it is not kept, but only what it comes to under a salt of the user's own: whoever reads the
    metadata cannot log in with what stands there.
    """

    salt: bytes
    verifier: bytes
    roles: frozenset[str] = frozenset()
    external: bool = False
    """Is it a directory that knows the password, and the roles?"""

    @classmethod
    def with_password(cls, given: bytes, salt: bytes, roles: frozenset[str]) -> User:
        """A user who logs in with this hash; with `NO_PASSWORD_HASH`, by certificate alone.

        Raises PASSWORD_INVALID for what is no hash.
        """
        check_hash(given)
        if as_password.matches(given, NO_PASSWORD_HASH):
            return cls(b"", b"", roles)
        return cls(salt, _verifier(given, salt), roles)

    @property
    def has_password(self) -> bool:
        """Is there a password to log in with?"""
        return bool(self.verifier)

    def accepts(self, given: bytes) -> bool:
        """Is this the hash of the user's password? In a time that does not tell how wrong it is."""
        right = is_equal(_verifier(given, self.salt), self.verifier)
        return right and self.has_password

    def to_text(self) -> str:
        """As system metadata keeps it."""
        kept: dict[str, Any] = {
            "salt": self.salt.hex(),
            "verifier": self.verifier.hex(),
            "roles": sorted(self.roles),
        }
        return json.dumps({**kept, "external": True} if self.external else kept)

    @classmethod
    def from_text(cls, text: str) -> User:
        """What `to_text` made. Raises ValueError, KeyError, TypeError."""
        kept: dict[str, Any] = json.loads(text)
        return cls(
            bytes.fromhex(kept["salt"]),
            bytes.fromhex(kept["verifier"]),
            frozenset(map(str, kept["roles"])),
            bool(kept.get("external", False)),
        )


def check_hash(given: bytes) -> None:
    """Raises PASSWORD_INVALID for what cannot be the hash of a password."""
    if len(given) != HASH_SIZE or not given.startswith(b"$2") or b"\0" in given:
        raise OperationError(ResultCode.PASSWORD_INVALID, "not the hash of a password")


def parse_whitelist(text: str) -> tuple[str, ...]:
    """The addresses and blocks, joined by commas, as they were written.

    Raises WHITELIST_INVALID for anything else.
    """
    entries = tuple(filter(None, (entry.strip() for entry in text.split(","))))
    if len(entries) > MAX_WHITELIST:
        raise OperationError(ResultCode.WHITELIST_INVALID, f"{len(entries)} addresses")
    for entry in entries:
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError:
            raise OperationError(
                ResultCode.WHITELIST_INVALID, "neither an address nor a block of them"
            ) from None
    return entries


def is_listed(address: str, whitelist: Iterable[str]) -> bool:
    """Is the address in one of the entries? An IPv4 address may come as the IPv6 form of one."""
    try:
        host = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return any(host in ipaddress.ip_network(entry, strict=False) for entry in whitelist)


def to_wire(role: Role) -> list[WirePrivilege]:
    """The privileges as they are sent."""
    return [WirePrivilege(one.code, one.namespace, one.set_name) for one in role.ordered()]


def _verifier(given: bytes, salt: bytes) -> bytes:
    return hmac_sha256(salt, given)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return str(text).encode("utf-8", "surrogateescape")
