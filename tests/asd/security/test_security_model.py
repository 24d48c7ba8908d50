"""A naive model of users, roles and rights beside the server: nobody gets what the model does not
give, whatever changes in whatever order, on whatever connections (Hypothesis)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aerospike_common.wire.admin import AdminCommand, AdminField, WirePrivilege, encode_privileges
from aerospike_common.wire.codes import Info2, ParticleType
from aerospike_common.wire.codes import ResultCode as Code
from aerospike_common.wire.frame import frame
from asd.security.permissions import PrivilegeCode as P

BIN = (b"a", ParticleType.BLOB, b"x")
CODES = (P.READ_WRITE, P.READ, P.WRITE, P.TRUNCATE, P.USER_ADMIN, P.SYS_ADMIN)
READS, WRITES = {P.READ, P.READ_WRITE}, {P.WRITE, P.READ_WRITE}
TRUNCATES = {P.TRUNCATE, P.SYS_ADMIN}

USERS = st.sampled_from(["ann", "bob"])
ROLES = st.sampled_from(["clerk", "guest", "read", "write"])
OWN_ROLES = st.sampled_from(["clerk", "guest"])
PASSWORDS = st.sampled_from(["one", "two"])
CLIENTS = st.integers(0, 3)
SCOPES = st.sampled_from([(b"", b""), (b"test", b""), (b"test", b"demo"), (b"bar", b"")])


@st.composite
def _privileges(draw: Any) -> tuple[P, bytes, bytes]:
    code = draw(st.sampled_from(CODES))
    return (code, *(draw(SCOPES) if code >= P.READ else (b"", b"")))


PRIVILEGES = _privileges()


class Model(RuleBasedStateMachine):
    """The server, an administrator, four clients; and what they ought to be allowed."""

    secure: Any
    kit: Any
    hash_of: Callable[[str], bytes]

    def __init__(self) -> None:
        super().__init__()
        self.node = type(self).secure()
        security = self.node.node.security
        security.guessing.failed = lambda *_: 0  # waiting needs a loop
        security.guessing.wait_ns = lambda *_: 0
        self.admin = self.node.client("admin")
        self.passwords: dict[str, str] = {}
        self.roles_of: dict[str, set[str]] = {}
        self.privileges: dict[str, set[tuple[P, bytes, bytes]]] = {
            "read": {(P.READ, b"", b"")},
            "write": {(P.WRITE, b"", b"")},
        }
        self.clients = [self.node.client() for _ in range(4)]
        self.logged_in: list[str | None] = [None] * 4
        self.tokens: list[tuple[str, bytes, bool]] = []

    @initialize(privilege=PRIVILEGES)
    def begin(self, privilege: tuple[P, bytes, bytes]) -> None:
        """Somebody to take rights from."""
        self.create_role("clerk", privilege)
        for number, (user, role) in enumerate([("ann", "clerk"), ("bob", "read")] * 2):
            self.create_user(user, "one", role)
            self.login(number, user, "one")

    # ------------------------------------------------------------------ the model

    def allowed(self, user: str, codes: set[P], namespace: bytes, set_name: bytes) -> bool:
        return any(
            code in codes and scope_ns in (b"", namespace) and scope_set in (b"", set_name)
            for role in self.roles_of[user]
            for code, scope_ns, scope_set in self.privileges.get(role, ())
        )

    def end_sessions(self, user: str) -> None:
        self.tokens = [(name, token, good and name != user) for name, token, good in self.tokens]
        for number, name in enumerate(self.logged_in):
            if name == user:  # the server has closed these
                assert self.clients[number].wire.transport.closed
                self.clients[number], self.logged_in[number] = self.node.client(), None

    # ------------------------------------------------------------------ changes

    @rule(user=USERS, password=PASSWORDS, role=ROLES)
    def create_user(self, user: str, password: str, role: str) -> None:
        code = self.admin.create_user(user, role, password=password)
        if user in self.passwords:
            assert code == Code.USER_EXISTS
        else:  # roles that are not there are given all the same, and count once they are
            assert code == Code.OK
            self.passwords[user], self.roles_of[user] = password, {role}

    @rule(user=USERS)
    def drop_user(self, user: str) -> None:
        known = user in self.passwords
        assert self.admin.drop_user(user) == (Code.OK if known else Code.USER_INVALID)
        if known:
            del self.passwords[user], self.roles_of[user]
            self.end_sessions(user)

    @rule(user=USERS, role=ROLES, revoke=st.booleans())
    def grant(self, user: str, role: str, revoke: bool) -> None:
        code = self.admin.grant(user, role, revoke=revoke)
        if user not in self.passwords:
            assert code == Code.USER_INVALID
        else:
            assert code == Code.OK
            change = self.roles_of[user].discard if revoke else self.roles_of[user].add
            change(role)

    @rule(role=OWN_ROLES, privilege=PRIVILEGES)
    def create_role(self, role: str, privilege: tuple[P, bytes, bytes]) -> None:
        code = self.admin.create_role(role, [WirePrivilege(*privilege)])
        assert code == (Code.ROLE_EXISTS if role in self.privileges else Code.OK)
        self.privileges.setdefault(role, {privilege})

    @rule(role=OWN_ROLES)
    def drop_role(self, role: str) -> None:
        code = self.admin.do(AdminCommand.DROP_ROLE, {AdminField.ROLE: role.encode()})
        known = role in self.privileges
        assert code == (Code.OK if known else Code.ROLE_INVALID)
        if known:  # one that is not is nobody's loss: it can have been given all the same
            del self.privileges[role]
            for roles in self.roles_of.values():
                roles.discard(role)

    @rule(role=OWN_ROLES, privilege=PRIVILEGES, revoke=st.booleans())
    def change_role(self, role: str, privilege: tuple[P, bytes, bytes], revoke: bool) -> None:
        command = AdminCommand.REVOKE_PRIVILEGES if revoke else AdminCommand.GRANT_PRIVILEGES
        wire = encode_privileges([WirePrivilege(*privilege)])
        fields = {AdminField.ROLE: role.encode(), AdminField.PRIVILEGES: wire}
        code = self.admin.do(command, fields)
        assert code == (Code.OK if role in self.privileges else Code.ROLE_INVALID)
        if role in self.privileges:
            change = self.privileges[role].discard if revoke else self.privileges[role].add
            change(privilege)

    @rule(user=USERS, password=PASSWORDS)
    def set_password(self, user: str, password: str) -> None:
        given = type(self).hash_of(password)
        fields = {AdminField.USER: user.encode(), AdminField.PASSWORD: given}
        code = self.admin.do(AdminCommand.SET_PASSWORD, fields)
        assert code == (Code.OK if user in self.passwords else Code.USER_INVALID)
        if user in self.passwords:
            self.passwords[user] = password
            self.end_sessions(user)

    # ------------------------------------------------------------------ sessions

    @rule(number=CLIENTS, user=USERS, password=PASSWORDS)
    def login(self, number: int, user: str, password: str) -> None:
        reply = self.clients[number].login(user, password)
        if user not in self.passwords:
            assert reply.result_code == Code.USER_INVALID
        elif self.passwords[user] != password:
            assert reply.result_code == Code.CREDENTIAL_INVALID
        else:
            assert reply.result_code == Code.OK
            self.logged_in[number] = user
            self.tokens.append((user, reply.fields[AdminField.SESSION_TOKEN], True))

    @precondition(lambda self: self.tokens)
    @rule(number=CLIENTS, which=st.integers(0, 100))
    def authenticate(self, number: int, which: int) -> None:
        user, token, good = self.tokens[which % len(self.tokens)]
        code = self.clients[number].authenticate(user, token)
        assert code == (Code.OK if good else Code.SESSION_EXPIRED)
        if good:
            self.logged_in[number] = user

    # ------------------------------------------------------------------ requests

    def expect(self, number: int, codes: set[P], namespace: bytes, set_name: bytes) -> str:
        user = self.logged_in[number]
        if user is None:
            return "stranger"
        return "yes" if self.allowed(user, codes, namespace, set_name) else "no"

    @rule(
        number=CLIENTS,
        kind=st.sampled_from(["get", "put", "delete"]),
        set_name=st.sampled_from([b"demo", b"other"]),
    )
    def command(self, number: int, kind: str, set_name: bytes) -> None:
        self.command_of(number, kind, set_name)

    def command_of(self, number: int, kind: str, set_name: bytes) -> None:
        kit, namespace = type(self).kit, b"test"
        place = {"namespace": namespace, "set_name": set_name}
        key = {b"demo": 1, b"other": 2}[set_name]
        data = {
            "get": kit.get(key, **place),
            "put": kit.put(key, BIN, **place),
            "delete": kit.request(key, info2=Info2.WRITE | Info2.DELETE, **place),
        }[kind]
        codes = READS if kind == "get" else WRITES
        expected = self.expect(number, codes, namespace, set_name)
        for _ in range(2):  # the second time there may be a fast path
            code = self.clients[number].wire.call(data).result_code
            assert (code == Code.NOT_AUTHENTICATED) == (expected == "stranger")
            assert (code == Code.ROLE_VIOLATION) == (expected == "no")

    @invariant()
    def all_may_what_they_may(self) -> None:
        """So that a change is looked for on all connections, at once."""
        for number in range(len(self.logged_in)):
            for kind in ("get", "put"):
                self.command_of(number, kind, b"demo")

    @rule(number=CLIENTS, set_name=st.sampled_from([b"demo", b"other"]))
    def truncate(self, number: int, set_name: bytes) -> None:
        text = b"truncate:namespace=test;set=" + set_name + b"\n"
        reply = self.clients[number].wire.send(frame(1, text))
        expected = self.expect(number, TRUNCATES, b"test", set_name)
        assert (b"ERROR:80:" in reply) == (expected == "stranger")
        assert (b"ERROR:81:" in reply) == (expected == "no")

    @rule(number=CLIENTS)
    def administer(self, number: int) -> None:
        code = self.clients[number].do(AdminCommand.QUERY_USERS)
        expected = self.expect(number, {P.USER_ADMIN}, b"", b"")
        assert (code == Code.NOT_AUTHENTICATED) == (expected == "stranger")
        assert (code == Code.ROLE_VIOLATION) == (expected == "no")


def test_rights_are_what_a_naive_model_says(secure: Any, kit: Any, hash_of: Any) -> None:
    class ThisNode(Model):
        """With the helpers of this test run."""

    ThisNode.secure, ThisNode.kit = staticmethod(secure), kit
    ThisNode.hash_of = staticmethod(hash_of)
    run_state_machine_as_test(
        ThisNode,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
