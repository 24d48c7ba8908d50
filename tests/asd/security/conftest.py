"""A node with access control, without sockets, and clients that log in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aerospike_common import as_password
from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    AdminMessage,
    WirePrivilege,
    encode_admin,
    encode_privileges,
    encode_roles,
    parse_admin,
)
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import parse_message
from asd.config import SecurityConfig
from citrusleaf.cf_clock import VirtualClock
from citrusleaf.cf_random import CfRandom

HASH_START = as_password.SETTING


def hash_of(password: str) -> bytes:
    """What stands for a password here: of the form of a hash, and quickly made."""
    if password == "admin":
        return b"$2a$10$7EqJtq98hPqEX7fNZaFWoO1mVO/4MLpGzsqojz6E9Gef6iXDjXdDa"
    return (HASH_START + password).encode().ljust(60, b".")[:60]


class Admin:
    """One connection of one node, by which to log in and to ask."""

    def __init__(self, wire: Any, address: str = "127.0.0.1") -> None:
        self.wire = wire
        self.wire.connection.address = address

    def ask(self, command: int, fields: Mapping[int, bytes] | None = None) -> list[AdminMessage]:
        """The messages of the reply to a command."""
        reply = self.wire.send(frame(2, encode_admin(command, fields)))
        assert reply[:2] == b"\x02\x02"
        assert len(reply) == 8 + int.from_bytes(reply[2:8], "big")
        return parse_admin(reply[8:])

    def do(self, command: int, fields: Mapping[int, bytes] | None = None) -> int:
        """The result code of a command, that of the first message."""
        return self.ask(command, fields)[0].result_code

    def login(self, user: str, password: str | None = None) -> AdminMessage:
        """The password is the name, where none is given."""
        fields = {
            AdminField.USER: user.encode(),
            AdminField.CREDENTIAL: hash_of(user if password is None else password),
        }
        return self.ask(AdminCommand.LOGIN, fields)[0]

    def authenticate(self, user: str, token: bytes) -> int:
        fields = {AdminField.USER: user.encode(), AdminField.SESSION_TOKEN: token}
        return self.do(AdminCommand.AUTHENTICATE, fields)

    def create_user(self, name: str, *roles: str, password: str | None = None) -> int:
        fields = {
            AdminField.USER: name.encode(),
            AdminField.PASSWORD: hash_of(name if password is None else password),
            AdminField.ROLES: encode_roles([role.encode() for role in roles]),
        }
        return self.do(AdminCommand.CREATE_USER, fields)

    def drop_user(self, name: str) -> int:
        return self.do(AdminCommand.DROP_USER, {AdminField.USER: name.encode()})

    def grant(self, name: str, *roles: str, revoke: bool = False) -> int:
        command = AdminCommand.REVOKE_ROLES if revoke else AdminCommand.GRANT_ROLES
        fields = {
            AdminField.USER: name.encode(),
            AdminField.ROLES: encode_roles([role.encode() for role in roles]),
        }
        return self.do(command, fields)

    def create_role(
        self, name: str, privileges: Sequence[WirePrivilege], **more: bytes | int
    ) -> int:
        fields = {
            AdminField.ROLE: name.encode(),
            AdminField.PRIVILEGES: encode_privileges(privileges),
        }
        for key, value in more.items():
            data = value if isinstance(value, bytes) else value.to_bytes(4, "big")
            fields[AdminField[key.upper()]] = data
        return self.do(AdminCommand.CREATE_ROLE, fields)


class SecureNode:
    """A node with access control, and ways to get clients of it."""

    def __init__(self, kit: Any, **config: Any) -> None:
        self.kit = kit
        self.clock = VirtualClock()
        self.node = kit.make_node(
            self.clock, random=CfRandom(seed=1), security=SecurityConfig(**config)
        )

    def client(self, user: str = "", password: str | None = None) -> Admin:
        """A new connection; with a user, one on which the user has logged in."""
        client = Admin(self.kit.Wire(self.node))
        if user:
            reply = client.login(user, password)
            assert reply.result_code == 0, reply
        return client


@pytest.fixture(scope="session", name="hash_of")
def _hash_of() -> Any:
    """`hash_of`, to be called in a test."""
    return hash_of


@pytest.fixture(scope="session")
def secure(kit: Any) -> Any:
    """A function from `security` parameters to a node with access control."""
    return lambda **config: SecureNode(kit, **config)


# ------------------------------------------------------------------------ data masking

SSN = b"123-45-6789"
MASKING_RULE = (
    "masking:namespace=test;set=demo;bin=ssn;type=string;function=redact;position=0;length=7"
)
USERS = {
    "app": ("read-write-udf", "read-masked", "write-masked"),
    "analyst": ("read-write-udf",),
    "reader": ("read-write-udf", "read-masked"),
    "writer": ("read-write-udf", "write-masked"),
    "dba": ("masking-admin", "udf-admin", "sindex-admin"),
}


class Masked:
    """A node with a masked bin, `ssn`, in the record 1, and one client of each user."""

    def __init__(self, secure: Any, kit: Any, **config: Any) -> None:
        self.kit = kit
        self.secure = secure(**config)
        admin = self.secure.client("admin")
        for user, roles in USERS.items():
            admin.create_user(user, *roles)
        self.clients = {user: self.secure.client(user).wire for user in USERS}
        self.info("dba", MASKING_RULE)
        self.send(
            "app",
            kit.put(1, (b"ssn", ParticleType.STRING, SSN), (b"name", ParticleType.STRING, b"Ada")),
        )

    def info(self, user: str, command: str) -> str:
        reply = self.clients[user].send(frame(1, command.encode() + b"\n"))[8:].decode()
        return reply.partition("\t")[2].rstrip("\n")

    def send(self, user: str, data: bytes) -> Any:
        """The first message of the reply."""
        reply = self.clients[user].send(data)
        return parse_message(reply[8 : 8 + int.from_bytes(reply[2:8], "big")])

    def read(self, user: str, data: bytes | None = None) -> dict[bytes, bytes]:
        message = self.send(user, self.kit.get(1) if data is None else data)
        assert message.result_code == ResultCode.OK
        return {op.name: op.value for op in message.ops}


@pytest.fixture(scope="session")
def make_masked(secure: Any, kit: Any) -> Any:
    """A function to a node with a masked bin."""
    return lambda **config: Masked(secure, kit, **config)


@pytest.fixture
def masked(make_masked: Any) -> Masked:
    """A node with a masked bin."""
    return make_masked()
