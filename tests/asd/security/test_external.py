"""External users: known by a directory, and users here once they have logged in."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    WirePrivilege,
    encode_admin,
    parse_admin,
    parse_roles,
)
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import LdapConfig
from asd.process.transaction_threads import TransactionThreads
from asd.security import external
from asd.security.external import External
from asd.security.permissions import PrivilegeCode

LDAP = LdapConfig(server="ldap://h", query_base_dn="dc=x", user_dn_pattern="uid=${un},dc=x")


class FakeDirectory:
    """Users with a password and names of roles; it may have failed, or hold its answers back."""

    def __init__(self) -> None:
        self.users = {
            "ann": ("sesame", {"read-write", "no-role-here"}),
            "admin": ("ldap", {"superuser"}),
        }
        self.broken = False
        self.asked = 0
        self.go = threading.Event()
        self.go.set()

    def log_in(self, user: str, password: str) -> frozenset[str]:
        self.asked += 1
        self.go.wait(10)
        self._look()
        known = self.users.get(user)
        if known is None or known[0] != password:
            raise OperationError(ResultCode.LDAP_AUTHENTICATION, "password")
        return frozenset(known[1])

    def roles(self, user: str) -> frozenset[str] | None:
        self._look()
        known = self.users.get(user)
        return None if known is None else frozenset(known[1])

    def _look(self) -> None:
        if self.broken:
            raise OperationError(ResultCode.LDAP_SETUP, "nobody is there")


class World:
    """A node that asks a directory."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.security = node.node.security
        self.directory = FakeDirectory()
        self.threads = TransactionThreads(1, 4)
        self.external = External(self.security, LDAP, self.directory, self.threads, lambda: True)
        self.security.external = self.external

    async def log_in(self, user: str, password: bytes | None) -> tuple[ResultCode, Any]:
        """The result of a login on a connection of its own, and the connection."""
        client = self.node.client()
        session = client.wire.connection._session
        fields = {AdminField.USER: user.encode(), AdminField.CREDENTIAL: b"$2a$".ljust(60, b"x")}
        if password is not None:
            fields[AdminField.CLEAR_PASSWORD] = password
        answer = session.answer(encode_admin(AdminCommand.LOGIN, fields))
        answer = answer if isinstance(answer, bytes) else await answer
        return ResultCode(parse_admin(answer[8:])[0].result_code), client

    def listed(self, user: str) -> list[bytes]:
        """The roles that are listed of a user."""
        admin = self.node.client("admin")
        fields = {AdminField.USER: user.encode()}
        message = admin.ask(AdminCommand.QUERY_USERS, fields)[0]
        return parse_roles(message.fields[AdminField.ROLES])


def run(secure: Any, main: Callable[[World], Any]) -> None:
    async def tried() -> None:
        world = World(secure())
        try:
            await main(world)
        finally:
            world.directory.go.set()
            world.external.stop()

    asyncio.run(tried())


def test_who_logs_in_is_a_user(secure: Any, kit: Any) -> None:
    async def main(world: World) -> None:
        assert (await world.log_in("ann", b"wrong"))[0] == ResultCode.LDAP_AUTHENTICATION
        assert "ann" not in world.security.accounts.users
        code, client = await world.log_in("ann", b"sesame")
        assert code == ResultCode.OK
        assert world.listed("ann") == [b"read-write"]
        place = {"namespace": b"test", "set_name": b"demo"}
        assert client.wire.call(kit.get(1, **place)).result_code == ResultCode.NOT_FOUND

    run(secure, main)


@pytest.mark.parametrize("password", [b"", b"\xff", b"x" * 5000])
def test_odd_passwords_let_nobody_in(secure: Any, password: bytes) -> None:
    async def main(world: World) -> None:
        world.directory.users["ann"] = ("", {"read"})  # as a directory that lets anybody bind
        code, _ = await world.log_in("ann", password)
        assert code == ResultCode.LDAP_AUTHENTICATION
        if len(password) < 5000:
            assert not world.directory.asked

    run(secure, main)


def test_an_internal_user_is_never_asked_about(
    secure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(world: World) -> None:
        assert (await world.log_in("admin", b"ldap"))[0] == ResultCode.CREDENTIAL_INVALID
        assert not world.directory.asked
        assert "'admin' is no user of the directory" in caplog.text
        assert world.listed("admin") == [b"user-admin"]

    run(secure, main)


def test_a_user_of_the_directory_has_no_password_here(secure: Any) -> None:
    async def main(world: World) -> None:
        await world.log_in("ann", b"sesame")
        assert (await world.log_in("ann", None))[0] == ResultCode.CREDENTIAL_INVALID
        admin = world.node.client("admin")
        user = {AdminField.USER: b"ann", AdminField.PASSWORD: b"$2a$".ljust(60, b"x")}
        assert admin.do(AdminCommand.SET_PASSWORD, user) == ResultCode.PASSWORD_FORBIDDEN
        assert admin.grant("ann", "superuser") == ResultCode.FORBIDDEN
        assert admin.grant("ann", "read-write", revoke=True) == ResultCode.FORBIDDEN
        assert world.listed("ann") == [b"read-write"]

    run(secure, main)


def test_a_certificate_makes_nobody_a_user_of_the_directory(secure: Any) -> None:
    async def main(world: World) -> None:
        await world.log_in("ann", b"sesame")
        client = world.node.client()
        client.wire.connection.certificate_user = "ann"
        assert client.do(AdminCommand.LOGIN) == ResultCode.CREDENTIAL_INVALID

    run(secure, main)


def test_roles_that_change_there_change_here(
    secure: Any, kit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(world: World) -> None:
        admin = world.node.client("admin")
        admin.create_role("clerk", [WirePrivilege(PrivilegeCode.READ, b"test", b"demo")])
        _, client = await world.log_in("ann", b"sesame")
        call = client.wire.call
        place = {"namespace": b"test", "set_name": b"other"}
        assert call(kit.get(1, **place)).result_code == ResultCode.NOT_FOUND
        world.directory.users["ann"] = ("new", {"clerk"})
        await world.external.poll()
        assert world.listed("ann") == [b"clerk"]
        assert call(kit.get(1, **place)).result_code == ResultCode.ROLE_VIOLATION
        world.directory.broken = True
        del world.directory.users["ann"]
        await world.external.poll()
        await world.external.poll()
        assert world.listed("ann") == [b"clerk"]
        said = [one.getMessage() for one in caplog.records if "cannot be asked" in one.message]
        assert said == ["the directory ldap://h cannot be asked: nobody is there"]
        world.directory.broken = False
        with caplog.at_level(logging.INFO):
            await world.external.poll()
        assert "'ann' is gone from the directory" in caplog.text
        assert "ann" not in world.security.accounts.users
        assert client.wire.transport.closed

    run(secure, main)


def test_a_directory_that_cannot_be_asked_is_no_wrong_guess(secure: Any) -> None:
    async def main(world: World) -> None:
        world.directory.broken = True
        for _ in range(10):
            assert (await world.log_in("ann", b"sesame"))[0] == ResultCode.LDAP_SETUP
        world.directory.broken = False
        assert world.security.guessing.wait_ns("127.0.0.1", 0) == 0

    run(secure, main)


def test_logins_that_wait_are_bounded(secure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MOST_WAITING", 6)
    monkeypatch.setattr(external, "ANSWER_WITHIN_S", 0.2)

    async def main(world: World) -> None:
        world.directory.go.clear()
        logins = [asyncio.create_task(world.log_in("ann", b"sesame")) for _ in range(10)]
        codes = [(await login)[0] for login in logins]
        assert codes == [ResultCode.LDAP_SETUP] * 10
        assert world.directory.asked <= 6

    run(secure, main)


def test_without_a_directory_nobody_is_let_in(secure: Any) -> None:
    async def main(world: World) -> None:
        await world.log_in("ann", b"sesame")
        world.security.external = None  # as after a restart without it
        assert (await world.log_in("ann", b"sesame"))[0] == ResultCode.LDAP_NOT_CONFIGURED
        assert (await world.log_in("ann", None))[0] == ResultCode.CREDENTIAL_INVALID
        assert world.listed("ann") == [b"read-write"]

    run(secure, main)
