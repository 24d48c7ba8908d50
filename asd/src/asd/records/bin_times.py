"""When each bin of a record was written, and by whom: what lets copies of one record that are
changed in several data centers come to the same (convergence), and what says which bins have
changed since a record was shipped last.

The rule
--------
Every write of a bin has a *stamp*. Of two writes of one bin that with the greater stamp stays,
everywhere, in whatever order they arrive. A stamp is one integer, compared as such:

    came (1) | milliseconds since 2010 (40) | src-id of the writer's data center (8) | count (15)

Time decides first, then the src-id. The count tells apart what one data center writes to a bin
within one millisecond: a write must never have the stamp of another write. The first bit says that
the write came by shipping; it is the reader's own affair and is left out of comparisons (`order`).

A delete of a bin is a write of nothing, and has a stamp. A delete of a *record* is a write of
nothing to all bins, also to those that are not known here: this is the record's *floor*. What is
written at or below the floor is gone. A write that replaces a record puts the floor just below
itself. So a record is

    floor            a stamp; 0: nothing was ever deleted
    bin -> stamp     of bins that are there, and of those that were deleted above the floor

and `merge` takes the greater of each. That is a join of a lattice: it is commutative, associative
and idempotent, so lost, repeated and reordered shipments do no harm as long as each arrives once.
Deletes win a tie (a floor is at its delete's stamp); of two values with the same stamp, which only
data centers without src-ids can make, the greater bytes stay, so that all choose the same.

Where it is kept
----------------
In the record's payload, behind its bins (`docs/formats/record-payload.md`), under the record flag
BIN_TIMES. So it is in every engine, goes with the record to other nodes, and is truncated with it,
without any of them knowing. Most records need none of it: where no block is kept, all bins have
the time of the record's last update and this data center's src-id. A put of all bins of a record
leaves such a one; so a namespace that converges pays for records that are changed bin by bin or
that came from elsewhere, and one that does not keep times pays nothing.

What is left of a deleted record, when an engine's own tombstone (whose time is when it was deleted
*here*) does not tell enough, is a *cemetery*: a record without bins, with the flag CEMETERY, that
no client sees. It goes when it is older than `xdr-bin-tombstone-ttl`; a deleted bin's stamp goes
with the first write after that time. What arrives still later than that may come to life again.

What must hold
--------------
- A write here has a greater stamp than all that it writes over. Where conflicts are to be told
  (`conflict-resolve-writes`) it is refused instead when what came from elsewhere is later: clocks
  differ.
- The time in a record's index entry (its last-update-time) is always of this node's clock; only
  stamps travel.
- A write of this data center has the time of its record's last update, or a later one if it had to
  be put above another. So what changed since a moment is found by either.

Rejected: vector clocks (they tell that two writes were concurrent, and then somebody must choose
anyway); times in the index entry (64 bytes, all taken); a stamp for the whole record (two writers
of different bins would lose one of them); block entries by position instead of by name (7 bytes a
bin, but deleted bins and shipments of some bins would need a second form).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from attrs import frozen

from asd.records.record import BIN_TIMES, XDR_WRITE, Bins, bin_times
from cluster.consistency.stamp import time_of
from storage.engine import Record

CAME: Final = 1 << 63
"""The bit of what came by shipping."""
_ORDER: Final = CAME - 1
_SOURCE_BITS: Final = 8
_COUNT_BITS: Final = 15
_COUNTS: Final = (1 << _COUNT_BITS) - 1
_TIME_AT: Final = _SOURCE_BITS + _COUNT_BITS
_HEAD: Final = struct.Struct(">QQ")
_ENTRY: Final = struct.Struct(">QB")


class Lost(Exception):
    """A write of this data center is earlier than what came from another one."""


@frozen
class Rules:
    """How a namespace treats its bins' times."""

    source: int
    """This data center's src-id."""
    merges: bool
    """What is shipped here is merged, bin by bin."""
    refuses: bool
    """Writes of clients are refused that are earlier than what came from elsewhere, and those that
    replace whole records (`conflict-resolve-writes`)."""


class BinTimes(NamedTuple):
    """The stamps of a record."""

    floor: int
    rest: int
    """Of the bins that are there and are not named."""
    named: Mapping[bytes, int]
    """Of others, and of those that were deleted."""

    def of(self, name: bytes, bins: Collection[bytes]) -> int:
        """The stamp of a bin; `bins` are those that are there."""
        stamp = self.named.get(name)
        if stamp is None:
            stamp = self.rest if name in bins else self.floor
        return stamp

    def stamps(self, bins: Iterable[bytes]) -> list[int]:
        """All of them, where these bins are there."""
        named, floor = self.named, (self.floor,) if self.floor else ()
        rest = (self.rest for name in bins if name not in named)
        return [*floor, *named.values(), *rest]


NEVER: Final = BinTimes(0, 0, {})
"""Those of what was never there."""


# ------------------------------------------------------------------------- stamps


def stamp(time_ms: int, source: int, count: int = 0) -> int:
    """The stamp of a write of this data center."""
    return (time_ms << _SOURCE_BITS | source) << _COUNT_BITS | count


def order(stamp: int) -> int:
    """A stamp as it is compared."""
    return stamp & _ORDER


def stamp_ms(stamp: int) -> int:
    """When that was."""
    return (stamp & _ORDER) >> _TIME_AT


def after(held: int, time_ms: int, source: int) -> int:
    """The stamp of a write at this time over one with the stamp `held`."""
    new, before = stamp(time_ms, source), order(held)
    if new > before:
        return new
    if before >> _COUNT_BITS & 0xFF == source and before & _COUNTS < _COUNTS:
        return before + 1
    return stamp((before >> _TIME_AT) + 1, source)


def just_below(stamp: int) -> int:
    """The floor under a write that replaces a record."""
    return stamp & CAME | max(0, order(stamp) - 1)


# ---------------------------------------------------------------- at rest, and sent


def pack(times: BinTimes) -> bytes:
    """As bytes, in a record's payload as well as in a request."""
    parts = [_HEAD.pack(times.floor, times.rest)]
    for name, each in times.named.items():
        parts.append(_ENTRY.pack(each, len(name)))
        parts.append(name)
    return b"".join(parts)


def unpack(block: bytes) -> BinTimes:
    """Raises struct.error, ValueError for what is no such block."""
    floor, rest = _HEAD.unpack_from(block)
    named, at = {}, _HEAD.size
    while at < len(block):
        each, size = _ENTRY.unpack_from(block, at)
        end = at + _ENTRY.size + size
        if end > len(block):
            raise ValueError("a name is cut off")
        named[block[at + _ENTRY.size : end]] = each
        at = end
    return BinTimes(floor, rest, named)


def times_of(record: Record, source: int) -> BinTimes:
    """Those of a record as it is stored; `source`: this data center's src-id."""
    _, _, updated_ms, _, flags, payload = record
    if flags & BIN_TIMES:
        return unpack(bin_times(payload, flags))
    return BinTimes(0, told_by(updated_ms, flags, source), {})


def told_by(updated_ms: int, flags: int, source: int) -> int:
    """The stamp that a record's own time and flags tell: of all its bins, or, of an engine's
    tombstone, of the floor that it is."""
    time_ms = time_of(updated_ms)
    return stamp(time_ms, 0) | CAME if flags & XDR_WRITE else stamp(time_ms, source)


def is_told(times: BinTimes, bins: Collection[bytes], time_ms: int, source: int) -> bool:
    """Do the record's own time and flags tell as much?"""
    own = stamp(time_ms, source)
    if times.floor or not bins or any(name not in bins for name in times.named):
        return False
    return all(each == own for each in times.stamps(bins))


def tidied(times: BinTimes, bins: Collection[bytes], since_ms: int = 0) -> BinTimes:
    """The same, said shortest, and without what was deleted before `since_ms`."""
    floor = times.floor if stamp_ms(times.floor) >= since_ms else 0
    rest = max((times.of(name, bins) for name in bins), key=order, default=0)
    named = {name: each for name in bins if (each := times.of(name, bins)) != rest}
    named |= {
        name: each
        for name, each in times.named.items()
        if name not in bins and order(each) > order(floor) and stamp_ms(each) >= since_ms
    }
    return BinTimes(floor, rest, named)


# ------------------------------------------------------------------------ changes


def changed(
    held: BinTimes,
    old: Bins,
    new: Bins,
    written: Collection[bytes],
    time_ms: int,
    rules: Rules,
    *,
    replaces: bool = False,
    came: bool = False,
) -> BinTimes:
    """The times after a write on a record, which made the bins `new` of `old`; `written` are bins
    that it wrote, changed or not. `replaces`: nothing that was there before is left, of bins that
    are not known here either. `came`: it came by shipping, with no times of its own. Raises
    Lost."""
    touched = {name for name in (*old, *new) if name in written or old.get(name) != new.get(name)}
    if replaces:
        touched |= {*old, *new, *held.named}
    own = 0
    if touched or replaces:
        over = max([held.floor, *(held.of(name, old) for name in touched)], key=order)
        own = after(over, time_ms, rules.source)
        if rules.refuses and over & CAME and not came and own != stamp(time_ms, rules.source):
            raise Lost
        own |= CAME if came else 0
    if replaces:
        return BinTimes(just_below(own) if new else own, own, {})
    names = dict.fromkeys((*held.named, *old, *new))
    return BinTimes(
        held.floor,
        own,
        {name: own if name in touched else held.of(name, old) for name in names},
    )


def merge(
    held: BinTimes, old: Bins, sent: BinTimes, bins: Bins, *, exact: bool = True
) -> tuple[BinTimes, Bins] | None:
    """What a record comes to by a shipment; None when nothing of that is newer. `exact`: its
    stamps are those of the writes. Else equal ones may be of a later write, and it goes over."""
    floor = max(held.floor, sent.floor, key=order)
    named: dict[bytes, int] = {}
    merged: Bins = {}
    news = order(sent.floor) > order(held.floor)
    for name in dict.fromkeys((*old, *bins, *held.named, *sent.named)):
        mine, theirs = held.of(name, old), sent.of(name, bins)
        value, other = old.get(name), bins.get(name)
        ahead = order(theirs) - order(mine)
        if ahead > 0 or (not ahead and value != other and _gives_way(value, other, exact=exact)):
            mine, value, news = theirs, other, True
        if order(mine) > order(floor):
            named[name] = mine
            if value is not None:
                merged[name] = value
    return (BinTimes(floor, 0, named), merged) if news else None


def _gives_way(value: object, other: object, *, exact: bool) -> bool:
    """Of two writes with one stamp: does ours go? Nothing stays, else the greater bytes."""
    if not exact:
        return True
    if value is None or other is None:
        return other is None
    return bool(other > value)  # type: ignore[operator]  # particles are tuples
