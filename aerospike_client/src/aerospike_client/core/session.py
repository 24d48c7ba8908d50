"""Logging in: what is said on a new connection before its first command.

A node gives a token for user and password; every connection to it then shows the token. The token
lasts as long as the server says, less a minute. A server without security says so, and that's that.

`introduction` is a generator: it yields frames to send and is sent the replies' messages, so that
both faces can run it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import attrs

from aerospike_client.errors import server_error
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

_MARGIN_S: Final = 60
_REFUSED: Final = frozenset(
    {ResultCode.SESSION_EXPIRED, ResultCode.CREDENTIAL_INVALID, ResultCode.NOT_AUTHENTICATED}
)

Dialogue = Generator[bytes, AdminMessage, None]


@attrs.define
class Sessions:
    """The user, and the tokens that nodes gave for it."""

    user: str
    #: The password as it travels.
    credential: bytes
    #: Node -> token and when it ends, in microseconds of the monotonic clock (0 = never).
    tokens: dict[str, tuple[bytes, int]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, user: str | None, password: str | None) -> Sessions | None:
        """Sessions of a user; None when no user is given. Hashing takes about 50 ms."""
        if user is None:
            return None
        return cls(user, hash_password(password or "").encode())

    def change_password(self, password: str) -> None:
        """The user has another password from now on."""
        self.credential = hash_password(password).encode()
        self.tokens = {}

    def introduction(self, node: str, now_us: int) -> Dialogue:
        """What to say on a new connection to a node. Raises SecurityFailed when refused."""
        for _ in range(2):
            token, ends_us = self.tokens.get(node, (b"", 0))
            if not token or (ends_us and now_us >= ends_us):
                if not (yield from self._log_in(node, now_us)):
                    return
                token, _ = self.tokens[node]
            reply = yield self._frame(AdminCommand.AUTHENTICATE, AdminField.SESSION_TOKEN, token)
            code = reply.result_code
            if code in (ResultCode.OK, ResultCode.SECURITY_NOT_ENABLED):
                return
            self.tokens.pop(node, None)
            if code not in _REFUSED:
                raise server_error(code, f"user {self.user!r} is not let in", node=node)
        raise server_error(code, f"user {self.user!r} is not let in with a new token", node=node)

    def _log_in(self, node: str, now_us: int) -> Generator[bytes, AdminMessage, bool]:
        """Get a token; False when the server has no users."""
        reply = yield self._frame(AdminCommand.LOGIN, AdminField.CREDENTIAL, self.credential)
        code = reply.result_code
        if code == ResultCode.SECURITY_NOT_ENABLED:
            return False
        if code != ResultCode.OK:
            raise server_error(code, f"user {self.user!r} cannot log in", node=node)
        token = reply.fields.get(AdminField.SESSION_TOKEN, b"")
        ttl_s = int.from_bytes(reply.fields.get(AdminField.SESSION_TTL, b""), "big")
        ends_us = now_us + max(0, ttl_s - _MARGIN_S) * 1_000_000 if ttl_s else 0
        self.tokens[node] = (token, ends_us)
        return bool(token)

    def _frame(self, command: AdminCommand, field: AdminField, data: bytes) -> bytes:
        fields: dict[int, bytes] = {AdminField.USER: self.user.encode(), field: data}
        return frame(MessageType.ADMIN, encode_admin(command, fields))
