"""The audit log: what it tells, and that no secret is in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    WirePrivilege,
    encode_admin,
    encode_roles,
)
from aerospike_common.wire.codes import FieldType, ParticleType
from aerospike_common.wire.frame import frame
from asd.config import SecurityLogConfig
from asd.security.permissions import PrivilegeCode

BIN = (b"a", ParticleType.BLOB, b"x")
EVERYTHING = SecurityLogConfig(
    report_authentication=True,
    report_user_admin=True,
    report_sys_admin=True,
    report_violation=True,
    report_data_op=("test demo",),
)


@pytest.fixture
def node(secure: Any, caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG)
    return secure(log=EVERYTHING)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "asd.audit"]


def line(result: str, user: str, action: str, detail: str) -> str:
    return (
        f"{result} | client: 127.0.0.1:4000 | authenticated user: {user}"
        f" | action: {action} | detail: {detail}"
    )


def test_what_is_told(node: Any, kit: Any, caplog: pytest.LogCaptureFixture) -> None:
    admin = node.client("admin")
    privileges = [
        WirePrivilege(PrivilegeCode.USER_ADMIN),
        WirePrivilege(PrivilegeCode.READ_WRITE, b"test", b"demo"),
        WirePrivilege(PrivilegeCode.WRITE),
    ]
    admin.create_role("clerk", privileges)
    admin.create_user("ann", "clerk")
    admin.create_user("ann", "clerk")
    admin.client = node.client()
    admin.client.login("ann", "wrong")
    admin.client.wire.send(frame(1, b"build\n"))
    ann = node.client("ann").wire
    ann.send(kit.put(1, BIN))
    ann.send(kit.get(1, set_name=b"other"))
    ann.send(kit.get(1, fields={FieldType.KEY: b"\3jo|hn\n"}))
    ann.send(frame(1, b"log-set:id=0;any=info\n"))
    digest = kit.digest(1).hex()
    assert lines(caplog) == [
        line("permitted", "admin", "login", "user=admin"),
        line("permitted", "admin", "create role", "role=clerk;privs=u,rw{test|demo},w{}"),
        line("permitted", "admin", "create user", "user=ann;roles=clerk"),
        line("failed (the user exists)", "admin", "create user", "<none>"),
        line("authentication failed (password)", "<none>", "login", "user=ann"),
        line("not authenticated", "<none>", "info request", "<none>"),
        line("permitted", "ann", "login", "user=ann"),
        line("permitted", "ann", "write", f"{{test|demo}} [D|{digest}]"),
        line("role violation", "ann", "read", f"{{test|other}} [D|{digest}]"),
        line("permitted", "ann", "read", "{test|demo} [S|jo?hn?]"),
        line("role violation", "ann", "log-set", "id=0;any=info"),
    ]


def test_operations_that_are_told_of_are_told_of_each_time(
    node: Any, kit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    node.client("admin").create_user("ann", "read-write")
    ann = node.client("ann").wire
    for _ in range(5):
        ann.send(kit.put(1, BIN))
        ann.send(kit.put(2, BIN, set_name=b"other"))
    assert sum("action: write" in one for one in lines(caplog)) == 5
    assert len(ann.connection.paths.table) == 1


SECRETS = {
    AdminField.PASSWORD: b"$2a$10$".ljust(60, b"n"),
    AdminField.OLD_PASSWORD: b"$2a$10$".ljust(60, b"o"),
    AdminField.CREDENTIAL: b"$2a$10$".ljust(60, b"c"),
    AdminField.CLEAR_PASSWORD: b"open sesame",
    AdminField.SESSION_TOKEN: b"a token that nobody has made, as long as one is".ljust(90, b"t"),
}
PLACES = {
    AdminField.USER: b"ann",
    AdminField.ROLES: encode_roles([b"read"]),
    AdminField.ROLE: b"clerk",
    AdminField.PRIVILEGES: b"\1\x0a\0\0",
    AdminField.WHITELIST: b"127.0.0.1",
    AdminField.READ_QUOTA: b"\0\0\0\5",
}


def damaged(body: bytes) -> Iterator[bytes]:
    """A message as it is, and ways in which it may be none."""
    yield body
    yield body[:-1]
    yield body[:40]
    yield body + b"\0"
    yield body + body
    yield body[:3] + b"\xff" + body[4:]
    yield b"\1" + body[1:]


def test_no_command_and_no_failure_puts_a_secret_into_a_log(
    node: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Every command with every field, by strangers, users and administrators, right and wrong."""
    node.node.security.guessing.failed = lambda *_: 0  # waiting needs a loop
    node.node.security.guessing.wait_ns = lambda *_: 0
    admin = node.client("admin")
    admin.create_user("ann", "read")
    token = node.client("ann").login("ann").fields[AdminField.SESSION_TOKEN]
    for command in AdminCommand:
        for left_out in (None, *SECRETS, *PLACES):
            fields = {**PLACES, **SECRETS}
            fields.pop(left_out, None)  # type: ignore[call-overload]  # None is no field
            for body in damaged(encode_admin(command, fields)):
                for client in (node.client(), node.client("admin")):
                    client.wire.send(frame(2, body))
        admin.create_user("ann", "read")
    for body in damaged(encode_admin(AdminCommand.AUTHENTICATE, {AdminField.SESSION_TOKEN: token})):
        for kind in (1, 2, 3):  # as other kinds of frames, too
            node.client().wire.send(frame(kind, body))
            node.client("admin").wire.send(frame(kind, body))
    assert len(caplog.records) > 1000
    said = caplog.text.encode("utf-8", "surrogateescape")
    for secret in (*SECRETS.values(), token, b"$2a$10$", hash_kept(node, "ann")):
        for form in (secret, secret.hex().encode(), repr(secret)[2:-1].encode()):
            assert form not in said, secret
            assert len(form) < 50 or form[8:40] not in said, secret


def hash_kept(node: Any, user: str) -> bytes:
    """What is kept to know a password by."""
    verifier: bytes = node.node.security.accounts.users[user].verifier
    return verifier


def test_no_password_hash_or_token_is_in_any_log(
    node: Any, caplog: pytest.LogCaptureFixture
) -> None:
    admin = node.client("admin")
    admin.create_user("ann", "read", password="sesame")
    client = node.client()
    token = client.login("ann", "sesame").fields[AdminField.SESSION_TOKEN]
    node.client().authenticate("ann", token)
    node.client().authenticate("ann", token[:-1])
    node.client().login("ann", "open")
    old, new = b"$2a$10$".ljust(60, b"o"), b"$2a$10$".ljust(60, b"n")
    fields = {AdminField.USER: b"ann", AdminField.OLD_PASSWORD: old, AdminField.PASSWORD: new}
    client.do(AdminCommand.CHANGE_PASSWORD, fields)
    admin.do(AdminCommand.SET_PASSWORD, fields)
    everything = "\n".join(one.getMessage() for one in caplog.records)
    for secret in ("sesame", "open", "$2a$", token.hex(), repr(token)[2:20]):
        assert secret not in everything
