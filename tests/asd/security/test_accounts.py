"""Users and roles against a naive model that keeps them as dicts of sets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.security.accounts import ADMIN, ADMIN_ROLES, Accounts, check_name
from asd.security.permissions import PREDEFINED, PrivilegeCode
from asd.security.roles import (
    NO_PASSWORD_HASH,
    Privilege,
    Role,
    User,
    is_listed,
    parse_whitelist,
)

SALT = b"s" * 16
USERS = st.sampled_from(["ann", "bob", "admin", "", "x" * 64, "a\nb"])
ROLES = st.sampled_from(["read", "write", "clerk", "boss", "", "user-admin"])
PRIVILEGES = st.builds(
    Privilege,
    st.sampled_from([PrivilegeCode.READ, PrivilegeCode.WRITE, PrivilegeCode.TRUNCATE]),
    st.sampled_from([b"", b"test"]),
)


def hash_of(password: str) -> bytes:
    return b"$2a$10$" + password.encode().ljust(53, b".")


PASSWORDS = st.sampled_from([hash_of("one"), hash_of("two"), b"short", b""])


def fresh() -> tuple[Accounts, dict[str, str | None]]:
    """Accounts of a node alone, and the items that it keeps."""
    items: dict[str, str | None] = {}

    def keep(key: str, text: str | None) -> None:
        items[key] = text
        accounts.apply(key, text)

    accounts = Accounts(User.with_password(hash_of("admin"), SALT, ADMIN_ROLES), keep)
    return accounts, items


class Model(RuleBasedStateMachine):
    """Each rule does the same to both, and looks whether both refuse it with the same code."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts, self.items = fresh()
        self.users: dict[str, tuple[bytes, set[str]]] = {ADMIN: (hash_of("admin"), {"user-admin"})}
        self.roles: dict[str, set[Privilege]] = {}

    def both(self, expected: ResultCode | None, function: Any, *arguments: Any) -> bool:
        code = None
        try:
            function(*arguments)
        except OperationError as error:
            code = error.code
        assert code == expected
        return code is None

    def can_be(self, roles: set[str]) -> bool:
        return all(self.usable(role) for role in roles)

    def usable(self, name: str) -> bool:
        return 0 < len(name) <= 63 and name.isprintable()

    @rule(name=USERS, password=PASSWORDS, roles=st.sets(ROLES, max_size=3))
    def create_user(self, name: str, password: bytes, roles: set[str]) -> None:
        expected = None
        if not self.usable(name):
            expected = ResultCode.USER_INVALID
        elif name in self.users:
            expected = ResultCode.USER_EXISTS
        elif not self.can_be(roles):
            expected = ResultCode.ROLE_INVALID
        elif len(password) != 60:
            expected = ResultCode.PASSWORD_INVALID
        if self.both(expected, self.accounts.create_user, name, password, roles, SALT):
            self.users[name] = password, set(roles)

    @rule(name=USERS)
    def drop_user(self, name: str) -> None:
        expected = None if name in self.users else ResultCode.USER_INVALID
        if self.both(expected, self.accounts.drop_user, name):
            del self.users[name]

    @rule(name=USERS, password=PASSWORDS)
    def set_password(self, name: str, password: bytes) -> None:
        expected = None if name in self.users else ResultCode.USER_INVALID
        if expected is None and len(password) != 60:
            expected = ResultCode.PASSWORD_INVALID
        if self.both(expected, self.accounts.set_password, name, password, SALT):
            self.users[name] = password, self.users[name][1]

    @rule(name=USERS, roles=st.sets(ROLES, max_size=3), revoke=st.booleans())
    def grant_or_revoke(self, name: str, roles: set[str], revoke: bool) -> None:
        expected = None if name in self.users else ResultCode.USER_INVALID
        if expected is None and not revoke and not self.can_be(roles):
            expected = ResultCode.ROLE_INVALID
        function = self.accounts.revoke_roles if revoke else self.accounts.grant_roles
        if self.both(expected, function, name, roles):
            mine = self.users[name][1]
            self.users[name] = self.users[name][0], mine - roles if revoke else mine | roles

    @rule(name=ROLES, privileges=st.sets(PRIVILEGES, max_size=3))
    def create_role(self, name: str, privileges: set[Privilege]) -> None:
        expected = None
        if not self.usable(name):
            expected = ResultCode.ROLE_INVALID
        elif name in self.roles or name in PREDEFINED:
            expected = ResultCode.ROLE_EXISTS
        role = Role(frozenset(privileges))
        if self.both(expected, self.accounts.create_role, name, role):
            self.roles[name] = set(privileges)

    @rule(name=ROLES)
    def drop_role(self, name: str) -> None:
        expected = None if name in self.roles else ResultCode.ROLE_INVALID
        if self.both(expected, self.accounts.drop_role, name):
            del self.roles[name]
            for _, roles in self.users.values():
                roles.discard(name)

    @rule(name=ROLES, privileges=st.sets(PRIVILEGES, max_size=3), revoke=st.booleans())
    def change_role(self, name: str, privileges: set[Privilege], revoke: bool) -> None:
        expected = None if name in self.roles else ResultCode.ROLE_INVALID
        if expected is None and not privileges:
            expected = ResultCode.PRIVILEGE_INVALID
        accounts = self.accounts
        function = accounts.revoke_privileges if revoke else accounts.grant_privileges
        if self.both(expected, function, name, privileges):
            mine = self.roles[name]
            self.roles[name] = mine - privileges if revoke else mine | privileges

    @rule()
    def restart(self) -> None:
        """The items are all that is kept."""
        items = dict(self.items)
        self.accounts, self.items = fresh()
        for key, text in items.items():
            self.items[key] = text
            self.accounts.apply(key, text)

    @invariant()
    def agree(self) -> None:
        assert self.accounts.users.keys() == self.users.keys()
        for name, (password, roles) in self.users.items():
            user = self.accounts.user(name)
            assert user.accepts(password)
            assert not user.accepts(hash_of("other"))
            assert user.roles == roles
            known = {role for role in roles if role in self.roles or role in PREDEFINED}
            assert set(self.accounts.roles_of(user)) == known
        own = {name: role for name, role in self.accounts.roles.items() if name not in PREDEFINED}
        assert {name: set(role.privileges) for name, role in own.items()} == self.roles


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_what_is_kept_of_a_password_does_not_log_in() -> None:
    user = User.with_password(hash_of("one"), SALT, frozenset())
    for kept in (user.verifier, user.verifier.hex().encode()):
        assert not user.accepts(kept)
    assert "one" not in user.to_text()


def test_who_has_no_password_has_none() -> None:
    accounts, _ = fresh()
    accounts.create_user("ann", NO_PASSWORD_HASH.encode(), [], SALT)
    ann = accounts.user("ann")
    assert not ann.has_password
    assert not ann.accepts(NO_PASSWORD_HASH.encode())
    with pytest.raises(OperationError) as error:
        accounts.set_password("ann", hash_of("one"), SALT)
    assert error.value.code == ResultCode.PASSWORD_FORBIDDEN


def test_admin_who_was_dropped_is_not_there_after_a_restart() -> None:
    accounts, items = fresh()
    accounts.drop_user(ADMIN)
    again, _ = fresh()
    for key, text in items.items():
        again.apply(key, text)
    assert ADMIN not in again.users


def test_nobody_gets_rights_by_the_name_of_an_old_role() -> None:
    accounts, _ = fresh()
    reader = Role(frozenset({Privilege(PrivilegeCode.READ)}))
    accounts.create_role("clerk", reader)
    accounts.create_user("ann", hash_of("one"), ["clerk"], SALT)
    accounts.drop_role("clerk")
    accounts.create_role("clerk", reader)
    assert accounts.roles_of(accounts.user("ann")) == {}


def test_a_role_that_is_not_known_counts_once_it_is(caplog: pytest.LogCaptureFixture) -> None:
    accounts, _ = fresh()
    accounts.create_user("ann", hash_of("one"), ["clerk", "read"], SALT)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["user 'ann' is given the role 'clerk', which is not known"]
    assert set(accounts.roles_of(accounts.user("ann"))) == {"read"}
    with pytest.raises(OperationError):  # there is nothing to drop, so nothing is taken from her
        accounts.drop_role("clerk")
    accounts.create_role("clerk", Role(frozenset({Privilege(PrivilegeCode.WRITE)})))
    assert set(accounts.roles_of(accounts.user("ann"))) == {"clerk", "read"}


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"salt": "x"}', '{"salt": 1}'])
def test_an_item_that_cannot_be_made_out_is_left_out(text: str) -> None:
    accounts, _ = fresh()
    accounts.apply("user|ann", text)
    accounts.apply("role|clerk", text)
    assert set(accounts.users) == {ADMIN}
    assert "clerk" not in accounts.roles


@pytest.mark.parametrize("name", ["", "a\nb", "a\tb", "a\0", "x" * 64, "é" * 32])
def test_names_that_there_cannot_be(name: str) -> None:
    with pytest.raises(OperationError):
        check_name(name, ResultCode.USER_INVALID)


@pytest.mark.parametrize(
    ("whitelist", "address", "listed"),
    [
        ("10.0.2.0/24,127.0.0.1", "127.0.0.1", True),
        ("10.0.2.0/24", "10.0.2.77", True),
        ("10.0.2.0/24", "10.0.3.1", False),
        ("10.0.2.0/24", "::ffff:10.0.2.1", True),
        ("fe80::/16", "fe80::1%eth0", True),
        ("fe80::/16", "10.0.2.1", False),
        ("10.0.2.1", "", False),
    ],
)
def test_whitelists(whitelist: str, address: str, listed: bool) -> None:
    assert is_listed(address, parse_whitelist(whitelist)) == listed


@pytest.mark.parametrize("text", ["bad_IP", "10.0.0.0/33", "localhost", "1.2.3.4,nowhere", "1.2.3"])
def test_whitelists_that_there_cannot_be(text: str) -> None:
    with pytest.raises(OperationError) as error:
        parse_whitelist(text)
    assert error.value.code == ResultCode.WHITELIST_INVALID


def test_a_scope_goes_with_privileges_that_have_one() -> None:
    for code, namespace, set_name in [(0, b"test", b""), (10, b"", b"demo"), (64, b"", b"")]:
        with pytest.raises(OperationError) as error:
            Privilege.of(code, namespace, set_name)
        assert error.value.code == ResultCode.PRIVILEGE_INVALID
    assert Privilege.of(10, b"test", b"").covers(b"test", b"demo")
    assert not Privilege.of(10, b"test", b"demo").covers(b"test", b"")
