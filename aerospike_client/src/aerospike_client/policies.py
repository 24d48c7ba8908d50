"""Policies: how a command is to be carried out. Names and defaults are the official clients'.

Every policy is immutable: share it freely, and derive others with `attrs.evolve`. A call without a
policy uses the client's default for its kind (`ClientPolicy.read`, `.write`, ...). Times are in
milliseconds; 0 means without limit, unless said otherwise.

How the timeouts go together: an attempt ends after `socket_timeout` without an answer, and the
whole command, attempts and pauses included, after `total_timeout`. After a failed attempt the
command sleeps `sleep_between_retries` and is tried again, on another replica where the policy
allows, at most `max_retries` times.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, SupportsBytes

import attrs

from aerospike_client.errors import InvalidParameter

TTL_DEFAULT: Final = 0
"""The namespace's (or set's) default time to live."""
TTL_NEVER_EXPIRE: Final = -1
TTL_DONT_UPDATE: Final = -2
"""Keep the record's time to live as it is."""

TLS_PROTOCOLS: Final = ("TLSv1.2", "TLSv1.3")
"""The versions that are spoken."""


class Replica(Enum):
    """Which of a partition's nodes is asked."""

    MASTER = "master"
    #: Any copy; successive commands take turns.
    ANY = "any"
    #: The master first, and with each retry the next copy.
    SEQUENCE = "sequence"
    #: Nodes on the client's own rack first (`ClientPolicy.rack_ids`), then as SEQUENCE.
    PREFER_RACK = "prefer rack"
    #: Any node of the cluster, owner or not; nodes pass on what they do not own.
    RANDOM = "random"


class ReadModeAP(Enum):
    """Namespaces that prefer availability: how many copies does a read consult?"""

    ONE = "one"
    #: All copies, while a partition's versions have not been merged.
    ALL = "all"


class ReadModeSC(Enum):
    """Strongly consistent namespaces: what may a read see?"""

    SESSION = "session"
    LINEARIZE = "linearize"
    ALLOW_REPLICA = "allow replica"
    ALLOW_UNAVAILABLE = "allow unavailable"


class CommitLevel(Enum):
    """When is a write answered?"""

    ALL = "all"
    #: As soon as the master has it.
    MASTER = "master"


class Generation(Enum):
    """Is a write bound to the record's generation?"""

    IGNORE = "ignore"
    #: Only if the record's generation is the one given.
    EQ = "equal"
    #: Only if the one given is greater than the record's.
    GT = "greater"


class Exists(Enum):
    """What does a write do with the record that is there, or is not?"""

    #: Create or update.
    IGNORE = "ignore"
    CREATE = "create only"
    UPDATE = "update only"
    #: Replace all bins; only if the record is there.
    REPLACE = "replace only"
    CREATE_OR_REPLACE = "create or replace"


class SendKey(Enum):
    """Does the user key travel with the digest?"""

    DIGEST = "digest"
    #: The server stores it, and compares it when it has one.
    SEND = "send"


_MAX: Final = 0xFFFFFFFF


def _check(policy: object, least: int, *names: str) -> None:
    """InvalidParameter when one of these settings is less than that, or has more than 32 bits."""
    for name in names:
        value = getattr(policy, name)
        if not least <= value <= _MAX:
            raise InvalidParameter(f"{type(policy).__name__}: {name} is at least {least}: {value}")


@attrs.frozen(kw_only=True)
class Policy:
    """What all commands have in common."""

    total_timeout: int = 1000
    socket_timeout: int = 30_000
    max_retries: int = 2
    sleep_between_retries: int = 0
    #: An expression that must be true of a record; its wire form, or what `bytes()` makes that of.
    filter_expression: SupportsBytes | None = None
    #: Send requests of more than 128 bytes compressed, and accept compressed replies.
    compress: bool = False

    def __attrs_post_init__(self) -> None:
        _check(self, 0, "total_timeout", "socket_timeout", "max_retries", "sleep_between_retries")


@attrs.frozen(kw_only=True)
class ReadPolicy(Policy):
    """Reads of one record."""

    replica: Replica = Replica.SEQUENCE
    read_mode_ap: ReadModeAP = ReadModeAP.ONE
    read_mode_sc: ReadModeSC = ReadModeSC.SESSION
    key: SendKey = SendKey.DIGEST
    #: Renew a record's life when it is read in the last so many percent of it: 0 as the server is
    #: configured, -1 never, 1 to 100.
    read_touch_ttl_percent: int = 0


@attrs.frozen(kw_only=True)
class WritePolicy(Policy):
    """Writes of one record. Not retried by default: a lost reply leaves them in doubt."""

    max_retries: int = 0
    replica: Replica = Replica.SEQUENCE
    commit_level: CommitLevel = CommitLevel.ALL
    gen: Generation = Generation.IGNORE
    #: What `gen` compares with.
    generation: int = 0
    exists: Exists = Exists.IGNORE
    key: SendKey = SendKey.DIGEST
    #: Seconds, or one of the TTL_ constants.
    ttl: int = TTL_DEFAULT
    #: Leave a tombstone, so that a removed record does not come back.
    durable_delete: bool = False

    def __attrs_post_init__(self) -> None:
        Policy.__attrs_post_init__(self)
        _check(self, 0, "generation")
        _check(self, TTL_DONT_UPDATE, "ttl")


@attrs.frozen(kw_only=True)
class OperatePolicy(WritePolicy):
    """Several operations on one record; what they read follows the read modes."""

    read_mode_ap: ReadModeAP = ReadModeAP.ONE
    read_mode_sc: ReadModeSC = ReadModeSC.SESSION
    read_touch_ttl_percent: int = 0
    #: One result for every operation, also for those that have nothing to say.
    respond_all_ops: bool = False


@attrs.frozen(kw_only=True)
class ApplyPolicy(Policy):
    """A call of an application's function on one record."""

    max_retries: int = 0
    replica: Replica = Replica.SEQUENCE
    commit_level: CommitLevel = CommitLevel.ALL
    key: SendKey = SendKey.DIGEST
    ttl: int = TTL_DEFAULT
    durable_delete: bool = False


@attrs.frozen(kw_only=True)
class BatchPolicy(Policy):
    """A batch as a whole; its rows have policies of their own for what concerns the record."""

    replica: Replica = Replica.SEQUENCE
    read_mode_ap: ReadModeAP = ReadModeAP.ONE
    read_mode_sc: ReadModeSC = ReadModeSC.SESSION
    #: May the server's network threads answer records in memory themselves?
    allow_inline: bool = True
    allow_inline_ssd: bool = False
    #: Go on with the other rows when one fails.
    respond_all_keys: bool = True


@attrs.frozen(kw_only=True)
class BatchReadPolicy:
    """A row of a batch that reads."""

    #: Instead of the batch's own; None leaves that in place.
    filter_expression: SupportsBytes | None = None
    read_mode_ap: ReadModeAP = ReadModeAP.ONE
    read_mode_sc: ReadModeSC = ReadModeSC.SESSION
    read_touch_ttl_percent: int = 0


@attrs.frozen(kw_only=True)
class BatchWritePolicy:
    """A row of a batch that writes, or removes (then without `exists` and `ttl`)."""

    filter_expression: SupportsBytes | None = None
    commit_level: CommitLevel = CommitLevel.ALL
    gen: Generation = Generation.IGNORE
    generation: int = 0
    exists: Exists = Exists.IGNORE
    key: SendKey = SendKey.DIGEST
    ttl: int = TTL_DEFAULT
    durable_delete: bool = False


@attrs.frozen(kw_only=True)
class BatchApplyPolicy:
    """A row of a batch that calls a function."""

    filter_expression: SupportsBytes | None = None
    commit_level: CommitLevel = CommitLevel.ALL
    key: SendKey = SendKey.DIGEST
    ttl: int = TTL_DEFAULT
    durable_delete: bool = False


@attrs.frozen(kw_only=True)
class QueryPolicy(Policy):
    """Primary- and secondary-index queries in the foreground."""

    total_timeout: int = 0
    max_retries: int = 5
    replica: Replica = Replica.SEQUENCE
    #: Records' metadata without their bins when False.
    include_bins: bool = True
    #: For queries of few records (about 100), which the server then runs with less ceremony.
    short_query: bool = False
    #: Stop after so many records; 0 is all.
    max_records: int = 0
    #: On each node; 0 is as fast as it goes.
    records_per_second: int = 0

    def __attrs_post_init__(self) -> None:
        Policy.__attrs_post_init__(self)
        _check(self, 0, "max_records", "records_per_second")


@attrs.frozen(kw_only=True)
class InfoPolicy:
    """Info commands and what is built on them: indexes, functions, truncation."""

    timeout: int = 1000


@attrs.frozen(kw_only=True)
class AdminPolicy:
    """Users and roles."""

    timeout: int = 1000


class AuthMode(Enum):
    """How a client says who it is."""

    #: By user and password, which the servers know.
    INTERNAL = "internal"
    #: By user and password, which the servers ask a directory about (LDAP). The password itself
    #: travels, so over TLS alone.
    EXTERNAL = "external"
    #: The same, in the clear where the connection is.
    EXTERNAL_INSECURE = "external insecure"
    #: By the certificate of `TlsPolicy`: its common name is the user.
    PKI = "pki"


@attrs.frozen(kw_only=True)
class TlsPolicy:
    """TLS to the nodes: whose certificates to believe, and what to show. Files are PEM; when they
    change, connections made from then on use the new ones."""

    #: Certificates of those who vouch for the nodes; neither is given: the system's.
    ca_file: str | None = None
    ca_path: str | None = None
    #: The client's own certificate (with those that vouch for it behind) and key, if the servers
    #: ask for one.
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = attrs.field(default=None, repr=False)
    #: What the nodes' certificates are for, where neither the seed nor another node says it
    #: (`tls-name` in the servers' configuration); empty: the host.
    name: str = ""
    protocols: tuple[str, ...] = TLS_PROTOCOLS
    #: OpenSSL's list of ciphers for TLS 1.2.
    cipher_suite: str | None = None

    def __attrs_post_init__(self) -> None:
        if not self.protocols or not set(self.protocols) <= set(TLS_PROTOCOLS):
            spoken = " and ".join(TLS_PROTOCOLS)
            raise InvalidParameter(f"protocols: {spoken} are spoken, not {self.protocols!r}")
        if self.key_file and not self.cert_file:
            raise InvalidParameter("key_file needs the cert_file that it belongs to")


@attrs.frozen(kw_only=True)
class ClientPolicy:
    """The client as a whole: whom to connect to and how, and the default of every other policy."""

    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    auth_mode: AuthMode = AuthMode.INTERNAL
    #: If given, all connections are TLS.
    tls: TlsPolicy | None = None
    #: If given, nodes of other clusters are refused.
    cluster_name: str | None = None
    #: For making a connection.
    connect_timeout: int = 1000
    login_timeout: int = 5000
    #: Seconds after which an idle connection is not used again; must be less than the server's
    #: `proto-fd-idle-ms` when that is set.
    max_socket_idle: int = 55
    min_conns_per_node: int = 0
    max_conns_per_node: int = 100
    #: asyncio only: requests on their way over one connection, one behind the other, before another
    #: connection is made; 1 sends each over a connection that is free.
    pipeline_depth: int = 32
    #: Failures of a node within the window after which it is left alone; 0 never.
    max_error_rate: int = 100
    #: In rounds of tending.
    error_rate_window: int = 1
    tend_interval: int = 1000
    fail_if_not_connected: bool = True
    #: Connect to the nodes' alternate addresses (a network behind translation).
    use_services_alternate: bool = False
    #: Hosts that nodes announce, or "host:port", -> the ones to use.
    ip_map: dict[str, str] = attrs.field(factory=dict)
    #: The racks of this client, best first; asks the nodes for theirs when not empty.
    rack_ids: tuple[int, ...] = ()
    #: What the servers show this client as.
    app_id: str = "not-set"

    read: ReadPolicy = ReadPolicy()
    write: WritePolicy = WritePolicy()
    operate: OperatePolicy = OperatePolicy()
    remove: WritePolicy = WritePolicy()
    apply: ApplyPolicy = ApplyPolicy()
    #: Of batches that only read.
    batch: BatchPolicy = BatchPolicy()
    #: Of batches with a row that writes.
    batch_write: BatchPolicy = BatchPolicy(max_retries=0)
    query: QueryPolicy = QueryPolicy()
    info: InfoPolicy = InfoPolicy()
    admin: AdminPolicy = AdminPolicy()

    def __attrs_post_init__(self) -> None:
        _check(self, 0, "connect_timeout", "login_timeout", "max_socket_idle", "max_error_rate")
        _check(self, 0, "min_conns_per_node")
        _check(self, 1, "max_conns_per_node", "pipeline_depth", "error_rate_window")
        _check(self, 1, "tend_interval")
        mode, tls = self.auth_mode, self.tls
        if mode is AuthMode.PKI and (tls is None or not tls.cert_file):
            raise InvalidParameter("AuthMode.PKI needs a TlsPolicy with a cert_file")
        if mode is AuthMode.PKI and self.user is not None:
            raise InvalidParameter("AuthMode.PKI: the user is the certificate's, give none")
        if mode is AuthMode.EXTERNAL and tls is None:
            raise InvalidParameter(
                "AuthMode.EXTERNAL sends the password itself and needs TLS (EXTERNAL_INSECURE"
                " sends it in the clear)"
            )
