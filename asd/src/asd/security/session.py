"""A connection as access control sees it: who is logged in on it, and how somebody logs in.

An answer is bytes, or a coroutine that gives them later: wrong passwords are answered slowly
(`guessing`), and meanwhile the connection takes no further request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    AdminMessage,
    encode_admin,
    parse_admin,
)
from aerospike_common.wire.codes import MessageType, ResultCode
from aerospike_common.wire.errors import AerospikeError, OperationError
from aerospike_common.wire.frame import frame
from asd.security.admin import Fields, carry_out
from asd.security.rights import Rights
from asd.security.roles import MAX_NAME
from citrusleaf.cf_clock import NS_PER_S

if TYPE_CHECKING:
    from asd.security.security import LiveUser, Security

log = logging.getLogger("asd.security")

Answer: TypeAlias = bytes | Coroutine[Any, Any, bytes]

LOGIN_WITHIN_NS: Final = 15_000_000_000
"""After this a connection is closed on which nobody has logged in."""


class CertificateRefused(Exception):
    """A client's certificate, which could be verified, is not good for the port."""


class SessionClient(Protocol):
    """A connection, as far as its session is concerned."""

    peer: str
    """Host and port, for the log."""
    address: str
    """The host alone."""
    certificate_user: str
    """Whom the client's certificate names, which has been verified; empty where there is none."""

    def enter(self, rights: Rights) -> None:
        """From now on the connection may do this."""

    def close(self) -> None:
        """Close after what was answered has been sent."""


class Session:
    """Who is logged in on one connection."""

    def __init__(self, security: Security, client: SessionClient) -> None:
        self._security = security
        self._client = client
        self._since_ns = security.clock.monotonic_ns()
        self.live: LiveUser | None = None
        """Who is logged in. `Security.enter` and `leave` change it."""

    @property
    def peer(self) -> str:
        """Host and port of the client."""
        return self._client.peer

    @property
    def address(self) -> str:
        """The client's host."""
        return self._client.address

    @property
    def may_stay(self) -> bool:
        """Is the client where its user may come from?"""
        return self.live is None or self.live.may_come_from(self.address)

    @property
    def rights(self) -> Rights:
        """What the connection may do."""
        return self._security.nobody if self.live is None else self.live.rights

    def close(self) -> None:
        """Close the connection."""
        log.info("%s closed: what its user may do has ended", self.peer)
        self._client.close()

    def end(self) -> None:
        """The connection has ended."""
        self._security.leave(self)

    def waits_since_ns(self) -> int | None:
        """Since when nobody has been logged in; None when somebody is."""
        return None if self.rights.authenticated else self._since_ns

    # ----------------------------------------------------------------------- frames

    def answer(self, body: bytes) -> Answer:
        """The framed reply to the body of an admin frame. Never raises for what a client sends."""
        try:
            messages = parse_admin(body)
            if len(messages) > 1:
                raise OperationError(ResultCode.SECURITY_FIELD, "one command a frame")
            message = messages[0]
            if message.scheme:
                raise OperationError(ResultCode.SECURITY_SCHEME, f"scheme {message.scheme}")
            return self._answer(message)
        except AerospikeError as error:
            log.debug("%s: refused: %s", self.peer, error)
            return result(error.code)
        except Exception:  # our own bug: it costs one command, not the connection
            log.exception("%s: an admin command failed inside the server", self.peer)
            return result(ResultCode.SERVER_ERROR)

    def _answer(self, message: AdminMessage) -> Answer:
        """Raises OperationError, MessageError."""
        fields = Fields(message.fields)
        if message.command == AdminCommand.LOGIN:
            return self._login(fields)
        if message.command == AdminCommand.AUTHENTICATE:
            return self._authenticate(fields)
        security = self._security
        security.asking = self
        try:
            return frame(MessageType.ADMIN, carry_out(security, self, message.command, fields))
        finally:
            security.asking = None

    # ------------------------------------------------------------------------ login

    def _login(self, fields: Fields) -> Answer:
        """A password, or a certificate where no name is sent."""
        if AdminField.USER not in fields and AdminField.CREDENTIAL not in fields:
            return self._login_by_certificate()
        if AdminField.CLEAR_PASSWORD in fields:
            if self._security.external is None:
                raise OperationError(ResultCode.LDAP_NOT_CONFIGURED, "no directory is asked")
            password = fields.data(AdminField.CLEAR_PASSWORD)
            return self._login_by_directory(fields.name(AdminField.USER), password)
        name, credential = fields.name(AdminField.USER), fields.data(AdminField.CREDENTIAL)
        wait_ns = self._security.guessing.wait_ns(self.address, self._now_ns())
        if wait_ns is None:
            self._report("login", name, "too many")
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "too many attempts in line")
        if wait_ns:
            return self._later(wait_ns, name, credential)
        reply, delay_ns = self._attempt(name, credential)
        return _slowly(delay_ns, reply) if delay_ns else reply

    async def _later(self, wait_ns: int, name: str, credential: bytes) -> bytes:
        await asyncio.sleep(wait_ns / NS_PER_S)
        reply, delay_ns = self._attempt(name, credential)
        return await _slowly(delay_ns, reply)

    def _attempt(self, name: str, credential: bytes) -> tuple[bytes, int]:
        """The reply, and the nanoseconds for which to keep it."""
        security = self._security
        try:
            security.check_password(name, credential)
        except OperationError as error:
            self._report("login", name, str(error))
            return result(error.code), security.guessing.failed(self.address, name, self._now_ns())
        security.guessing.succeeded(name)
        return self._begin(name), 0

    async def _login_by_directory(self, name: str, password: bytes) -> bytes:
        security = self._security
        try:
            await security.wait_turn(self.address)
            who = self.peer, self.address
            live = await security.log_in(name, password, *who, external=True)
            self._enter(live)
        except OperationError as error:
            return result(error.code)
        return self._new_session(live)

    def _login_by_certificate(self) -> bytes:
        name = self._client.certificate_user
        if not name:
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "no certificate that names a user")
        account = self._security.accounts.users.get(name)
        if account is not None and account.external:
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "a user of the directory's")
        return self._begin(name)

    def _begin(self, name: str) -> bytes:
        """Log the user in, and begin a session."""
        security = self._security
        try:
            live = security.live(name)
            self._enter(live)
        except OperationError as error:
            self._report("login", name, str(error))
            return result(error.code)
        self._report("login", name)
        return self._new_session(live)

    def _new_session(self, live: LiveUser) -> bytes:
        security = self._security
        fields: dict[int, bytes] = {
            AdminField.SESSION_TOKEN: security.new_token(live),
            AdminField.SESSION_TTL: security.config.session_ttl.to_bytes(4, "big"),
        }
        return frame(MessageType.ADMIN, encode_admin(fields=fields))

    def _authenticate(self, fields: Fields) -> bytes:
        """A session is taken up. The name, where one is sent, must be that of its user."""
        name = fields.name(AdminField.USER) if AdminField.USER in fields else ""
        try:
            live = self._security.user_of(fields.data(AdminField.SESSION_TOKEN))
            if name and live.name != name:
                raise OperationError(ResultCode.CREDENTIAL_INVALID, "a session of another user")
            self._enter(live)
        except OperationError as error:
            self._report("authentication", name, str(error))
            raise
        self._report("authentication", live.name)
        return result(ResultCode.OK)

    def _enter(self, live: LiveUser) -> None:
        self._security.enter(self, live)
        self._client.enter(live.rights)

    def _now_ns(self) -> int:
        return self._security.clock.monotonic_ns()

    def _report(self, action: str, name: str, failure: str = "") -> None:
        self._security.audit.authentication(self.peer, name[:MAX_NAME], action, failure)


async def _slowly(delay_ns: int, reply: bytes) -> bytes:
    await asyncio.sleep(delay_ns / NS_PER_S)
    return reply


def without_security(*, community: bool) -> bytes:
    """The framed reply to every admin frame where there is no access control."""
    not_there, off = ResultCode.SECURITY_NOT_SUPPORTED, ResultCode.SECURITY_NOT_ENABLED
    return result(not_there if community else off)


def result(code: int) -> bytes:
    """The framed reply that is a result code alone."""
    return frame(MessageType.ADMIN, encode_admin(result_code=code))
