"""Who may see the page where there is access control: every user, by name and password.

Browsers and scrapers send both with each request (Basic authorization), and hashing a password
takes 50 ms by design. So it is done on a transaction thread, and who was let in is remembered, by a
digest under a key that nobody knows, until the user's password changes or the user is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from aerospike_common.as_password import hash_password
from aerospike_common.wire.errors import OperationError
from asd.http.messages import basic_credentials
from asd.info.source import InfoNode
from asd.process.transaction_threads import TransactionThreads
from asd.tls.keeper import Keeper
from citrusleaf.cf_crypto import hmac_sha256

if TYPE_CHECKING:
    from asd.security.security import LiveUser, Security

MAX_REMEMBERED: Final = 64
"""Visitors remembered; a table that is full starts afresh."""


class HttpNode(InfoNode, Protocol):
    """A node as its page sees it."""

    @property
    def security(self) -> Security | None:
        """Access control; None: everybody may see everything."""

    @property
    def transaction_threads(self) -> TransactionThreads:
        """Where work that blocks leaves the loop."""

    @property
    def tls(self) -> Keeper:
        """The certificates of its ports."""


class Visitors:
    """Those who have been let in."""

    def __init__(self, node: HttpNode) -> None:
        self._node = node
        self._known: dict[bytes, tuple[LiveUser, bytes]] = {}

    def knows(self, authorization: str) -> bool:
        """Need this visitor not be asked again? Everybody, where there is no access control."""
        security = self._node.security
        if security is None:
            return True
        live, epoch = self._known.get(_digest(security, authorization), (None, b""))
        return live is not None and live.rights.authenticated and live.epoch == epoch

    async def admit(self, authorization: str, peer: str, address: str) -> bool:
        """Let a visitor in who has a user's name and password."""
        security = self._node.security
        assert security is not None
        given = basic_credentials(authorization)
        if given is None or "\0" in given[1]:
            return False
        hashed: list[str] = []
        try:
            await security.wait_turn(address)  # before the work: strangers could order much of it
            external = security.asks_directory(given[0])
            if external:
                hashed.append(given[1])
            else:
                threads = self._node.transaction_threads
                await threads.run(lambda: hashed.append(hash_password(given[1])))
            who = peer, address
            live = await security.log_in(given[0], hashed[0].encode(), *who, external=external)
        except OperationError:
            return False
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[_digest(security, authorization)] = live, live.epoch
        return True


def _digest(security: Security, authorization: str) -> bytes:
    return hmac_sha256(security.secret, authorization.encode("latin-1", "replace"))
