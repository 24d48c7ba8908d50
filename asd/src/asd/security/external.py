"""External users: those whom a directory knows, and who are users here since they have logged in.

A login goes to the directory with name and password; what comes back are the names of roles. The
user is kept in the metadata like every other, marked as external and without a password, so all
nodes know the user, list the user, and grant what the roles give. The roles are the directory's:
those of its names that are names of roles here. One node, the principal, asks again for all
external users in each `polling-period`: a role that is taken away there is gone here, on open
connections too; who is gone there is dropped. While the directory cannot be asked, users stay what
they are, and the log says so.

Asking blocks, so it is done on threads, `login-threads` at a time; a hundred logins may wait for
that, more are refused. A user who is known here otherwise (by a password, or a certificate) is
never asked about: an entry of the directory's with an administrator's name must not become one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import LdapConfig
from asd.process.complaints import Complaints
from asd.process.transaction_threads import TransactionThreads
from asd.security.accounts import check_name

if TYPE_CHECKING:
    from asd.security.security import Security

log = logging.getLogger("asd.security")

ANSWER_WITHIN_S: Final = 30.0
"""After this a login ends, whatever the directory does: each of its steps has 5 seconds."""
KEPT_WITHIN_S: Final = 5.0
"""How long a new user may take to be known on all nodes."""
MOST_WAITING: Final = 100
LOOK_AGAIN_S: Final = 5
"""How often it is looked whether `polling-period` is no longer 0."""

_T = TypeVar("_T")


class Directory(Protocol):
    """What is asked; it blocks."""

    def log_in(self, user: str, password: str) -> frozenset[str]:
        """The names of the roles of a user who has this password. Raises OperationError."""

    def roles(self, user: str) -> frozenset[str] | None:
        """The names of a user's roles; None: there is none such. Raises OperationError."""


class External:
    """The external users of one node."""

    def __init__(
        self,
        security: Security,
        config: LdapConfig,
        directory: Directory,
        threads: TransactionThreads,
        polls: Callable[[], bool],
    ) -> None:
        """`polls`: is it this node that asks again and again?"""
        self._security = security
        self._config = config
        self._directory = directory
        self._threads = threads
        self._polls = polls
        self._turns = asyncio.Semaphore(config.login_threads)
        self._waiting = 0
        self._complaints = Complaints(log, security.clock.monotonic_ms)

    async def log_in(self, name: str, password: bytes) -> None:
        """Let a user be known who has this password in the directory. Raises OperationError."""
        check_name(name, ResultCode.USER_INVALID)
        account = self._security.accounts.users.get(name)
        if account is not None and not account.external:
            log.warning("'%s' is no user of the directory, but an internal one", name)
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "internal user using ldap")
        try:
            said = password.decode()
        except UnicodeDecodeError:
            raise OperationError(ResultCode.LDAP_AUTHENTICATION, "password") from None
        if not said:  # a bind without one succeeds as nobody: do not even ask
            raise OperationError(ResultCode.LDAP_AUTHENTICATION, "no password")
        roles = await self._ask(lambda: self._directory.log_in(name, said))
        await self._keep(name, roles)

    async def _keep(self, name: str, roles: frozenset[str]) -> None:
        """Have the user known, here and on all nodes. Raises OperationError."""
        security = self._security
        security.accounts.put_external(name, roles)
        begun = security.take_begun()
        if begun:
            await asyncio.wait(begun, timeout=KEPT_WITHIN_S)
        security.accounts.user(name)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        """The answer of the directory. Raises OperationError."""
        if self._waiting >= MOST_WAITING:
            raise OperationError(ResultCode.LDAP_SETUP, f"{MOST_WAITING} logins wait")
        self._waiting += 1
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S), self._turns:
                answers: list[_T] = []
                await self._threads.run(lambda: answers.append(question()))
                return answers[0]
        except TimeoutError:
            error = OperationError(ResultCode.LDAP_SETUP, f"no answer in {ANSWER_WITHIN_S:g} s")
            self._complain(error)
            raise error from None
        except OperationError as error:
            self._complain(error)
            raise
        finally:
            self._waiting -= 1

    def _complain(self, error: OperationError) -> None:
        """Tell of a directory that cannot be asked; who is refused by it, the audit log tells."""
        if error.code != ResultCode.LDAP_AUTHENTICATION:
            text = "the directory %s cannot be asked: %s"
            self._complaints.say(str(error), text, self._config.server, error)

    # ------------------------------------------------------------------ again and again

    async def run(self) -> None:
        """Ask for the roles of all external users once in a period. Ends by cancellation."""
        config = self._config
        while True:
            await asyncio.sleep(config.polling_period or LOOK_AGAIN_S)
            if config.polling_period and self._polls():
                await self.poll()

    async def poll(self) -> None:
        """Ask for the roles of all external users; what has changed takes effect at once."""
        users = self._security.accounts.users
        for name in [name for name, user in users.items() if user.external]:
            try:
                roles = await self._ask(lambda name=name: self._directory.roles(name))  # type: ignore[misc] # bound per name
            except OperationError:
                return  # it was told of; what is known stays
            self._take(name, roles)

    def _take(self, name: str, roles: frozenset[str] | None) -> None:
        accounts = self._security.accounts
        account = accounts.users.get(name)
        if account is None or not account.external:
            return  # dropped meanwhile
        if roles is None:
            log.info("'%s' is gone from the directory, and no user any more", name)
            accounts.drop_user(name)
        else:
            accounts.put_external(name, roles)

    def stop(self) -> None:
        """End the threads, which have little to do at most."""
        self._threads.stop()
