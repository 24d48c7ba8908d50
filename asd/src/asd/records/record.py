"""A record at rest: the payload an engine keeps, laid out as a whole-record reply sends it.

    u16 number of bins | one READ op a bin, as on the wire
    | bins' times | u32 length of these      with BIN_TIMES in the record's flags
    | stored key | u32 length of that key    with KEY_STORED

A whole-record read is therefore a header and one slice. With `INDEXED` in the flags, ops of indexed
maps have a mark where a reply has a 0. `docs/formats/record-payload.md` draws it.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from aerospike_common.wire.codes import OpType
from aerospike_common.wire.message import op_head, pack_op_head
from asd.bins.particle import IndexedMap, Particle

KEY_STORED = 0x01
"""Record flag: the payload ends with the user's key (type byte and value)."""

INDEXED = 0x02
"""Record flag: among the bins are indexed maps."""

XDR_WRITE = 0x04
"""Record flag: this version came from another data center."""

BIN_TIMES = 0x08
"""Record flag: the payload says when each bin was written (`asd.records.bin_times`)."""

XDR_TOMBSTONE = 0x10
"""Record flag, of tombstones: of a delete that was not durable, kept until it has been shipped."""

NSUP_TOMBSTONE = 0x20
"""Record flag, of those tombstones: the record has expired, or was evicted."""

CEMETERY = 0x40
"""Record flag: nothing but the times of bins that were deleted; clients do not see it. All flags
from this one on are of what is no record to them."""

Bins: TypeAlias = dict[bytes, Particle]
"""Bin name to value, in storage order."""

MAX_BINS = 32767

LAST_GENERATION = 65535


def next_generation(generation: int) -> int:
    """The generation of the version behind one of `generation`: after 65535 comes 1."""
    return generation % LAST_GENERATION + 1


def is_expired(void_time: int, now_s: int) -> bool:
    """The record's time was over before this second; 0 = it never is."""
    return 0 < void_time < now_s


_READ = int(OpType.READ)  # members of enumerations cost a look-up of a tenth of a microsecond
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_MARK = 6
"""Where an op's mark is."""


def encode_op(op_type: int, name: bytes, value: Particle) -> bytes:
    """One op of a reply: header, bin name, value."""
    data = value[1]
    return pack_op_head(4 + len(name) + len(data), op_type, value[0], 0, len(name)) + name + data


def pack_bins(bins: Bins) -> bytes:
    """The payload of a record without a stored key."""
    parts = [_U16.pack(len(bins))]
    read = _READ
    for name, value in bins.items():
        kind, data = value
        mark = type(value) is IndexedMap
        parts.append(pack_op_head(4 + len(name) + len(data), read, kind, mark, len(name)))
        parts.append(name)
        parts.append(data)
    return b"".join(parts)


def payload_flags(bins: Bins, key: bytes) -> int:
    """The record flags that tell what `pack_payload` makes of these."""
    flags = KEY_STORED if key else 0
    return flags | INDEXED if IndexedMap in map(type, bins.values()) else flags


def pack_payload(bins: Bins, key: bytes) -> bytes:
    """The payload of a record; `key` is empty when none is stored."""
    if not key:
        return pack_bins(bins)
    return pack_bins(bins) + key + _U32.pack(len(key))


def unpack_bins(payload: bytes) -> Bins:
    """All bins, in storage order."""
    bins: Bins = {}
    offset = 2
    for _ in range(_U16.unpack_from(payload)[0]):
        size, _, kind, mark, name_size = op_head(payload, offset)
        value = offset + 8 + name_size
        end = offset + 4 + size
        made = IndexedMap if mark else Particle
        bins[payload[offset + 8 : value]] = made(kind, payload[value:end])
        offset = end
    return bins


def count_bins(payload: bytes) -> int:
    """How many bins there are."""
    count: int = _U16.unpack_from(payload)[0]
    return count


def find_bin(payload: bytes, name: bytes) -> Particle | None:
    """One bin, without unpacking the others."""
    offset = 2
    wanted = len(name)
    for _ in range(_U16.unpack_from(payload)[0]):
        size, _, kind, mark, name_size = op_head(payload, offset)
        if name_size == wanted:
            value = offset + 8 + name_size
            if payload[offset + 8 : value] == name:
                made = IndexedMap if mark else Particle
                return made(kind, payload[value : offset + 4 + size])
        offset += 4 + size
    return None


def replace_bin(payload: bytes, name: bytes, value: Particle) -> bytes:
    """The payload with one bin changed in its place, or added at the end. Without a stored key."""
    op = encode_op(_READ, name, value)
    count = _U16.unpack_from(payload)[0]
    offset = 2
    for _ in range(count):
        size, _, _, _, name_size = op_head(payload, offset)
        end = offset + 4 + size
        if payload[offset + 8 : offset + 8 + name_size] == name:
            return payload[:offset] + op + payload[end:]
        offset = end
    return _U16.pack(count + 1) + payload[2:] + op


def stored_key(payload: bytes, flags: int) -> bytes:
    """The user's key, type byte first; empty when none is stored."""
    if not flags & KEY_STORED:
        return b""
    return payload[-4 - _U32.unpack_from(payload, len(payload) - 4)[0] : -4]


def _before(payload: bytes, end: int) -> int:
    """Where a part of a payload begins that its size stands behind."""
    begin: int = end - 4 - _U32.unpack_from(payload, end - 4)[0]
    return begin


def bin_times(payload: bytes, flags: int) -> bytes:
    """The block of the bins' times, where there is one."""
    end = _before(payload, len(payload)) if flags & KEY_STORED else len(payload)
    return payload[_before(payload, end) : end - 4]


def with_bin_times(payload: bytes, flags: int, block: bytes) -> bytes:
    """A payload that has no block, with one."""
    end = _before(payload, len(payload)) if flags & KEY_STORED else len(payload)
    return payload[:end] + block + _U32.pack(len(block)) + payload[end:]


def without_bin_times(payload: bytes, flags: int) -> bytes:
    """A payload that has a block, without it."""
    end = _before(payload, len(payload)) if flags & KEY_STORED else len(payload)
    return payload[: _before(payload, end)] + payload[end:]


def without_key(payload: bytes, flags: int) -> bytes:
    """The count and the ops, as they end a whole-record reply."""
    if flags & KEY_STORED:
        payload = payload[: _before(payload, len(payload))]
    if flags & BIN_TIMES:
        payload = payload[: _before(payload, len(payload))]
    return _without_marks(payload) if flags & INDEXED else payload


def _without_marks(payload: bytes) -> bytes:
    ops = bytearray(payload)
    offset = 2
    for _ in range(_U16.unpack_from(payload)[0]):
        ops[offset + _MARK] = 0
        offset += 4 + _U32.unpack_from(payload, offset)[0]
    return bytes(ops)


def remove_bin(bins: Bins, name: bytes) -> None:
    """Delete a bin; the last bin takes its place (this order is what readers see)."""
    last = next(reversed(bins))
    if last == name:
        del bins[name]
        return
    items = list(bins.items())
    place = next(i for i, item in enumerate(items) if item[0] == name)
    items[place] = items.pop()
    bins.clear()
    bins.update(items)


class BinOrder:
    """The order of bins while many are deleted: each deletion in O(1), their dict put in order once
    at the end, as `remove_bin` leaves it."""

    __slots__ = ("_names", "_places")

    def __init__(self, bins: Bins) -> None:
        self._names = list(bins)
        self._places = {name: at for at, name in enumerate(self._names)}

    def add(self, name: bytes) -> None:
        """A new bin."""
        self._places[name] = len(self._names)
        self._names.append(name)

    def remove(self, name: bytes) -> None:
        """A bin goes; the last one takes its place."""
        place, last = self._places.pop(name), self._names.pop()
        if last != name:
            self._names[place] = last
            self._places[last] = place

    def restore(self, bins: Bins) -> None:
        """Put bins, which are these, in order."""
        ordered = [(name, bins[name]) for name in self._names]
        bins.clear()
        bins.update(ordered)
