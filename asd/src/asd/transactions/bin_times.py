"""Times of bins as transactions keep them: what a client's write makes of them, and what is merged
of a record that another data center ships. `asd.records.bin_times` has the rule.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.records.bin_times import (
    CAME,
    NEVER,
    BinTimes,
    Lost,
    Rules,
    changed,
    is_told,
    just_below,
    merge,
    order,
    pack,
    stamp,
    stamp_ms,
    tidied,
    times_of,
    told_by,
    unpack,
)
from asd.records.record import (
    BIN_TIMES,
    CEMETERY,
    KEY_STORED,
    XDR_WRITE,
    Bins,
    pack_payload,
    payload_flags,
    unpack_bins,
    with_bin_times,
    without_bin_times,
)
from asd.space.namespace import Namespace
from asd.transactions.applied import replaces
from asd.transactions.ops import READ_OPS
from cluster.consistency.stamp import time_of
from storage.engine import TOMBSTONE, Record

_NO_BINS: Final = b"\0\0"
_LUT: Final = struct.Struct(">Q")
_MS_PER_S: Final = 1000
_MOST_AHEAD_MS: Final = 86_400_000
"""A clock that is further ahead is wrong, and what it dates could not be changed for that long."""


def is_merged(rules: Rules, message: Message) -> bool:
    """Is this write merged with what is there? Only what data centers send is: values, deletes."""
    if not (rules.merges and message.info1 & Info1.XDR):
        return False
    return bool(message.info2 & Info2.DELETE) or all(op.type == OpType.WRITE for op in message.ops)


def held_times(namespace: Namespace, digest: bytes, found: Record | None) -> BinTimes:
    """The times of what stands in the store, a tombstone's too."""
    assert namespace.bin_times is not None
    if found is not None:
        return times_of(found, namespace.bin_times.source)
    entry = namespace.engine.index.find_entry(digest)
    if entry is None or not entry.flags & TOMBSTONE:
        return NEVER
    return BinTimes(told_by(entry.last_update_time, entry.flags, namespace.bin_times.source), 0, {})


def _bins_of(record: Record | None) -> Bins:
    return unpack_bins(record[5]) if record is not None and record[4] < CEMETERY else {}


def _oldest_ms(namespace: Namespace) -> int:
    """What was deleted before then need not be told any more."""
    return namespace.clock.epoch_ms() - namespace.config.xdr_bin_tombstone_ttl * _MS_PER_S


# ---------------------------------------------------------------- writes of clients


def stamped(
    namespace: Namespace, message: Message, digest: bytes, found: Record | None, new: Record | None
) -> Record | None:
    """A version that a client's request leaves, with the times of its bins. Raises LOST_CONFLICT
    when what another data center has written is ahead of it."""
    rules = namespace.bin_times
    assert rules is not None
    if new is None:
        return None
    held, old = held_times(namespace, digest, found), _bins_of(found)
    bins = {} if new[4] & TOMBSTONE else _bins_of(new)
    written = {op.name for op in message.ops if op.type not in READ_OPS}
    replaced = not bins or bool(replaces(message) and message.info2 & Info2.WRITE)
    time_ms = time_of(new[2])
    came = bool(message.info1 & Info1.XDR)
    try:
        times = changed(held, old, bins, written, time_ms, rules, replaces=replaced, came=came)
    except Lost:
        namespace.statistics.fail_client_lost_conflict += 1
        raise OperationError(ResultCode.LOST_CONFLICT, "another data center's is later") from None
    sealed = _sealed(new, tidied(times, bins, _oldest_ms(namespace)), bins, rules)
    check_room(namespace, sealed[5])
    return sealed


def check_room(namespace: Namespace, payload: bytes) -> None:
    """Raises RECORD_TOO_BIG for a record that is one with the times of its bins."""
    limit = namespace.config.max_record_size
    if 0 < limit < len(payload):
        namespace.statistics.fail_record_too_big += 1
        raise OperationError(ResultCode.RECORD_TOO_BIG, f"with its bins' times it is over {limit}")


def _came(times: BinTimes) -> BinTimes:
    named = {name: each | CAME for name, each in times.named.items()}
    return BinTimes(times.floor and times.floor | CAME, times.rest | CAME, named)


def _sealed(new: Record, times: BinTimes, bins: Bins, rules: Rules) -> Record:
    generation, void_time, updated_ms, set_id, flags, payload = new
    if flags & BIN_TIMES:  # its time alone is new
        payload = without_bin_times(payload, flags)
        flags &= ~BIN_TIMES
    if flags & TOMBSTONE:
        if times.floor == told_by(updated_ms, flags, rules.source):
            return new
        flags = flags & ~TOMBSTONE | CEMETERY
        payload = _NO_BINS
    elif is_told(times, bins, time_of(updated_ms), rules.source):
        return generation, void_time, updated_ms, set_id, flags, payload
    payload = with_bin_times(payload, flags, pack(times))
    flags = flags & ~XDR_WRITE | BIN_TIMES | _mark(times, bins)
    return generation, void_time, updated_ms, set_id, flags, payload


def _mark(times: BinTimes, bins: Bins) -> int:
    """The flag of a record of which nothing was written here."""
    return XDR_WRITE if all(each & CAME for each in times.stamps(bins)) else 0


# --------------------------------------------------------------------- what is shipped


class Sent(NamedTuple):
    """The times that a shipment brings; `exact`: those of the writes themselves."""

    times: BinTimes
    exact: bool


class Merged(NamedTuple):
    """What a record comes to."""

    times: BinTimes
    bins: Bins
    newest: bool
    """What was shipped is the last write that is known."""

    def payload(self, key: bytes) -> tuple[bytes, int]:
        """The payload and the flags."""
        bins = self.bins
        flags = payload_flags(bins, key) if bins else CEMETERY
        payload = pack_payload(bins, key if bins else b"")
        payload = with_bin_times(payload, flags & KEY_STORED, pack(self.times))
        return payload, flags | BIN_TIMES | _mark(self.times, bins)


def sent_times(namespace: Namespace, message: Message) -> Sent:
    """Those that a shipment brings in the field of this project; where it has none, all bins have
    the time of the record's last update there, or else the present one. Raises PARAMETER."""
    block = message.fields.get(FieldType.BIN_TIMES)
    if block is not None:
        try:
            return Sent(_came_from(unpack(block), namespace), exact=True)
        except (struct.error, ValueError) as error:
            raise OperationError(ResultCode.PARAMETER, f"times of bins: {error}") from None
    lut = message.fields.get(FieldType.LAST_UPDATE_TIME, b"")
    is_told_so = len(lut) == _LUT.size
    time_ms = time_of(_LUT.unpack(lut)[0]) if is_told_so else namespace.clock.epoch_ms()
    own = stamp(time_ms, 0) | CAME
    if message.info2 & Info2.DELETE:
        return Sent(BinTimes(own, 0, {}), exact=False)
    floor = just_below(own) if replaces(message) else 0
    gone = {op.name: own for op in message.ops if not op.particle_type}
    return Sent(BinTimes(floor, own, gone), exact=False)


def _came_from(times: BinTimes, namespace: Namespace) -> BinTimes:
    """As they are kept here. Raises ValueError for those of a clock that is far ahead."""
    came = _came(times)
    ahead_ms = max([stamp_ms(each) for each in (came.floor, came.rest, *came.named.values())])
    if ahead_ms > namespace.clock.epoch_ms() + _MOST_AHEAD_MS:
        raise ValueError("they are more than a day ahead of the clock here")
    return came


def merge_sent(
    namespace: Namespace, digest: bytes, found: Record | None, sent: Sent, bins: Bins
) -> Merged | None:
    """What the record comes to by a shipment; None when that has nothing new."""
    rules = namespace.bin_times
    assert rules is not None
    held, old = held_times(namespace, digest, found), _bins_of(found)
    if found is not None and found[4] < CEMETERY:
        now_s = namespace.clock.epoch_s()
        if not namespace.is_live(found, now_s):
            held, old = NEVER, {}
    merged = merge(held, old, sent.times, bins, exact=sent.exact)
    if merged is None:
        return None
    times, bins = merged
    newest = _last(sent.times) > _last(held)
    return Merged(tidied(times, bins, _oldest_ms(namespace)), bins, newest)


def _last(times: BinTimes) -> int:
    return max(map(order, (times.floor, times.rest, *times.named.values())))
