"""What of a record goes where times of bins decide it: the bins that have changed, and the times.

A bin that was written here has the time of that write, so what was written since a moment is found
by it. One that came from elsewhere (it goes only with `forward`) has the time it was written there,
which says nothing of when it came: it always goes. The other side takes what is newer.

    only-changed            bins that have changed, less ignore-bin
    changed-and-specified   those of them that are in ship-bin
    changed-or-specified    those, and all in ship-bin
    all the others          as without times, whatever has changed
"""

from __future__ import annotations

from typing import Final, NamedTuple

from asd.bins.particle import NULL, Particle
from asd.records.bin_times import (
    CAME,
    BinTimes,
    order,
    pack,
    stamp_ms,
    tidied,
    times_of,
    told_by,
)
from asd.records.record import BIN_TIMES, unpack_bins
from asd.shipping.selection import Selection
from storage.engine import Record

_NOTHING: Final = NULL


class Chosen(NamedTuple):
    """What goes of a record."""

    bins: list[tuple[bytes, Particle]]
    """Names and values; NULL for one that was deleted."""
    times: bytes
    """Packed (`asd.records.bin_times`); empty where they do not go along."""


def changed_bins(selection: Selection, record: Record, since_ms: int, source: int) -> Chosen | None:
    """What goes of a record that is there and has changed since then; None: nothing. `source`:
    this data center's src-id."""
    times, bins = times_of(record, source), unpack_bins(record[5])
    floor = _floor(times, forward=selection.forward)
    chosen: list[tuple[bytes, Particle]] = []
    sent: dict[bytes, int] = {}
    news = bool(floor) and selection.tells_times and _goes(selection, floor, since_ms)
    for name in dict.fromkeys((*bins, *times.named)):
        stamp = times.of(name, bins)
        has_changed = _goes(selection, stamp, since_ms)
        if not has_changed and name not in selection.always:
            continue
        if selection.bins is not None and not selection.bins(name):
            continue
        news = news or has_changed
        sent[name] = stamp
        if name in bins or not selection.replaces:
            chosen.append((name, bins.get(name, _NOTHING)))
    if not news:
        return None
    if not selection.tells_times:
        return Chosen(chosen, b"") if chosen else None
    there = [name for name in sent if name in bins]
    return Chosen(chosen, pack(tidied(BinTimes(floor, 0, sent), there)))


def _goes(selection: Selection, stamp: int, since_ms: int) -> bool:
    if stamp & CAME:
        return selection.forward
    return not selection.by_time or stamp_ms(stamp) >= since_ms


def deleted_times(selection: Selection, record: Record, source: int) -> bytes:
    """The times that go along with a delete; `record` is a tombstone or a cemetery."""
    if not record[4] & BIN_TIMES:
        return pack(BinTimes(told_by(record[2], record[4], source), 0, {}))
    times = times_of(record, source)
    forward = selection.forward
    named = {name: each for name, each in times.named.items() if forward or not each & CAME}
    return pack(BinTimes(_floor(times, forward=forward), 0, named))


def _floor(times: BinTimes, *, forward: bool) -> int:
    return times.floor if forward or order(times.floor) == times.floor else 0
