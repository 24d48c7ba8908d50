"""Access control of a node: its users, who is logged in, and what happens when they change.

The parts: `accounts` (who there is), `rights` (who may do what), `tokens` (what a session is known
by), `guessing` (how slow wrong passwords are), `quotas`, `audit`, and `session` and `admin` (a
connection and what it asks). This file holds them together.

A `LiveUser` is what a node has of a user besides the account: the rights that all connections of
the user share, their sessions, what they read and write a second. It is made when somebody first
logs in as the user and ends with the account.

What happens at once, by `_changed`, when an item of the metadata changes an account:

- roles or their privileges: the rights become others in place, their fast paths are forgotten;
- whitelists: connections from places that are not listed any more are closed;
- the password: tokens made before are good for nothing (the epoch in them is another), and all
  connections but the one that asked are closed;
- the user goes: tokens likewise, the rights end, connections are closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import define, field

from aerospike_common.wire.codes import FieldType, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.config import Config, SecurityConfig
from asd.membership.metadata import Begun, SystemMetadata
from asd.security.accounts import ADMIN_ROLES, MODULE, Accounts
from asd.security.audit import Audit, data_action, data_detail, shown
from asd.security.guessing import Guessing
from asd.security.quotas import Meter
from asd.security.rights import InfoAsked, Nobody, QueryLoad, Rights, UserRights, Watcher
from asd.security.roles import MAX_NAME, SALT_SIZE, User, is_listed
from asd.security.tokens import EPOCH_SIZE, KEY_SIZE, Token, Tokens
from citrusleaf.cf_clock import NS_PER_S, Clock
from citrusleaf.cf_random import CfRandom
from cluster.smd import SmdItem

if TYPE_CHECKING:
    from asd.security.external import External
    from asd.security.session import Session


UNASKED: Final = frozenset(
    {ResultCode.LDAP_SETUP, ResultCode.LDAP_TLS_SETUP, ResultCode.LDAP_QUERY}
)
"""That a directory cannot be asked is no guess that went wrong."""


@define(eq=False)
class LiveUser:
    """A user on this node."""

    name: str
    rights: UserRights
    verifier: bytes
    """Of the password that the epoch belongs to."""
    epoch: bytes
    sessions: set[Session] = field(factory=set)
    roles: frozenset[str] = frozenset()
    whitelist: tuple[str, ...] = ()
    reads: Meter = field(factory=Meter)
    writes: Meter = field(factory=Meter)
    read_quota: int = 0
    write_quota: int = 0

    def meter(self, message: Message) -> tuple[Meter, int]:
        """What a command counts for, and the quota of that."""
        if message.info2 & Info2.WRITE:
            return self.writes, self.write_quota
        return self.reads, self.read_quota

    def may_come_from(self, address: str) -> bool:
        """Without a whitelist, from everywhere; those of several roles are joined."""
        return not self.whitelist or is_listed(address, self.whitelist)


class Security(Watcher):
    """Access control of one node."""

    def __init__(
        self,
        config: Config,
        metadata: SystemMetadata,
        clock: Clock,
        random: CfRandom,
        admin_hash: str,
        forget_paths: Callable[[Rights], None],
    ) -> None:
        """`admin_hash` is what the user `admin` begins with; `forget_paths` is told of rights whose
        fast paths must go."""
        assert config.security is not None
        self._config = config
        self._metadata = metadata
        self.clock = clock
        self.random = random
        self.accounts = Accounts(
            User.with_password(admin_hash.encode(), b"", ADMIN_ROLES), self._keep
        )
        self._stand_in = User(self.new_salt(), random.get_bytes(SALT_SIZE * 2))
        self.secret = random.get_bytes(KEY_SIZE)
        """To remember by what must not be kept."""
        self.nobody = Nobody(self)
        """The rights of connections on which nobody has logged in."""
        self.guessing = Guessing()
        self.audit = Audit(config.security.log)
        self._tokens = Tokens(random.get_bytes(KEY_SIZE))
        self._forget_paths = forget_paths
        self._live: dict[str, LiveUser] = {}
        self.external: External | None = None
        """Those whom a directory knows; None where none is asked. The node sets it."""
        self.asking: Session | None = None
        """The session whose command is being carried out."""
        metadata.listen(MODULE, self._changed)
        for key, item in metadata.items(MODULE).items():
            if item.value is None:  # of these `listen` tells nothing, and `admin` may be one
                self._changed(key, item)

    @property
    def config(self) -> SecurityConfig:
        """The `security` context."""
        assert self._config.security is not None
        return self._config.security

    # -------------------------------------------------------------------- accounts

    def new_salt(self) -> bytes:
        """For the next password."""
        return self.random.get_bytes(SALT_SIZE)

    def take_begun(self) -> list[Begun]:
        """The changes of the metadata that are under way."""
        return self._metadata.take_begun()

    def _keep(self, key: str, text: str | None) -> None:
        self._metadata.set(MODULE, key, text, self.clock.epoch_ms())

    def _changed(self, key: str, item: SmdItem) -> None:
        for name in self.accounts.apply(key, item.value):
            live = self._live.get(name)
            if live is None:
                continue
            account = self.accounts.users.get(name)
            if account is None:
                self._end(live)
                continue
            if account.verifier != live.verifier:
                live.verifier = account.verifier
                live.epoch = self.random.get_bytes(EPOCH_SIZE)
                self._close(live, lambda session: session is not self.asking)
            self._refresh(live, account)
            self._close(live, lambda session: not session.may_stay)

    def _end(self, live: LiveUser) -> None:
        del self._live[live.name]
        live.rights.end()
        self._close(live, lambda session: session is not self.asking)

    def _refresh(self, live: LiveUser, account: User) -> None:
        """Give the user what the roles give."""
        roles = self.accounts.roles_of(account)
        live.roles = frozenset(roles)
        live.whitelist = tuple(entry for role in roles.values() for entry in role.whitelist)
        live.read_quota = max((role.read_quota for role in roles.values()), default=0)
        live.write_quota = max((role.write_quota for role in roles.values()), default=0)
        given = (role.privileges for role in roles.values())
        live.rights.become(frozenset().union(*given))

    def _close(self, live: LiveUser, which: Callable[[Session], bool]) -> None:
        for session in [session for session in live.sessions if which(session)]:
            session.close()

    # -------------------------------------------------------------------- sessions

    def live(self, name: str) -> LiveUser:
        """What the node has of a user. Raises USER_INVALID when there is none."""
        found = self._live.get(name)
        if found is None:
            account = self.accounts.user(name)
            rights = UserRights(name, self, self._forget_paths)
            epoch = self.random.get_bytes(EPOCH_SIZE)
            found = LiveUser(name, rights, account.verifier, epoch)
            self._live[name] = found
            self._refresh(found, account)
        return found

    def find_live(self, name: str) -> LiveUser | None:
        """What the node has of a user who has logged in before."""
        return self._live.get(name)

    async def wait_turn(self, address: str) -> None:
        """Wait until an attempt from here has its turn. Raises CREDENTIAL_INVALID when that is too
        long."""
        wait_ns = self.guessing.wait_ns(address, self.clock.monotonic_ns())
        if wait_ns is None:
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "too many attempts in line")
        await asyncio.sleep(wait_ns / NS_PER_S)

    def asks_directory(self, name: str) -> bool:
        """Is it a directory that knows the password of whoever has this name?"""
        account = self.accounts.users.get(name)
        return self.external is not None and (account is None or account.external)

    async def log_in(
        self, name: str, credential: bytes, peer: str, address: str, *, external: bool = False
    ) -> LiveUser:
        """The user of a name and the hash of a password, or for an `external` one the password
        itself.

        Its turn has come (`wait_turn`); the answer "no" is slow all the same. Raises
        OperationError.
        """
        try:
            live = await self._find_out(name, credential, external=external)
            if not live.may_come_from(address):
                raise OperationError(ResultCode.NOT_WHITELISTED, "not from this address")
        except OperationError as error:
            self.audit.authentication(peer, name[:MAX_NAME], "login", str(error))
            if error.code in UNASKED:
                raise
            delay_ns = self.guessing.failed(address, name, self.clock.monotonic_ns())
            await asyncio.sleep(delay_ns / NS_PER_S)
            raise
        self.audit.authentication(peer, name, "login")
        self.guessing.succeeded(name)
        return live

    async def _find_out(self, name: str, credential: bytes, *, external: bool) -> LiveUser:
        if not external:
            return self.check_password(name, credential)
        if self.external is None:
            raise OperationError(ResultCode.LDAP_NOT_CONFIGURED, "no directory is asked")
        await self.external.log_in(name, credential)
        return self.live(name)

    def check_password(self, name: str, credential: bytes) -> LiveUser:
        """The user who has this password. Raises USER_INVALID, CREDENTIAL_INVALID."""
        account = self.accounts.users.get(name)
        # An account that is not there takes as long as one that is.
        right = (account or self._stand_in).accepts(credential)
        if account is None:
            raise OperationError(ResultCode.USER_INVALID, "user")
        if not right:
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "password")
        return self.live(name)

    def new_token(self, live: LiveUser) -> bytes:
        """A session begins; it lasts for `session-ttl`."""
        ends_ns = self.clock.monotonic_ns() + self.config.session_ttl * NS_PER_S
        return self._tokens.make(
            Token(live.name, live.epoch, ends_ns), self.random.get_bytes(EPOCH_SIZE)
        )

    def user_of(self, token: bytes) -> LiveUser:
        """Whose session this is. Raises CREDENTIAL_INVALID, SESSION_EXPIRED."""
        said = self._tokens.read(token)
        if said is None:
            raise OperationError(ResultCode.CREDENTIAL_INVALID, "not a token of this node")
        live = self._live.get(said.user)
        if live is None or live.epoch != said.epoch or said.ends_ns <= self.clock.monotonic_ns():
            raise OperationError(ResultCode.SESSION_EXPIRED, "the session has ended")
        return live

    def enter(self, session: Session, live: LiveUser) -> None:
        """The user has logged in on a connection. Raises NOT_WHITELISTED."""
        if not live.may_come_from(session.address):
            raise OperationError(ResultCode.NOT_WHITELISTED, "not from this address")
        self.leave(session)
        live.sessions.add(session)
        session.live = live

    def leave(self, session: Session) -> None:
        """Nobody is logged in on the connection any more."""
        live, session.live = session.live, None
        if live is not None:
            live.sessions.discard(session)
            if not live.sessions:
                self._forget_paths(live.rights)  # nobody uses them: do not let them take room

    # ------------------------------------------------------------------- requests

    def admit(self, user: UserRights, peer: str, message: Message, digest: bytes | None) -> None:
        """The user may do this. Raises QUOTA_EXCEEDED where it is too much."""
        live = self._live[user.user]
        if self.config.enable_quotas:
            self._count(live, message, of_record=digest is not None)
        if self.audit.reports_data(live.name, live.roles, message):
            action, detail = data_action(message, digest), data_detail(message, digest)
            self.audit.data(peer, live.name, action, detail)

    def _count(self, live: LiveUser, message: Message, *, of_record: bool) -> None:
        meter, quota = live.meter(message)
        now_ns, weight = self.clock.monotonic_ns(), self.config.tps_weight
        if not of_record:
            if not meter.admits_query(quota, _records_per_second(message), now_ns, weight):
                raise OperationError(ResultCode.QUOTA_EXCEEDED, f"a query over {quota} a second")
            return
        if not meter.admits(quota, now_ns, weight):
            raise OperationError(ResultCode.QUOTA_EXCEEDED, f"over {quota} records a second")
        meter.count(now_ns, weight)

    def query_load(self, user: UserRights, message: Message) -> QueryLoad:
        """What is to be told of the beginning and the end of a query."""
        live = self._live.get(user.user)
        if live is None or not self.config.enable_quotas:
            return QueryLoad()
        return _MeteredQuery(live.meter(message)[0], _records_per_second(message))

    def violated(self, user: Rights, peer: str, message: Message, digest: bytes | None) -> None:
        """The user, or whoever has not logged in, may not do this."""
        action, detail = data_action(message, digest), data_detail(message, digest)
        self.audit.violation(peer, user.user, action, detail)

    def informed(self, user: Rights, asked: InfoAsked, *, allowed: bool) -> None:
        """The user, or whoever has not logged in, has sent an info command."""
        say = self.audit.sys_admin if allowed else self.audit.violation
        say(asked.peer, user.user, asked.name, shown(asked.arguments))

    def watches(self, user: UserRights, message: Message) -> bool:
        """Must `admit` see requests like this one each time?"""
        live = self._live.get(user.user)
        if live is None or self.config.enable_quotas:
            return True
        return self.audit.reports_data(live.name, live.roles, message)


class _MeteredQuery(QueryLoad):
    """A query as long as it runs."""

    def __init__(self, meter: Meter, rps: int) -> None:
        self._meter = meter
        self._rps = rps

    def begin(self) -> None:
        self._meter.begin(self._rps)

    def end(self) -> None:
        self._meter.end(self._rps)


def _records_per_second(message: Message) -> int:
    return int.from_bytes(message.fields.get(FieldType.RECORDS_PER_SECOND, b"")[:4], "big")
