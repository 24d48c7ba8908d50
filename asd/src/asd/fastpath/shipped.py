"""The writes that another data center ships: whole records of plain values.

They come one message a record, thousands in a row, and no two need have the same head: generation,
time to live and size are the record's own. So these paths are found by what is the same throughout,
namespace and set, and read the rest. What they serve is what `asd.shipping.message` makes (and the
real server): an ordinary write that replaces the record, its fields in this order,

    namespace | digest | set, if it has one | key, where it is stored | last-update-time

and as ops a WRITE for each bin. The ops are the record's payload but for the byte that says WRITE,
so nothing is taken apart but to be checked. Anything else (updates, deletes, collections, which
must be looked through) takes the general way, which answers the same.

The contract of these paths is that of all (`asd.fastpath.contract`). Only a request that the
general way has answered with success makes one, as for all others.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    Info3,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.message import op_head, parse_message
from asd.fastpath.contract import GENERAL_WAY, Kind, bars_of_shipped, fits
from asd.fastpath.replies import EMPTY_OK, without_ops
from asd.records.change import Change
from asd.records.record import (
    KEY_STORED,
    XDR_WRITE,
    is_expired,
    next_generation,
    stored_key,
)
from asd.security.rights import UNRESTRICTED, Rights
from asd.space.commit import Put
from asd.space.namespace import TTL_NEVER, Namespace
from asd.transactions.masked import access_of
from asd.transactions.ops import is_bin_name
from asd.transactions.transaction import is_key
from asd.transactions.write import longest_payload
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

Answer: TypeAlias = tuple[bytes, Namespace]
"""A framed reply, and the namespace whose writes it may have to wait for."""

LARGEST: Final = 128 << 10
"""Bytes of the largest message that has a path."""
PLACES: Final = 1024
"""Sets that are known; a table that is full starts afresh."""
NAMES: Final = 4096
"""Names of bins that are known to be good ones."""

START: Final = bytes((22, Info1.XDR, Info2.WRITE, Info3.CREATE_OR_REPLACE, 0, 0))
"""How the body of each such message begins."""
_HEAD: Final = struct.Struct(">6x4xI4xHHI")
"""Remaining seconds of life, fields, ops, size of the first field."""
_COUNT_AT: Final = 20
_FIRST_FIELD: Final = 22
_DIGEST_HEAD: Final = struct.pack(">IB", 1 + DIGEST_SIZE, FieldType.DIGEST)
_LUT_HEAD: Final = struct.pack(">IB", 9, FieldType.LAST_UPDATE_TIME)
_U32: Final = struct.Struct(">I")
_SET: Final = int(FieldType.SET)
_KEY: Final = int(FieldType.KEY)
_WRITE: Final = int(OpType.WRITE)
_READ: Final = int(OpType.READ)
_OP_TYPE_AT: Final = 4
_CODE_AT: Final = 13
"""Of a framed reply."""
_GENERAL_WAY: Final = (*GENERAL_WAY, IndexError, struct.error)
"""The last two: the message is cut off."""

_LONG: Final = -1
_SIZES: Final = {
    int(ParticleType.INTEGER): 8,
    int(ParticleType.DOUBLE): 8,
    int(ParticleType.STRING): _LONG,
    int(ParticleType.BLOB): _LONG,
}
"""The plain types, and the bytes that their values have."""


@frozen
class Place:
    """A set, as things are now."""

    namespace: Namespace
    set_name: bytes
    set_id: int
    put: Put | None
    """The door's; None: secondary indexes need to know what was there."""
    longest: int
    """Bytes of a payload that makes no record that is too large."""


class ShippedWrites:
    """The paths of one node for those who have the same rights."""

    __slots__ = ("_names", "_node", "_places", "_rights", "_without")

    def __init__(self, node: NodeState, rights: Rights = UNRESTRICTED) -> None:
        self._node = node
        self._rights = rights
        self._places: dict[bytes, Place] = {}
        """By the fields of namespace and set, as they are sent."""
        self._without: set[bytes] = set()
        self._names: set[bytes] = set()

    def clear(self) -> None:
        """Forget all paths: something they relied on has changed."""
        self._places.clear()
        self._without.clear()

    def answer(self, body: bytes) -> Answer | None:
        """The reply to a message that begins with START; None: the general way must be taken.
        Raises for a fault of ours alone, which may have had its effect."""
        if len(body) > LARGEST:
            return None
        try:
            return self._write(body)
        except _GENERAL_WAY:
            return None

    def learn(self, body: bytes, reply: bytes) -> None:
        """Make a path for the set of such a message that the general way has answered."""
        if reply[_CODE_AT] != ResultCode.OK:
            return
        try:
            where, _, _ = _where(body)
        except (IndexError, struct.error):
            return
        if not where or where in self._places or where in self._without:
            return
        if len(self._places) + len(self._without) >= PLACES:
            self.clear()
        message = parse_message(body)
        namespace = self._node.namespaces.get(message.fields.get(FieldType.NAMESPACE, b""))
        set_name = message.fields.get(FieldType.SET, b"")
        if (
            namespace is None
            or self._rights.watched(message)
            or access_of(namespace, message, self._rights)
            or not fits(Kind.SHIPPED, bars_of_shipped(namespace, set_name))
        ):
            self._without.add(where)
            return
        longest = longest_payload(namespace, set_name)
        put, set_id = namespace.door.doors(set_name).put, namespace.intern_set(set_name)
        self._places[where] = Place(namespace, set_name, set_id, put, longest)

    def _write(self, body: bytes) -> Answer | None:
        where, digest_at, end = _where(body)
        place = self._places.get(where)
        if place is None:
            return None
        namespace = place.namespace
        digest = body[digest_at : digest_at + DIGEST_SIZE]
        barred = namespace.ownership.barred
        if barred and digest[0] | (digest[1] & 15) << 8 in barred:
            return None
        ttl, n_fields, n_ops, _ = _HEAD.unpack_from(body)
        n_fields -= 3 + bool(place.set_name)
        key = b""
        if n_fields and body[end + 4] == _KEY:
            start, end = end + 5, end + 4 + _U32.unpack_from(body, end)[0]
            key = body[start:end]
            n_fields -= 1
            if not is_key(key):
                return None
        if n_fields or body[end : end + 5] != _LUT_HEAD:
            return None
        payload = self._payload(body, end + 13, n_ops)
        if payload is None or len(payload) > place.longest:
            return None
        if key:
            payload += key + _U32.pack(len(key))
        return self._put(place, digest, ttl, key, payload)

    def _put(
        self, place: Place, digest: bytes, ttl: int, key: bytes, payload: bytes
    ) -> Answer | None:
        """Store it, over what is there: nothing, or a live record of the set whose key is this."""
        namespace = place.namespace
        record = namespace.engine.get(digest)
        generation, void_time, old_void_time = 1, 0, None
        updated_ms = namespace.clock.epoch_ms()
        if record is not None:
            generation, old_void_time, before_ms, set_id, flags, old = record
            if before_ms > updated_ms:
                return None
            if set_id != place.set_id or (flags & KEY_STORED and stored_key(old, flags) != key):
                return None
            if old_void_time and is_expired(old_void_time, namespace.clock.epoch_s()):
                return None
            generation = next_generation(generation)
        if ttl != TTL_NEVER:
            now_s = namespace.clock.epoch_s()
            void_time = namespace.void_time(ttl, place.set_name, old_void_time, now_s)
        flags = XDR_WRITE | KEY_STORED if key else XDR_WRITE
        new = (generation, void_time, updated_ms, place.set_id, flags, payload)
        if place.put is not None:
            place.put(digest, *new)
        else:
            namespace.commit(Change(digest, record, new))
        namespace.statistics.client.write_success += 1
        namespace.statistics.xdr_client.write_success += 1
        return without_ops(EMPTY_OK, generation, void_time), namespace

    def _payload(self, body: bytes, at: int, n_ops: int) -> bytes | None:
        """The ops from `at` to the end as the payload of a record; None: they are not all plain."""
        payload = bytearray(body[_COUNT_AT:_FIRST_FIELD])
        payload += body[at:]
        names = set()
        at, end = 2, len(payload)
        for _ in range(n_ops):
            size, op_type, kind, flags, name_size = op_head(payload, at)
            expected = _SIZES.get(kind)
            value_size = size - 4 - name_size
            if op_type != _WRITE or flags or expected is None or value_size < 0:
                return None
            if expected not in (_LONG, value_size):
                return None
            name = bytes(payload[at + 8 : at + 8 + name_size])
            if name not in self._names and not self._know(name):
                return None
            names.add(name)
            payload[at + _OP_TYPE_AT] = _READ
            at += 4 + size
        if at != end or len(names) != n_ops or not n_ops:
            return None
        return bytes(payload)

    def _know(self, name: bytes) -> bool:
        """Is it one that a bin may have? It is known from now on."""
        if not is_bin_name(name):
            return False
        if len(self._names) >= NAMES:
            self._names.clear()
        self._names.add(name)
        return True


def _where(body: bytes) -> tuple[bytes, int, int]:
    """The fields of namespace and set end to end, where the digest is, and where what is behind the
    set begins. Nothing for another order of fields. Raises IndexError, struct.error."""
    namespace_end = _FIRST_FIELD + 4 + _U32.unpack_from(body, _FIRST_FIELD)[0]
    digest_at = namespace_end + 5
    if body[namespace_end:digest_at] != _DIGEST_HEAD:
        return b"", 0, 0
    set_at = end = digest_at + DIGEST_SIZE
    if body[set_at + 4] == _SET:
        end += 4 + _U32.unpack_from(body, set_at)[0]
    return body[_FIRST_FIELD:namespace_end] + body[set_at:end], digest_at, end
