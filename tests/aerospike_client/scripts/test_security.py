"""Logging in, users and roles: through both faces and a node that knows users."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from faces import Face
from stub import Stub

from aerospike_client import (
    AuthMode,
    BatchPut,
    BatchResult,
    ClientPolicy,
    InvalidParameter,
    Key,
    NotAuthenticated,
    Permission,
    Privilege,
    Role,
    SecurityFailed,
    TlsPolicy,
    User,
)
from aerospike_client.core.session import Dialogue, Sessions
from aerospike_common.as_password import hash_password
from aerospike_common.wire import AdminCommand, AdminField, encode_admin, parse_admin

KEY = Key("test", "s", 1)
SECRET = hash_password("secret").encode()
ADA = ClientPolicy(user="ada", password="secret")
LAST = encode_admin(result_code=50)


@pytest.fixture
def stub() -> Any:
    """A node that lets ada in."""
    with Stub(users={"ada": SECRET}) as node:
        yield node


def test_one_login_serves_all_connections(face: Face, stub: Stub) -> None:
    client = face([stub.address], ADA)
    client.exists(KEY)
    client.get_many([KEY])
    client.info("node")
    assert stub.logins <= 2  # before its name is known a node is logged in to by its address


def test_a_session_that_has_ended_is_begun_anew(face: Face, stub: Stub) -> None:
    client = face([stub.address], ADA)
    before = stub.logins
    stub.tokens.clear()
    client.get_many([KEY])  # over a connection of its own, which must be let in
    assert stub.logins > before


def test_a_session_that_ends_on_open_connections_costs_a_login(face: Face, stub: Stub) -> None:
    client = face([stub.address], attrs.evolve(ADA, tend_interval=60_000))
    for command in (
        lambda: client.put(KEY, {"a": 1}),
        lambda: client.get_many([KEY]),
        lambda: client.batch([BatchPut(KEY, {"a": 1})]),
        lambda: list(client.query("test", "s")),
        lambda: client.info("node"),
        lambda: client.drop_user("bob"),
    ):
        command()
        logins = stub.logins
        stub.end_sessions()
        result = command()
        assert stub.logins == logins + 1
        if isinstance(result, list):
            assert not any(isinstance(each, BatchResult) and each.error for each in result)


def test_a_session_that_ends_again_and_again_is_an_error(face: Face, stub: Stub) -> None:
    client = face([stub.address], attrs.evolve(ADA, tend_interval=60_000))
    stub.script += ["code 80", "code 80"]
    with pytest.raises(NotAuthenticated) as caught:
        client.put(KEY, {"a": 1})
    assert not caught.value.in_doubt


TTL_US = 3_600_000_000


def played(dialogue: Dialogue, *codes: int) -> list[int]:
    """Logins and authentications that are sent, when these are the answers."""
    sent = [parse_admin(next(dialogue)[8:])[0].command]
    token = {AdminField.SESSION_TOKEN: b"token", AdminField.SESSION_TTL: b"\0\0\x0e\x10"}
    for code in codes:
        fields = token if sent[-1] == AdminCommand.LOGIN else {}
        try:
            answer = parse_admin(encode_admin(0, fields, code))[0]
            sent.append(parse_admin(dialogue.send(answer)[8:])[0].command)
        except StopIteration:
            break
    return sent


LOGIN, SHOW = AdminCommand.LOGIN, AdminCommand.AUTHENTICATE


def test_a_session_is_renewed_before_it_ends_by_the_tend_alone() -> None:
    sessions = Sessions(AuthMode.INTERNAL, "ada", {})
    assert played(sessions.introduction("A", 0), 0, 0) == [LOGIN, SHOW]
    nearly = TTL_US - 60_000_000
    assert not sessions.is_due("A", nearly - 1)
    assert played(sessions.introduction("A", nearly - 1, renew=True), 0) == [SHOW]
    assert sessions.is_due("A", nearly)
    assert played(sessions.introduction("A", nearly), 0) == [SHOW]
    assert played(sessions.introduction("A", nearly, renew=True), 0, 0) == [LOGIN, SHOW]
    assert not sessions.is_due("A", nearly)
    assert played(sessions.introduction("A", nearly + TTL_US), 0, 0) == [LOGIN, SHOW]


@pytest.mark.parametrize("code", [65, 66, 80])
def test_a_token_that_is_refused_leads_to_one_login(code: int) -> None:
    sessions = Sessions(AuthMode.INTERNAL, "ada", {})
    played(sessions.introduction("A", 0), 0, 0)
    assert played(sessions.introduction("A", 1), code, 0, 0) == [SHOW, LOGIN, SHOW]
    with pytest.raises(SecurityFailed, match="is not let in with a new session"):
        played(sessions.introduction("A", 1), code, 0, code)


def test_who_logs_in_by_certificate_or_directory_sends_what_that_takes() -> None:
    pki = Sessions.of(AuthMode.PKI, None, None)
    assert pki is not None
    assert parse_admin(next(pki.introduction("A", 0))[8:])[0].fields == {}
    external = Sessions.of(AuthMode.EXTERNAL, "ada", "secret")
    assert external is not None
    sent = parse_admin(next(external.introduction("A", 0))[8:])[0].fields
    assert sent == {
        AdminField.USER: b"ada",
        AdminField.CREDENTIAL: SECRET,
        AdminField.CLEAR_PASSWORD: b"secret",
    }


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"auth_mode": AuthMode.PKI}, "needs a TlsPolicy with a cert_file"),
        (
            {"auth_mode": AuthMode.PKI, "user": "ada", "tls": TlsPolicy(cert_file="c")},
            "the user is the certificate's",
        ),
        ({"auth_mode": AuthMode.EXTERNAL, "user": "ada"}, "needs TLS"),
    ],
)
def test_policies_that_go_together(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        ClientPolicy(**policy)


def test_no_password_is_shown() -> None:
    policy = ClientPolicy(user="ada", password="secret", tls=TlsPolicy(key_password="secret"))
    assert "secret" not in repr(policy)
    assert "secret" not in repr(Sessions.of(AuthMode.EXTERNAL, "ada", "secret"))


def test_who_is_not_let_in_is_told(face: Face, stub: Stub) -> None:
    with pytest.raises(
        SecurityFailed, match="'ada' cannot log in: the password is wrong"
    ) as caught:
        face([stub.address], ClientPolicy(user="ada", password="wrong"))
    assert caught.value.code == 65
    with pytest.raises(SecurityFailed, match="the server wants to know who asks") as caught:
        face([stub.address])
    assert caught.value.code == 80


def test_a_server_without_users_says_so(client: Any) -> None:
    with pytest.raises(SecurityFailed) as caught:
        client.create_user("ada", "secret", ["read"])
    assert caught.value.code == 52


def test_commands_travel_with_their_fields(face: Face, stub: Stub) -> None:
    client = face([stub.address], ADA)
    client.create_user("bob", "password", ["read", "write"])
    client.set_password("bob", "secret")
    client.grant_roles("bob", ["sys-admin"])
    client.revoke_roles("bob", ["read"])
    client.drop_user("bob")
    privileges = [Privilege(Permission.UDF_ADMIN), Privilege(Permission.READ, "test", "s")]
    client.create_role("r", privileges, ["10.0.0.0/8", "::1"], 100, 50)
    client.grant_privileges("r", privileges[1:])
    client.revoke_privileges("r", privileges[:1])
    client.set_whitelist("r", [])
    client.set_quotas("r", 1, 2)
    client.drop_role("r")
    bob, role = {AdminField.USER: b"bob"}, {AdminField.ROLE: b"r"}
    scoped = b"\x0a\x04test\x01s"
    expected = [
        (
            AdminCommand.CREATE_USER,
            bob
            | {
                AdminField.PASSWORD: hash_password("password").encode(),
                AdminField.ROLES: b"\x02\x04read\x05write",
            },
        ),
        (AdminCommand.SET_PASSWORD, bob | {AdminField.PASSWORD: SECRET}),
        (AdminCommand.GRANT_ROLES, bob | {AdminField.ROLES: b"\x01\x09sys-admin"}),
        (AdminCommand.REVOKE_ROLES, bob | {AdminField.ROLES: b"\x01\x04read"}),
        (AdminCommand.DROP_USER, bob),
        (
            AdminCommand.CREATE_ROLE,
            role
            | {
                AdminField.PRIVILEGES: b"\x02\x03" + scoped,
                AdminField.WHITELIST: b"10.0.0.0/8,::1",
                AdminField.READ_QUOTA: b"\0\0\0\x64",
                AdminField.WRITE_QUOTA: b"\0\0\0\x32",
            },
        ),
        (AdminCommand.GRANT_PRIVILEGES, role | {AdminField.PRIVILEGES: b"\x01" + scoped}),
        (AdminCommand.REVOKE_PRIVILEGES, role | {AdminField.PRIVILEGES: b"\x01\x03"}),
        (AdminCommand.SET_WHITELIST, role),
        (
            AdminCommand.SET_QUOTAS,
            role | {AdminField.READ_QUOTA: b"\0\0\0\1", AdminField.WRITE_QUOTA: b"\0\0\0\2"},
        ),
        (AdminCommand.DROP_ROLE, role),
    ]
    assert [(m.command, m.fields) for m in stub.admin_requests] == expected


def test_users_and_roles_are_described(face: Face, stub: Stub) -> None:
    client = face([stub.address], ADA)
    described = encode_admin(
        fields={
            AdminField.USER: b"bob",
            AdminField.ROLES: b"\x02\x01a\x01b",
            AdminField.READ_INFO: b"\x02\0\0\0\x09\0\0\0\x07",
            AdminField.CONNECTIONS: b"\0\0\0\x03",
        }
    )
    stub.admin_answers.append(described + LAST)
    assert client.users("bob") == [User("bob", ("a", "b"), (9, 7), (), 3)]
    described = encode_admin(
        fields={
            AdminField.ROLE: b"r",
            AdminField.PRIVILEGES: b"\x02\x00\x0b\x04test\x00",
            AdminField.WHITELIST: b"::1,10.0.0.1",
            AdminField.READ_QUOTA: b"\0\0\0\x05",
        }
    )
    stub.admin_answers.append(described + LAST)
    privileges = (Privilege(Permission.USER_ADMIN), Privilege(Permission.READ_WRITE, "test"))
    assert client.roles() == [Role("r", privileges, ("::1", "10.0.0.1"), 5)]
    stub.admin_answers.append(encode_admin(result_code=60))
    with pytest.raises(SecurityFailed) as caught:
        client.users("nobody")
    assert caught.value.code == 60


def test_one_s_own_password_is_changed_for_later_logins(face: Face, stub: Stub) -> None:
    client = face([stub.address], ADA)
    client.change_password("ada", "secret", "better")
    stub.users = {"ada": hash_password("better").encode()}
    stub.tokens.clear()
    client.get_many([KEY])
    assert stub.admin_requests[0].fields[AdminField.OLD_PASSWORD] == SECRET


def test_what_no_server_would_understand_is_refused(client: Any) -> None:
    with pytest.raises(InvalidParameter, match="everywhere or not at all"):
        client.create_role("r", [Privilege(Permission.SYS_ADMIN, "test")])
    with pytest.raises(InvalidParameter, match="1 to 63 bytes"):
        client.drop_user("")
