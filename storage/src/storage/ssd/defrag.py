"""Emptying sparse write blocks, in steps small enough for the thread that answers requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google_crc32c import extend

from storage.engine import DeviceOverload, OutOfSpace
from storage.index import PLACE, PLACE_AT
from storage.ssd.layout import (
    CHECK,
    DIGEST_AT,
    DIGEST_END,
    HEAD,
    RECORD_HEADER,
    RECORD_MAGIC,
    is_record,
    place_size,
    walk,
)
from storage.ssd.log import WAITING, DeviceLog

if TYPE_CHECKING:
    from storage.ssd.engine import SsdEngine

PACE: Final = 1.5
"""Bytes gone through per byte of garbage: blocks wait until about two thirds of them are garbage,
and little lives in them that has to be moved."""
PACE_BEHIND: Final = 4.0
"""The same where there is little room, or more garbage than promised: keeps up with blocks half
full."""
LEAST_DEBT: Final = 16 << 10
"""Bytes of debt before a step is taken: reads are few and long."""
WINDOW: Final = 32 << 10
"""Bytes read at a time, more for a longer record."""
PREFETCH_BLOCKS: Final = 2
"""Sparse blocks that a sync reads, so that a step finds them in the page cache."""

_head = HEAD.unpack_from
_place_at = PLACE.unpack_from


def step(engine: SsdEngine) -> None:
    """Go through one window of the sparse block at hand on each device, moving what lives."""
    done = 0
    waiting = False
    for number, device in enumerate(engine.logs):
        block = device.emptying
        if block is None and _may_begin(engine, device):
            block = device.next_sparse()
        if block is not None:
            waiting = True
            done += _step(engine, number, device, block)
            if device.emptying is None and engine.tuning.defrag_sleep_us:
                device.emptied_us = engine.tuning.clock.monotonic_us()
    behind = any(device.behind or device.short_of_room for device in engine.logs)
    engine.pace = PACE_BEHIND if behind else PACE
    # What would block is tried again when there is more to be gained by it.
    engine.debt = engine.debt - max(done, engine.least_debt) if waiting else 0


def _may_begin(engine: SsdEngine, device: DeviceLog) -> bool:
    """Is it time for the next sparse block? Always, when there is no other room."""
    tuning = engine.tuning
    if device.crowded:
        return True
    may_wait = max(tuning.defrag_queue_min, 0 if device.short_of_room else WAITING)
    if device.sparse_count <= may_wait:
        return False
    if not tuning.defrag_sleep_us or device.emptied_us is None:
        return True
    return tuning.clock.monotonic_us() - device.emptied_us >= tuning.defrag_sleep_us


def prefetch(device: DeviceLog) -> None:
    """Bring the next sparse blocks into the page cache. Runs on the thread that syncs."""
    numbers = device.sparse_blocks()[:PREFETCH_BLOCKS]
    if device.emptying is not None:
        numbers.insert(0, device.emptying)
    kept = {}
    for number in numbers:
        if number not in device.memory:
            start, seed = device.position(number), device.seeds[number]
            known = device.prefetched.get(number)
            if known is not None and known[0] == seed:
                kept[number] = known
                continue
            try:
                data = device.device.pread(start, device.header.block_size)
            except OSError:
                continue  # found out, and reported, when the block's turn comes
            in_cache = device.device.pread_nowait(start, len(data)) is not None
            kept[number] = seed, b"" if in_cache else data
    device.prefetched = kept


def _step(engine: SsdEngine, number: int, device: DeviceLog, block: int) -> int:
    """The bytes gone through; 0 when nothing can be done that does not block."""
    begin = device.cursor
    window = _window(engine, device, block, begin, WINDOW)
    if window is None:
        return 0
    first = (block * len(engine.logs) + number) * device.block_size + begin
    at = 0
    while device.emptying == block and at + RECORD_HEADER <= len(window):
        magic, _, stored = _head(window, at)
        place = place_size(stored)
        if at + place > len(window):
            if at:
                break  # the next window begins with it
            longer = _window(engine, device, block, begin, place)
            if longer is None:
                return 0
            window = longer
        slot = _lives(engine, window, at, engine.location(first + at, place))
        # Of what is dead only the length counts; if that is wrong, what follows is no record.
        whole = magic == RECORD_MAGIC and at + place <= len(window)
        if slot and block not in device.memory:  # what was never out of memory is as it should be
            whole = whole and is_record(window, at, device.seeds[block])
        if not whole:
            _skip(engine, device, block, begin + at)
            break
        if slot and not _move(engine, number, device, block, slot, window[at : at + place], stored):
            break
        at += place
        device.cursor = begin + at
    if device.emptying == block and at + RECORD_HEADER > len(window) < WINDOW:
        _leave(engine, device, block, begin + at)
    return at


def _lives(engine: SsdEngine, window: bytes, at: int, location: int) -> int:
    """The slot of the record in the window, if its location is this one; otherwise 0."""
    digest = window[at + DIGEST_AT : at + DIGEST_END]
    index = engine.index
    slot = index.find(digest)
    if slot and _place_at(index.arena, (slot << 6) + PLACE_AT)[0] == location:
        return slot
    return 0


def _window(
    engine: SsdEngine, device: DeviceLog, block: int, begin: int, size: int
) -> bytes | None:
    size = min(size, device.header.block_size - begin)
    kept = device.memory.get(block)
    if kept is not None:
        return kept.data[begin : begin + size]
    seed, data = device.prefetched.get(block, (None, b""))
    if data and seed == device.seeds[block]:
        return data[begin : begin + size]
    start = device.position(block) + begin
    try:
        if engine.reader.blocking:
            return device.device.pread(start, size)
        window = device.read_nowait(start, size)
    except OSError:
        _leave(engine, device, block, begin)
        return None
    if window is None:
        device.prefetched.pop(block, None)  # the page cache has let it go: to be read again
    return window


def _skip(engine: SsdEngine, device: DeviceLog, block: int, at: int) -> None:
    """Go on behind what is no record: damage, or what a crash left unwritten."""
    rest = _window(engine, device, block, at, device.header.block_size)
    if rest is None:
        return
    following = walk(rest, device.seeds[block], 0).places
    if following:
        device.cursor = at + following[0]
    else:
        _leave(engine, device, block, at)


def _leave(engine: SsdEngine, device: DeviceLog, block: int, at: int) -> None:
    """A record that lives in the block cannot be read: its place stays taken."""
    device.emptying = None
    engine.reader.damage(device, block, at, "what lives here cannot be read; the block stays")


def _move(
    engine: SsdEngine,
    number: int,
    device: DeviceLog,
    block: int,
    slot: int,
    record: bytes,
    stored: int,
) -> bool:
    """Move a living record to the head; False when there is no room for it."""
    place = len(record)
    target = device.head
    if target is None or target.end + place > device.room_end:
        try:
            target = device.place(place, reserve=0)
        except (OutOfSpace, DeviceOverload):
            return False
    start = target.end
    body = record[CHECK.size :]
    check = CHECK.pack(
        RECORD_MAGIC, extend(target.seed, body[: RECORD_HEADER - CHECK.size + stored])
    )
    target.data[start : start + place] = check + body
    target.end = start + place
    device.used[target.number] += place
    engine.index.relocate(slot, engine.location((target.first_unit << 4) + start, place))
    device.release(block, place)
    engine.moved += 1
    return True
