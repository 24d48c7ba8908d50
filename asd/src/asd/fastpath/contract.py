"""What a fast path is, and what each of them leaves to the general way.

A client sends the same bytes before the digest again and again: size, flags, ttl, timeout,
namespace, set. For such a *head* a fast path is made once (`asd.fastpath.cache`): a closure that
reads only what differs, the digest and the values, looks the record up, and answers. It gives the
same answer as the general way (`asd.service.tsvc`), or none at all. That is the whole contract, and
this file says where the line runs.

What sends a request the general way is called a *bar*. There are three kinds:

- Bars of the **request and the namespace**, known when a path is made: a filter, a ttl, a set that
  is indexed in more than plain bins. `bars` finds them, `CONTRACT` says which of them each kind
  of path minds. Where one of them is there, no path is made. Whoever changes what a path relies
  on (configuration, sets, indexes, observers of the door) has all paths made anew
  (`FastPaths.clear`).
- Bars of the **partition**, one byte each (`asd.space.ownership`). Every path asks each time
  whether the partition of its digest is barred. Nothing is forgotten when a partition moves.
- Bars of the **record**: it is in another set, has a key or a time of its own, other bins. Each
  path looks for itself, through `unplain` where it reads.

What must hold:

- A path that answers nothing (returns None, or raises one of `GENERAL_WAY`) has changed nothing:
  the general way begins from the start. So nothing that can fail may stand behind the call of the
  door (`asd.space.commit`), which is the last thing that a path does before its reply.
- Any other exception is a fault of ours. It is logged, the request is answered with SERVER_ERROR,
  and *not* run again: it may have had its effect.
- A write that must reach a medium or other nodes before it is acknowledged is done by its path all
  the same; the *reply* is held (`asd.service.held_replies`), the request is not.
- What a connection may do is no bar: the table of paths belongs to the rights of its connections
  (`FastPaths.of`), or one user's path would answer another. What rights want to see each time, for
  a quota or the audit log, has no path (`asd.security.rights`), and no request has one from which
  masked bins are concealed, or guarded (`asd.transactions.masked`).

`tests/asd/fastpath/test_contract.py` walks the table: for each kind and each bar it makes the
situation, and sees the right way taken and the same answer given.

Rejected: paths that go on where the general way would be needed (two places for one rule), a path
a request type with an interpreter for its flags (no faster than the general way), and forgetting
all paths when the cluster changes (a move of partitions would cost every client its paths).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, TypeAlias

from aerospike_common.wire.codes import FieldType, Info2
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.message import Message
from asd.records.record import XDR_WRITE, is_expired
from asd.space.namespace import TTL_NEVER, Namespace
from asd.transactions.heavy import Leave, Occupied
from storage.engine import DeviceOverload, NotResident, OutOfSpace, Record, StorageError

FastPath: TypeAlias = Callable[[bytes, int], bytes | None]
"""(received bytes, offset of the digest) to the framed reply; None: the general way must be taken.

All of the request is there, from its head, which is the path's, to its end.
"""

GENERAL_WAY: Final = (
    Leave,
    Occupied,
    NotResident,
    OutOfSpace,
    DeviceOverload,
    StorageError,
    OperationError,
    MessageError,
)
"""What a path may raise instead of answering: nothing has changed, the general way says what is
wrong, or waits for the record."""


class Kind(Enum):
    """The kinds of fast paths."""

    GET = auto()
    """All bins of a record."""
    EXISTS = auto()
    SELECT = auto()
    """Some bins of a record."""
    FILTERED_GET = auto()
    COLLECTION_READ = auto()
    """One operation that reads a list or map."""
    READ_OPS = auto()
    """Any other operations that read."""
    PUT_ONE = auto()
    """One plain bin, over a record that has just this bin, or over none."""
    PUT_MANY = auto()
    """Several plain bins, likewise."""
    COLLECTION_WRITE = auto()
    """One operation that changes a list or map."""
    PLAIN_OPERATE = auto()
    """Any other write, over a record that is there and never expires."""
    OPERATE = auto()
    """Any other write: the record is treated as on the general way, but the head is known."""
    FUNCTION = auto()
    """A call of a function: likewise."""
    ROW_GET = auto()
    """Rows of batches that read all bins."""
    ROW_PUT = auto()
    """Rows of batches that write one plain bin."""
    SHIPPED = auto()
    """Whole records of plain bins that another data center ships, with or without key and time to
    live."""


class Bar(Enum):
    """What may send a request the general way."""

    FILTER = auto()
    """The request has a filter."""
    KEY = auto()
    """The request has the user's key."""
    IN_TRANSACTION = auto()
    """The request is part of a multi-record transaction, or has another field of its own."""
    GENERATION = auto()
    """The request names a generation: heads would differ from request to request."""
    CONDITION = auto()
    """The request has a condition on the record's existence, replaces it, or asks for more copies
    to be looked at."""
    TTL = auto()
    """The request sets a time to live, or asks for that of a read to be renewed."""
    DEFAULT_TTL = auto()
    """What is written to the set expires unless the request says otherwise."""
    READ_TOUCH = auto()
    """What is read in the set may be given new time."""
    LIMITED = auto()
    """Writes of the set have a limit, or are stopped."""
    SMALL_RECORDS = auto()
    """Records may not be larger than about what a fast path reads."""
    STRONG = auto()
    """Strong consistency: nothing may be told that not all replicas have."""
    FAULTS = auto()
    """Tests have injected faults, which are looked for in every request."""
    BIN_TIMES = auto()
    """The namespace keeps when each bin was written."""
    TRUNCATING = auto()
    """Records of the namespace are being truncated."""
    NEW_SET = auto()
    """Nothing was ever written to the set."""
    INDEXED = auto()
    """The set has secondary indexes of plain bins."""
    INDEXED_DEEP = auto()
    """The set has secondary indexes of what is inside bins, of expressions, or of its records."""
    FOREIGN = auto()
    """Another node is the master of the partition, or nobody may be."""
    DUPLICATES = auto()
    """Other nodes may have newer versions of the partition's records."""
    MISSING = auto()
    """There is no such record."""
    OTHER_SET = auto()
    """The record is in another set."""
    KEY_STORED = auto()
    """The record has the user's key."""
    EXPIRING = auto()
    """The record has a void-time, which has not come."""
    EXPIRED = auto()
    """The record's void-time has come."""
    OTHER_BINS = auto()
    """The record has other bins than those that are written."""
    NOT_RESIDENT = auto()
    """The record has to be read from a medium that is slow."""
    FULL = auto()
    """The engine refuses the write."""


_EVERY: Final = frozenset(
    {
        Bar.KEY,
        Bar.IN_TRANSACTION,
        Bar.GENERATION,
        Bar.STRONG,
        Bar.FAULTS,
        Bar.TRUNCATING,
        Bar.NEW_SET,
        Bar.FOREIGN,
        Bar.DUPLICATES,
        Bar.NOT_RESIDENT,
    }
)
"""What no path does."""

_READ: Final = _EVERY | {
    Bar.CONDITION,
    Bar.TTL,
    Bar.READ_TOUCH,
    Bar.OTHER_SET,
    Bar.KEY_STORED,
    Bar.EXPIRED,
}
_WRITE: Final = _EVERY | {
    Bar.FILTER,
    Bar.CONDITION,
    Bar.TTL,
    Bar.DEFAULT_TTL,
    Bar.LIMITED,
    Bar.SMALL_RECORDS,
    Bar.OTHER_SET,
    Bar.KEY_STORED,
    Bar.EXPIRING,
    Bar.EXPIRED,
    Bar.FULL,
    Bar.BIN_TIMES,
}

_WRITE_EXISTING: Final = _WRITE - {Bar.SMALL_RECORDS} | {Bar.INDEXED, Bar.INDEXED_DEEP, Bar.MISSING}

CONTRACT: Final[Mapping[Kind, frozenset[Bar]]] = MappingProxyType(
    {
        Kind.GET: _READ | {Bar.FILTER},
        Kind.EXISTS: _READ | {Bar.FILTER},
        Kind.SELECT: _READ | {Bar.FILTER},
        Kind.FILTERED_GET: _READ | {Bar.MISSING},
        Kind.COLLECTION_READ: _READ | {Bar.FILTER, Bar.MISSING},
        Kind.READ_OPS: _READ | {Bar.FILTER, Bar.MISSING},
        Kind.PUT_ONE: _WRITE | {Bar.INDEXED_DEEP, Bar.OTHER_BINS},
        Kind.PUT_MANY: _WRITE | {Bar.INDEXED, Bar.INDEXED_DEEP, Bar.OTHER_BINS},
        Kind.COLLECTION_WRITE: _WRITE_EXISTING,
        Kind.PLAIN_OPERATE: _WRITE_EXISTING,
        Kind.OPERATE: _EVERY | {Bar.FILTER},
        Kind.FUNCTION: _EVERY | {Bar.FILTER, Bar.CONDITION},
        Kind.ROW_GET: _READ | {Bar.FILTER},
        Kind.ROW_PUT: _WRITE - {Bar.SMALL_RECORDS} | {Bar.INDEXED_DEEP, Bar.OTHER_BINS},
        Kind.SHIPPED: _EVERY - {Bar.KEY}
        | {Bar.FILTER, Bar.CONDITION, Bar.LIMITED, Bar.OTHER_SET, Bar.KEY_STORED, Bar.EXPIRED}
        | {Bar.FULL, Bar.BIN_TIMES},
    }
)
"""For each kind of path, the bars that send a request the general way; any others it serves."""

LARGEST_REQUEST: Final = 4096
"""Bytes of the largest request that has a path: large ones come in too many sizes."""

_NAMED_FIELDS: Final = (FieldType.NAMESPACE, FieldType.SET, FieldType.DIGEST)
_OF_FUNCTIONS: Final = frozenset(
    {FieldType.UDF_PACKAGE, FieldType.UDF_FUNCTION, FieldType.UDF_ARGS, FieldType.UDF_OP}
)
_CONDITIONS2: Final = Info2.GENERATION | Info2.GENERATION_GT | Info2.CREATE_ONLY


def bars(namespace: Namespace, message: Message) -> frozenset[Bar]:
    """The bars of a request and its namespace, as things are now."""
    set_name = message.fields.get(FieldType.SET, b"")
    found = set(_of_request(message)) | set(_of_namespace(namespace, set_name))
    if message.info2 & Info2.WRITE:
        found |= set(_of_writes(namespace, set_name, message.record_ttl))
    elif message.record_ttl:
        found.add(Bar.TTL)
    return frozenset(found)


def bars_of_shipped(namespace: Namespace, set_name: bytes) -> frozenset[Bar]:
    """The bars of a namespace, as things are now, for what is shipped here; those of the requests
    are looked for in each."""
    found = set(_of_namespace(namespace, set_name))
    if namespace.limits_writes(set_name) or namespace.config.reject_xdr_writes:
        found.add(Bar.LIMITED)
    return frozenset(found)


def fits(kind: Kind, present: frozenset[Bar]) -> bool:
    """May a path of this kind be made where these bars are?"""
    return CONTRACT[kind].isdisjoint(present)


def calls_function(message: Message) -> bool:
    """Does the request call a function on its record?"""
    return bool(message.info2 & Info2.WRITE) and FieldType.UDF_PACKAGE in message.fields


def _of_request(message: Message) -> list[Bar]:
    found = []
    fields = message.fields.keys() - set(_NAMED_FIELDS)
    if FieldType.FILTER in fields:
        found.append(Bar.FILTER)
    if FieldType.KEY in fields:
        found.append(Bar.KEY)
    if calls_function(message):
        fields -= _OF_FUNCTIONS
    if message.info4 or fields - {FieldType.FILTER, FieldType.KEY}:
        found.append(Bar.IN_TRANSACTION)
    if message.generation:
        found.append(Bar.GENERATION)
    if message.info3 or message.info2 & _CONDITIONS2:
        found.append(Bar.CONDITION)
    return found


def _of_namespace(namespace: Namespace, set_name: bytes) -> list[Bar]:
    found = []
    if namespace.consistency is not None:
        found.append(Bar.STRONG)
    if namespace.faulty:
        found.append(Bar.FAULTS)
    if namespace.bin_times is not None:
        found.append(Bar.BIN_TIMES)
    if namespace.truncation.running:
        found.append(Bar.TRUNCATING)
    if namespace.find_set(set_name) is None:
        found.append(Bar.NEW_SET)
    if namespace.config.read_touch_ttl_pct_of(set_name):
        found.append(Bar.READ_TOUCH)
    watching = namespace.indexes.watching(set_name)
    if watching:
        found.append(Bar.INDEXED)
    if not all(index.keys.direct for index in watching):
        found.append(Bar.INDEXED_DEEP)
    return found


def _of_writes(namespace: Namespace, set_name: bytes, ttl: int) -> list[Bar]:
    found = []
    if ttl not in (0, TTL_NEVER):
        found.append(Bar.TTL)
    elif not ttl and namespace.config.default_ttl_of(set_name):
        found.append(Bar.DEFAULT_TTL)
    if namespace.limits_writes(set_name):
        found.append(Bar.LIMITED)
    if 0 < namespace.config.max_record_size < 2 * LARGEST_REQUEST:
        found.append(Bar.SMALL_RECORDS)
    return found


def unplain(record: Record, set_id: int, now_s: Callable[[], int]) -> bool:
    """Must a read of this record, by a request for this set (0: for any), take the general way?

    The hottest paths ask only about records that are `odd`, of another set or with flags or a
    void-time, which most are not: the call alone would be a tenth of what such a path costs.
    """
    _, void_time, _, record_set, flags, _ = record
    if flags & ~XDR_WRITE or (set_id and record_set != set_id):
        return True
    return void_time > 0 and is_expired(void_time, now_s())
