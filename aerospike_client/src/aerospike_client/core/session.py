"""Logging in: what is said on a new connection before its first command, and sessions that end.

A node gives a token for user and password, or for a certificate; every connection to it then shows
the token. A server without security says so, and that's that.

    token    no token, or its time is over            log in, then show the new one
             its time is nearly over (`is_due`)       the tend logs in anew; others show it still
    node     refuses the token (66, 65, 80)           once: log in, show the new one
             refuses user, password, certificate      SecurityFailed, at once
             says 80 or 66 to a command (`ENDED`)     once: forget token and connections, ask again

So a session is renewed before it ends, by one login, while commands go on; and where a node forgets
its sessions (it was restarted, its clock was set, the password was changed) a command costs one
login more and does not fail. A node that answers 80 or 66 has done nothing: asking again is safe
for writes, too.

`introduction` is a generator: it yields frames to send and is sent the replies' messages, so that
both faces can run it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Final, NamedTuple

import attrs

from aerospike_client.errors import ClientError, InvalidParameter, server_error
from aerospike_client.policies import AuthMode
from aerospike_common.as_password import hash_password
from aerospike_common.wire import (
    AdminCommand,
    AdminField,
    AdminMessage,
    MessageType,
    ResultCode,
    encode_admin,
)
from aerospike_common.wire.frame import frame

ENDED: Final = frozenset({ResultCode.SESSION_EXPIRED, ResultCode.NOT_AUTHENTICATED})
"""What a node says to a command on a connection whose session it does not know any more."""

_REFUSED: Final = ENDED | {ResultCode.CREDENTIAL_INVALID}
_MARGIN_S: Final = 60
"""How long before its end a session is renewed; less for one that lives less than twice as long."""

_HELP: Final[Mapping[int, str]] = {
    ResultCode.USER_INVALID: "there is no such user",
    ResultCode.PASSWORD_INVALID: "the password is wrong",
    ResultCode.PASSWORD_EXPIRED: "the password has expired",
    ResultCode.CREDENTIAL_INVALID: "the password is wrong, or too many were",
    ResultCode.NOT_WHITELISTED: "not from this address: see the whitelists of the user's roles",
    ResultCode.SECURITY_NOT_SUPPORTED: "the server has no access control: give no user",
    ResultCode.LDAP_NOT_CONFIGURED: "the server asks no directory (LDAP)",
}
_HELP_WITH_CERTIFICATE: Final[Mapping[int, str]] = {
    ResultCode.USER_INVALID: "there is no user of the certificate's common name"
    " (`create_pki_user` makes one)",
    ResultCode.CREDENTIAL_INVALID: "the port asks clients for no certificate",
}

Dialogue = Generator[bytes, AdminMessage, None]


class Token(NamedTuple):
    """A session: what to show, and microseconds of the monotonic clock (0 = never)."""

    data: bytes
    #: From when on it is to be renewed.
    due_us: int
    ends_us: int


@attrs.define
class Sessions:
    """The user, and the tokens that nodes gave for it."""

    mode: AuthMode
    #: Empty where a certificate says it.
    user: str
    #: What a login sends besides the user.
    credentials: dict[int, bytes] = attrs.field(repr=False)
    #: Node -> its token.
    tokens: dict[str, Token] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(cls, mode: AuthMode, user: str | None, password: str | None) -> Sessions | None:
        """Sessions of a user; None when nobody logs in. Hashing takes about 50 ms."""
        if mode is AuthMode.PKI:
            return cls(mode, "", {})
        if user is None:
            return None
        return cls(mode, user, _credentials(mode, password or ""))

    def change_password(self, password: str) -> None:
        """The user has another password from now on."""
        self.credentials = _credentials(self.mode, password)
        self.tokens = {}

    def is_due(self, node: str, now_us: int) -> bool:
        """Whether the session there is to be renewed."""
        token = self.tokens.get(node)
        return token is not None and 0 < token.due_us <= now_us

    def forget(self, node: str) -> None:
        """The node does not know the session any more."""
        self.tokens.pop(node, None)

    def introduction(self, node: str, now_us: int, *, renew: bool = False) -> Dialogue:
        """What to say on a new connection to a node. `renew`: with a new session, if it is due.

        Raises SecurityFailed when refused.
        """
        token = None if renew and self.is_due(node, now_us) else self.tokens.get(node)
        for _ in range(2):
            if token is None or 0 < token.ends_us <= now_us:
                token = yield from self._log_in(node, now_us)
                if token is None:
                    return
            fields = self._user_field() | {AdminField.SESSION_TOKEN: token.data}
            code = (yield _frame(AdminCommand.AUTHENTICATE, fields)).result_code
            if code in (ResultCode.OK, ResultCode.SECURITY_NOT_ENABLED):
                return
            if self.tokens.get(node) is token:  # others may have logged in anew meanwhile
                self.forget(node)
            token = self.tokens.get(node)
            if code not in _REFUSED:
                raise self._failure("is not let in", code, node)
        raise self._failure("is not let in with a new session", code, node)

    def _log_in(self, node: str, now_us: int) -> Generator[bytes, AdminMessage, Token | None]:
        """Get a token; None when the server has no users."""
        reply = yield _frame(AdminCommand.LOGIN, self._user_field() | self.credentials)
        code = reply.result_code
        if code == ResultCode.SECURITY_NOT_ENABLED:
            return None
        if code != ResultCode.OK:
            raise self._failure("cannot log in", code, node)
        data = reply.fields.get(AdminField.SESSION_TOKEN, b"")
        if not data:
            return None
        ttl_s = int.from_bytes(reply.fields.get(AdminField.SESSION_TTL, b""), "big")
        margin_s = min(_MARGIN_S, ttl_s / 2)
        token = Token(
            data,
            now_us + round((ttl_s - margin_s) * 1e6) if ttl_s else 0,
            now_us + ttl_s * 1_000_000 if ttl_s else 0,
        )
        self.tokens[node] = token
        return token

    def _user_field(self) -> dict[int, bytes]:
        return {AdminField.USER: self.user.encode()} if self.user else {}

    def _failure(self, what: str, code: int, node: str) -> ClientError:
        who = f"user {self.user!r}" if self.user else "the user of the certificate"
        known = _HELP if self.user else {**_HELP, **_HELP_WITH_CERTIFICATE}
        why = known.get(code) or str(server_error(code).args[0])
        return server_error(code, f"{who} {what}: {why}", node=node)


def _credentials(mode: AuthMode, password: str) -> dict[int, bytes]:
    """A password as it travels. InvalidParameter for one that cannot be."""
    try:
        fields: dict[int, bytes] = {AdminField.CREDENTIAL: hash_password(password).encode()}
    except ValueError as error:
        raise InvalidParameter(f"the password: {error}") from None
    if mode is not AuthMode.INTERNAL:
        fields[AdminField.CLEAR_PASSWORD] = password.encode()
    return fields


def _frame(command: AdminCommand, fields: Mapping[int, bytes]) -> bytes:
    return frame(MessageType.ADMIN, encode_admin(command, fields))
