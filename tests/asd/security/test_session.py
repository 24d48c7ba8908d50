"""Logging in, sessions, and what ends them."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common.wire.admin import AdminCommand, AdminField
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.frame import frame

BIN = (b"a", ParticleType.BLOB, b"x")


def test_a_stranger_is_answered_nothing(secure: Any, kit: Any) -> None:
    client = secure().client()
    assert client.wire.call(kit.get(1)).result_code == ResultCode.NOT_AUTHENTICATED
    assert client.wire.call(kit.put(1, BIN)).result_code == ResultCode.NOT_AUTHENTICATED
    reply = client.wire.send(frame(1, b"build\nstatistics\n"))
    assert reply[8:] == b"ERROR:80:not authenticated\n"
    for command in AdminCommand:
        if command not in (AdminCommand.LOGIN, AdminCommand.AUTHENTICATE):
            assert client.do(command) == ResultCode.NOT_AUTHENTICATED


def test_the_first_user_is_admin_with_the_password_admin(secure: Any) -> None:
    client = secure().client()
    reply = client.login("admin")
    assert reply.result_code == 0
    assert int.from_bytes(reply.fields[AdminField.SESSION_TTL], "big") == 86400
    assert client.do(AdminCommand.QUERY_USERS) == 0


def test_a_wrong_password_and_a_user_that_is_not_there(secure: Any) -> None:
    client = secure().client()
    assert client.login("admin", "nimda").result_code == ResultCode.CREDENTIAL_INVALID
    assert client.login("nobody").result_code == ResultCode.USER_INVALID
    assert client.do(AdminCommand.QUERY_USERS) == ResultCode.NOT_AUTHENTICATED


def test_a_session_is_taken_up_on_other_connections(secure: Any, kit: Any) -> None:
    node = secure()
    admin = node.client("admin")
    assert admin.create_user("ann", "read-write") == 0
    token = node.client().login("ann").fields[AdminField.SESSION_TOKEN]
    other = node.client()
    assert other.authenticate("ann", token) == 0
    assert other.wire.call(kit.put(1, BIN)).result_code == 0


def test_a_token_is_its_user_s_alone_and_cannot_be_forged(secure: Any) -> None:
    node = secure()
    node.client("admin").create_user("ann", "read")
    token = node.client().login("ann").fields[AdminField.SESSION_TOKEN]
    stranger = node.client()
    assert stranger.authenticate("admin", token) == ResultCode.CREDENTIAL_INVALID
    for at in range(len(token)):
        forged = token[:at] + bytes((token[at] ^ 1,)) + token[at + 1 :]
        assert stranger.authenticate("ann", forged) == ResultCode.CREDENTIAL_INVALID
    assert secure().client().authenticate("ann", token) != 0  # a restart


def test_a_session_ends_with_its_time(secure: Any) -> None:
    node = secure(session_ttl=120)
    token = node.client().login("admin").fields[AdminField.SESSION_TOKEN]
    node.clock.advance(119)
    assert node.client().authenticate("admin", token) == 0
    node.clock.advance(1)
    assert node.client().authenticate("admin", token) == ResultCode.SESSION_EXPIRED


def test_a_user_who_is_dropped_is_cut_off_at_once(secure: Any, kit: Any) -> None:
    node = secure()
    admin = node.client("admin")
    admin.create_user("ann", "read-write")
    ann = node.client()
    token = ann.login("ann").fields[AdminField.SESSION_TOKEN]
    for _ in range(3):  # the last by a fast path
        assert ann.wire.call(kit.put(1, BIN)).result_code == 0
    assert admin.drop_user("ann") == 0
    assert ann.wire.transport.closed
    assert ann.wire.call(kit.put(1, BIN)).result_code == ResultCode.NOT_AUTHENTICATED
    assert node.client().authenticate("ann", token) == ResultCode.SESSION_EXPIRED
    admin.create_user("ann", "read-write")  # another, of the same name
    assert node.client().authenticate("ann", token) == ResultCode.SESSION_EXPIRED


def test_a_new_password_ends_sessions_but_not_the_connection_that_asked(secure: Any) -> None:
    node = secure()
    asking, other = node.client(), node.client("admin")
    token = asking.login("admin").fields[AdminField.SESSION_TOKEN]
    fields = {
        AdminField.USER: b"admin",
        AdminField.OLD_PASSWORD: b"$2a$10$7EqJtq98hPqEX7fNZaFWoO1mVO/4MLpGzsqojz6E9Gef6iXDjXdDa",
        AdminField.PASSWORD: b"$2a$10$7EqJtq98hPqEX7fNZaFWoOePA2sZy..tlOF99W2N0g5KZ3dLaw8Wx",
    }
    assert asking.do(AdminCommand.CHANGE_PASSWORD, fields) == 0
    assert not asking.wire.transport.closed
    assert other.wire.transport.closed
    assert node.client().authenticate("admin", token) == ResultCode.SESSION_EXPIRED
    assert node.client().login("admin").result_code == ResultCode.CREDENTIAL_INVALID


def test_what_a_role_loses_is_lost_at_once_by_fast_paths_too(secure: Any, kit: Any) -> None:
    node = secure()
    admin = node.client("admin")
    admin.create_user("ann", "read-write")
    ann = node.client("ann")
    for _ in range(3):
        assert ann.wire.call(kit.put(1, BIN)).result_code == 0
        assert ann.wire.call(kit.get(1)).result_code == 0
    assert ann.wire.connection.paths.table
    assert admin.grant("ann", "read") == 0
    assert admin.grant("ann", "read-write", revoke=True) == 0
    assert ann.wire.call(kit.put(1, BIN)).result_code == ResultCode.ROLE_VIOLATION
    for _ in range(3):
        assert ann.wire.call(kit.get(1)).result_code == 0


def test_one_user_s_path_does_not_answer_another(secure: Any, kit: Any) -> None:
    node = secure()
    admin = node.client("admin")
    admin.create_user("ann", "read-write")
    admin.create_user("bob", "write")
    ann, bob = node.client("ann"), node.client("bob")
    for _ in range(3):
        assert ann.wire.call(kit.put(1, BIN)).result_code == 0
        assert ann.wire.call(kit.get(1)).result_code == 0
    assert bob.wire.call(kit.get(1)).result_code == ResultCode.ROLE_VIOLATION
    assert bob.wire.call(kit.put(1, BIN)).result_code == 0


def test_large_frames_are_for_those_who_have_logged_in(secure: Any) -> None:
    client = secure().client()
    client.wire.send(b"\x02\x03" + (1 << 20).to_bytes(6, "big"))
    assert client.wire.transport.closed


@pytest.mark.parametrize("command", [*AdminCommand, 7, 255])
def test_without_access_control_every_command_says_so(kit: Any, command: int) -> None:
    wire = kit.Wire(kit.make_node())
    reply = wire.send(frame(2, bytes((0, 0, command, 0)) + bytes(12)))
    assert reply[9] == ResultCode.SECURITY_NOT_ENABLED


def test_who_does_not_log_in_in_time_is_closed(secure: Any) -> None:
    node = secure()
    stranger, user = node.client(), node.client("admin")
    for connection in (stranger, user):
        node.node.connections.add(connection.wire.connection)
    for later_s, closed in ((14, False), (2, True)):
        node.clock.advance(later_s)
        node.node.connections._close_strangers()
        assert stranger.wire.transport.closed is closed
    assert not user.wire.transport.closed
