"""One device of an ssd store: a log of write blocks, what of it is free, what is not yet written.

Two threads use a log: the store's owner, and whoever runs `SsdEngine.sync`. The owner alone makes
places, releases them and takes free blocks; writing out is done by one at a time, holding the
store's mutex. What both touch are a block's `end` (advanced behind bytes that are complete), its
`claimed` (under the block's own mutex) and deques, whose ends are moved atomically.
"""

from __future__ import annotations

import mmap
from array import array
from collections import deque
from collections.abc import Callable
from typing import Final

from google_crc32c import extend

from citrusleaf.cf_hooks import new_mutex
from storage import area
from storage.device import Device
from storage.engine import DeviceOverload, OutOfSpace
from storage.ssd.layout import (
    BLOCK_HEADER,
    CHANGE_AT,
    CHECK,
    CRC,
    CRC_AT,
    END_SIZE,
    HEAD,
    HEADER_COPY,
    RECORD_HEADER,
    DeviceHeader,
    pack_block_header,
    pack_end,
)
from storage.ssd.read_cache import ReadCache
from storage.ssd.tuning import Tuning

GROW_BLOCKS: Final = (4, 16)
"""Least and most blocks a device is made longer by; between, a quarter of what it has."""
DEFRAG_RESERVE: Final = 2
"""Free blocks that only defragmentation may use, so that a full device can be made less full."""
WAITING: Final = 4
"""Sparse blocks that wait where there is room: each update of a record that lives in one leaves
less to move, in the end nothing."""
LITTLE_ROOM: Final = 4
"""One of so many blocks left is little."""
MAX_QUEUE: Final = 8
"""Sealed blocks that may wait before the owner writes them itself, unless the tuning says more."""

READ_CACHE_SHARE: Final = 4
"""What is kept of reads takes one byte for so many of what is kept of writes."""

_head = HEAD.unpack_from
_pack_crc = CRC.pack_into


class WriteBlock:
    """A block in memory: being filled, waiting to be written, or kept because it was just written.

    `end` is behind the last record, `written` behind what the device has, `claimed` behind what it
    has or is about to be given: from there on a record may still give its place to another. Those
    that have are without their CRC until the block is proved: what is updated a hundred times
    before it is written needs one. `first_unit` is where the block begins in the store, as
    locations count.
    """

    __slots__ = (
        "_mutex",
        "_unproved",
        "claimed",
        "data",
        "end",
        "first_unit",
        "number",
        "seed",
        "written",
    )

    def __init__(
        self, number: int, first_unit: int, data: mmap.mmap, header: bytes, seed: int
    ) -> None:
        self.number = number
        self.first_unit = first_unit
        self.seed = seed
        self.data = data
        self.data[: len(header)] = header
        self.end = len(header)
        self.written = self.claimed = 0
        self._unproved: set[int] = set()  # where records begin whose CRC is an older version's
        self._mutex = new_mutex()

    def rewrite(self, at: int, change: bytes) -> bool:
        """Give a record `change`, a `layout.CHANGE` and a payload just as long as its own; False
        when it is claimed."""
        if at < self.claimed:
            return False
        with self._mutex:
            if at < self.claimed:
                return False
            start = at + CHANGE_AT
            self.data[start : start + len(change)] = change
            self._unproved.add(at)
        return True

    def claim(self, end: int) -> None:
        """Let nothing before `end` change any more. Called by whoever writes out."""
        with self._mutex:
            self._prove(end)
            self.claimed = end

    def prove(self) -> None:
        """Give every record its CRC."""
        if self._unproved:
            with self._mutex:
                self._prove(self.end)

    def _prove(self, end: int) -> None:
        data, seed = self.data, self.seed
        proved = {at for at in self._unproved if at < end}
        for at in proved:
            stored = _head(data, at)[2]
            body = data[at + CHECK.size : at + RECORD_HEADER + stored]
            _pack_crc(data, at + CRC_AT, extend(seed, body))
        self._unproved -= proved


class DeviceLog:
    """The log on one device. `make_free` is to make quarantined blocks free, by a sync."""

    __slots__ = (
        "_block_end",
        "_cache_blocks",
        "_ended_at",
        "_kept",
        "_make_free",
        "_max_blocks",
        "_queue",
        "_read_cache_bytes",
        "_sequence",
        "_spares",
        "_sparse",
        "_sparse_below",
        "_tuning",
        "_waiting",
        "behind",
        "block_size",
        "crowded",
        "cursor",
        "data_start",
        "defrag_reads",
        "device",
        "emptied_us",
        "emptying",
        "free",
        "head",
        "header",
        "memory",
        "prefetched",
        "quarantine",
        "read_cache",
        "read_nowait",
        "room_end",
        "seeds",
        "used",
        "writes",
    )

    def __init__(
        self,
        device: Device,
        header: DeviceHeader,
        *,
        max_bytes: int | None,
        cache_bytes: int,
        defrag_lwm_pct: int,
        make_free: Callable[[], None],
        tuning: Tuning,
    ) -> None:
        self.device = device
        self.read_nowait = device.nowait_reader()
        """The device's, for the engine's owner alone."""
        self.header = header
        self.data_start = header.data_start
        size = self.block_size = header.block_size
        self._cache_blocks = cache_bytes // size
        self._read_cache_bytes = cache_bytes // READ_CACHE_SHARE
        ends = [end for end in (max_bytes, device.capacity()) if end is not None]
        self._max_blocks = (min(ends) - header.data_start) // size if ends else None
        self._ended_at: int | None = None
        """Blocks there were when there was last no room for more."""
        self._make_free = make_free
        self._tuning = tuning
        self._block_end = size - END_SIZE
        self.room_end = 0
        """Records that end behind this, in the block being filled, need a call of `place`."""
        self.writes = 0
        """Sealed blocks written."""
        self.defrag_reads = 0
        """Sparse blocks that defragmentation began with."""
        self._sequence = header.opens << 32
        self.set_defrag_lwm_pct(defrag_lwm_pct)
        self.reset(max(0, device.size() - header.data_start) // size)

    def set_defrag_lwm_pct(self, percent: int) -> None:
        """Blocks used less than this are sparse; seen when something in them is released."""
        self._sparse_below = self.header.block_size * percent // 100

    def reset(self, blocks: int) -> None:
        """As a device of so many blocks that hold nothing."""
        self.used = array("I", bytes(4 * blocks))
        """By block: bytes of places not released."""
        self.seeds = array("I", bytes(4 * blocks))
        """By block: what the CRCs of its records begin with."""
        self.free: deque[int] = deque(range(blocks))
        """Blocks that may be written over; the first is used next."""
        self.quarantine: deque[int] = deque()
        """Blocks without live records, whose records' successors may not be on the medium yet."""
        self.memory: dict[int, WriteBlock] = {}
        """Blocks whose bytes are in memory, by number."""
        self.read_cache = ReadCache(
            self.read_nowait, self.data_start, self.block_size, self._read_cache_bytes
        )
        self.prefetched: dict[int, tuple[int, bytes]] = {}
        """Of blocks read because they are to be emptied soon: seed, and, where the page cache
        cannot be asked, bytes."""
        self.head: WriteBlock | None = None
        self._queue: deque[WriteBlock] = deque()
        self._kept: deque[WriteBlock] = deque()
        self._spares: deque[mmap.mmap] = deque(maxlen=MAX_QUEUE)  # whose pages are there already
        self._waiting = bytearray(blocks)
        self._sparse: deque[int] = deque()
        self.emptying: int | None = None
        """The block that defragmentation is at, and how far it has come in it."""
        self.cursor = 0
        self.emptied_us: int | None = None
        """When the last sparse block was done with, on the tuning's clock."""
        self.behind = False
        """When the last sparse block was begun with, the log was longer than `defrag_lwm_pct` lets
        it be, those not counted that may wait."""
        self.crowded = False
        """No block was free, but for those kept for defragmentation, when the last was taken."""

    # Places

    def place(self, size: int, reserve: int = DEFRAG_RESERVE) -> WriteBlock:
        """A block whose `end` is the beginning of `size` free bytes; advance it when they are set.

        Raises ValueError when no block is so long, OutOfSpace with at most `reserve` blocks free,
        DeviceOverload when too many wait to be written; the log is then unchanged.
        """
        head = self.head
        if head is not None and head.end + size <= self._block_end:
            if head.end + size > self.room_end:
                self._begin_unit(head.end + size)
            return head
        if size > self._block_end - BLOCK_HEADER:
            most = (self._block_end - BLOCK_HEADER - RECORD_HEADER) & ~15
            raise ValueError(f"a record of more than {most} bytes does not fit a write block")
        if head is not None:
            self._check_queue()
        number = self._take_free(reserve)
        self.seal()
        self._sequence += 1
        seed = self.header.seed(self._sequence, number)
        front = pack_block_header(number, self._sequence, self.header.device_id)
        self.seeds[number] = seed
        header = self.header
        first_unit = (number * header.devices + header.number) * (header.block_size >> 4)
        block = WriteBlock(number, first_unit, self._buffer(), front, seed)
        self.memory[number] = block
        self.head = block
        self._begin_unit(block.end + size)
        return block

    def _buffer(self) -> mmap.mmap:
        try:
            return self._spares.pop()
        except IndexError:
            return area.allocate(self.header.block_size)

    def _begin_unit(self, end: int) -> None:
        """Let records come up to the end of the flush unit that `end` is in; those before it are
        to be written."""
        unit = self._tuning.flush_size
        self.room_end = min(-(-end // unit) * unit, self._block_end)
        self._tuning.flush_due()

    def _check_queue(self) -> None:
        most = self._tuning.max_write_cache
        if most is not None and len(self._queue) >= max(1, most // self.header.block_size):
            raise DeviceOverload(f"{len(self._queue)} blocks wait to be written")

    def has_room(self, size: int) -> bool:
        """Would `place` find so many bytes?"""
        head = self.head
        if head is not None and head.end + size <= self._block_end:
            return True
        return len(self.free) > DEFRAG_RESERVE or self._grow() or bool(self.quarantine)

    @property
    def short_of_room(self) -> bool:
        """Little is left of what the device may take, free blocks included."""
        most = self._max_blocks or self._ended_at
        if most is None:
            return False
        left = len(self.free) + most - len(self.used) - DEFRAG_RESERVE
        return left < max(WAITING, most // LITTLE_ROOM)

    def release(self, number: int, size: int) -> None:
        """Take back a place in a block. O(1)."""
        used = self.used[number] = self.used[number] - size
        if self.head is not None and number == self.head.number:
            return
        if used == 0:
            if number == self.emptying:
                self.emptying = None
            self.quarantine.append(number)
        elif used < self._sparse_below:
            self._wait(number)

    def next_sparse(self) -> int | None:
        """The next block worth emptying, now `emptying`, if there is one. O(blocks)."""
        while self._sparse:
            number = self._sparse.popleft()
            self._waiting[number] = 0
            is_head = self.head is not None and number == self.head.number
            if not is_head and 0 < self.used[number] < self._sparse_below:
                self.emptying = number
                self.cursor = BLOCK_HEADER
                taken = len(self.used) - len(self.free) - len(self.quarantine)
                self.behind = self.used_bytes < self._sparse_below * (taken - WAITING)
                self.defrag_reads += 1
                return number
        return None

    def sparse_blocks(self) -> list[int]:
        """Blocks that wait to be emptied, the next first."""
        return list(self._sparse)

    @property
    def sparse_count(self) -> int:
        """How many blocks wait to be emptied. O(1)."""
        return len(self._sparse)

    def find_sparse(self) -> None:
        """Queue all sparse blocks, after `used` was set from outside. O(blocks)."""
        for number, used in enumerate(self.used):
            if 0 < used < self._sparse_below:
                self._wait(number)

    @property
    def used_bytes(self) -> int:
        """Bytes of all places not released. O(blocks)."""
        return sum(self.used)

    def position(self, number: int) -> int:
        """Where a block begins on the device."""
        return self.data_start + number * self.block_size

    def _wait(self, number: int) -> None:
        if not self._waiting[number] and number != self.emptying:
            self._waiting[number] = 1
            self._sparse.append(number)

    def _take_free(self, reserve: int) -> int:
        self.crowded = len(self.free) <= reserve and not self._grow()
        if self.crowded and self.quarantine:
            self._make_free()
        if len(self.free) <= reserve:
            raise OutOfSpace("the device is full")
        number = self.free.popleft()
        self.memory.pop(number, None)
        self.read_cache.forget(number)
        return number

    def _grow(self) -> bool:
        now = len(self.used)
        least, most = GROW_BLOCKS
        more = max(least, min(most, now // 4))
        if self._max_blocks is not None:
            more = min(more, self._max_blocks - now)
        if more <= 0:
            return False
        try:
            self.device.resize(self.position(now + more))
        except OSError:
            self._ended_at = now
            return False
        self._ended_at = None
        self.used.extend([0] * more)
        self.seeds.extend([0] * more)
        self._waiting.extend(bytes(more))
        self.free.extend(range(now, now + more))
        return True

    # Writing

    def seal(self) -> None:
        """End the block being filled; it will be written as a whole."""
        head = self.head
        if head is None:
            return
        head.data[head.end : head.end + END_SIZE] = pack_end(head.seed, head.end)
        head.end += END_SIZE
        self.head = None
        self._queue.append(head)
        used = self.used[head.number]
        if used == 0:
            self.quarantine.append(head.number)
        elif used < self._sparse_below:
            self._wait(head.number)

    @property
    def write_queue(self) -> int:
        """Sealed blocks that wait to be written."""
        return len(self._queue)

    def write_out(self, *, whole_units: bool = False) -> None:
        """Hand what was placed before this call to the device, of the block being filled only the
        `whole_units` if so asked. Raises OSError."""
        head = self.head
        if not self._queue:
            self._spares.clear()  # little is written
        for _ in range(len(self._queue)):
            block = self._queue[0]
            self._write(block, block.end)
            self._queue.popleft()
            self._kept.append(block)
            self.writes += 1
        if head is not None:
            end = head.end
            self._write(head, end - end % self._tuning.flush_size if whole_units else end)

    def forget_written(self) -> None:
        """Keep no more written blocks in memory than were asked for. Called by the owner."""
        for _ in range(len(self._kept) - self._cache_blocks):
            block = self._kept.popleft()
            self._spares.append(block.data)
            if self.memory.get(block.number) is block:
                del self.memory[block.number]

    def _write(self, block: WriteBlock, end: int) -> None:
        """Write up to `end`, in units that end at multiples of the flush size."""
        if end <= block.written:
            return
        unit = self._tuning.flush_size
        with memoryview(block.data) as view:
            while block.written < end:
                start = block.written
                stop = min(end, (start // unit + 1) * unit)
                block.claim(stop)  # a unit at a time: the owner may be waiting for the mutex
                with view[start:stop] as fresh:
                    self.device.pwrite(self.position(block.number) + start, fresh)
                block.written = stop

    # Header

    def write_header(self, opens: int, first_sequence: int) -> None:
        """Change the header, on the medium on return. Raises OSError."""
        header = self.header._replace(
            update=self.header.update + 1, opens=opens, first_sequence=first_sequence
        )
        self.device.pwrite(HEADER_COPY * (header.update % 2), header.pack())
        self.device.fdatasync()
        self.header = header
        self._sequence = max(self._sequence, header.opens << 32)

    def forget_everything(self) -> None:
        """Every block written up to now holds nothing, on the medium on return. Raises OSError."""
        self._sequence += 1
        sequence = self._sequence
        self.write_header(self.header.opens, sequence)
        self.reset(len(self.used))

    def _check(self) -> None:
        """Assert the invariants of the accounts. O(blocks)."""
        blocks = [*self.free, *self.quarantine]
        assert len(set(blocks)) == len(blocks)
        idle = set(blocks)
        for number, used in enumerate(self.used):
            if self.head is not None and number == self.head.number:
                assert number not in idle
            else:
                assert (used == 0) == (number in idle), (number, used)
            assert used <= self.header.block_size


def read_header(device: Device) -> DeviceHeader | None:
    """The newer of the two copies; None when neither is whole."""
    copies = [DeviceHeader.unpack(device.pread(at, 512)) for at in (0, HEADER_COPY)]
    return max(filter(None, copies), key=lambda header: header.update, default=None)
