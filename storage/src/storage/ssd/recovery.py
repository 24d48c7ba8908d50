"""How an ssd store starts: new, warm from the index of a clean shutdown, or cold by a scan."""

from __future__ import annotations

import logging
from array import array
from collections import deque
from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.device import Device
from storage.engine import StorageError
from storage.index_builder import IndexBuilder
from storage.index_file import load_index, save_index
from storage.metadata import Table, unpack_table
from storage.ssd.layout import (
    BLOCK_HEADER,
    NAMES_START,
    POSITION_MASK,
    UNITS_AT,
    BlockContents,
    DeviceHeader,
    walk,
)
from storage.ssd.log import DeviceLog, read_header
from storage.ssd.salvage import sequence_of

if TYPE_CHECKING:
    from storage.ssd.engine import Progress, SsdEngine

log = logging.getLogger("storage.ssd")

_STATE: Final = Struct("<Q")  # stamp
_LOG_STATE: Final = Struct("<II")  # blocks, free ones
_IDENTITY: Final = Struct("<16sQI")  # store id, opens, devices
_COPIED: Final = ((0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (7, 7))
"""Which 8-byte number of an index entry is which of a record's header: the front, and the stamp."""
_PAGE: Final = 4096
READ_AHEAD: Final = 2
"""Blocks of each device on their way into memory while one is gone through."""


class Geometry(NamedTuple):
    """The sizes a store is used with; those of its first start are in its headers."""

    block_size: int
    names_size: int
    size: int | None
    cache_bytes: int
    defrag_lwm_pct: int


def open_store(engine: SsdEngine, progress: Progress | None) -> None:
    """Fill in an engine's logs, index, names and stamp. Raises OSError, StorageError."""
    devices = [engine.disk.open(path, create=True) for path in engine.paths]
    headers = engine.payloads.use_keys(_headers(engine, devices))
    first = headers[0]
    engine.geometry = engine.geometry._replace(
        block_size=first.block_size, names_size=first.names_size
    )
    for device in devices:
        _resize_to_blocks(device, first)
    engine.logs = [engine.make_log(*pair) for pair in zip(devices, headers, strict=True)]
    names = _names(devices[0], first)
    engine.names_update = names.update
    engine.metadata.room = first.names_size
    engine.metadata.restore(names)
    engine.stamp = 0
    engine.started_warm = _warm(engine)
    if not engine.started_warm:
        _cold(engine, progress)
    opens = max(header.opens for header in headers) + 1
    for opened in engine.logs:
        opened.write_header(opens, opened.header.first_sequence)
    if engine.disk.exists(engine.index_path):
        engine.disk.remove(engine.index_path)
    engine.stamp = max(engine.stamp, opens << 40)


def save_store(engine: SsdEngine) -> None:
    """Leave the index for a warm start. Everything is on the medium already."""
    parts = [_STATE.pack(engine.stamp)]
    for device in engine.logs:
        parts.append(_LOG_STATE.pack(len(device.used), len(device.free)))
        parts += [row.tobytes() for row in (device.used, device.seeds, array("I", device.free))]
    if engine.disk.exists(engine.index_path):
        engine.disk.remove(engine.index_path)
    file = engine.disk.open(engine.index_path, create=True)
    try:
        save_index(file, engine.index, _identity(engine), b"".join(parts))
    finally:
        file.close()


# Devices


def _headers(engine: SsdEngine, devices: list[Device]) -> list[DeviceHeader]:
    """The devices' headers, made where all is new."""
    found = [read_header(device) for device in devices]
    known = [header for header in found if header is not None]
    store_id = known[0].store_id if known else engine.disk.unique_id()
    begun = any(header.opens for header in known)
    headers = []
    for number, (path, device, header) in enumerate(zip(engine.paths, devices, found, strict=True)):
        if header is None:
            if begun or any(device.pread(0, NAMES_START)):
                raise StorageError(f"{path} is not a device of this store")
            header = _make_header(engine, device, number, store_id)
        if (header.store_id, header.number, header.devices) != (store_id, number, len(devices)):
            raise StorageError(
                f"{path} is device {header.number + 1} of {header.devices} of a store,"
                f" not {number + 1} of {len(devices)} of this one"
            )
        headers.append(header)
    return headers


def _make_header(engine: SsdEngine, device: Device, number: int, store_id: bytes) -> DeviceHeader:
    geometry = engine.geometry
    device_id = engine.disk.unique_id()
    sizes = geometry.block_size, geometry.names_size
    key_bytes, wrapped = engine.payloads.new_key()
    header = DeviceHeader(
        device_id, store_id, number, len(engine.paths), *sizes, key_bytes, 0, 0, 0, wrapped
    )
    if device.size() < header.data_start:
        device.resize(header.data_start)
    device.pwrite(0, header.pack())
    device.fdatasync()
    return header


def _resize_to_blocks(device: Device, header: DeviceHeader) -> None:
    """Make a device end with a block: of one that was cut off, what is left may hold records."""
    whole, rest = divmod(device.size() - header.data_start, header.block_size)
    if whole < 0 or not rest:
        return
    begin = header.data_start + whole * header.block_size
    if any(device.pread(begin, BLOCK_HEADER)):
        try:
            device.resize(begin + header.block_size)
        except OSError as error:  # a raw device, or no room
            log.error("block %d, which is cut off, is given up: %s", whole, error)
        else:
            return
    device.resize(begin)


def _names(device: Device, header: DeviceHeader) -> Table:
    size = header.names_size
    copies = (device.pread(NAMES_START + size * n, size) for n in (0, 1))
    return max(map(unpack_table, copies), key=lambda table: table.update)


def _identity(engine: SsdEngine) -> bytes:
    header = engine.logs[0].header
    return _IDENTITY.pack(header.store_id, header.opens, header.devices)


# Warm


def _warm(engine: SsdEngine) -> bool:
    """Take the index a clean shutdown has left; False when there is none to be trusted."""
    if not engine.disk.exists(engine.index_path):
        return False
    if len({device.header.opens for device in engine.logs}) > 1:
        return False
    file = engine.disk.open(engine.index_path, create=False)
    try:
        loaded = load_index(file, _identity(engine))
    finally:
        file.close()
    if loaded is None:
        return False
    index, state = loaded
    (stamp,) = _STATE.unpack_from(state)
    at = _STATE.size
    for device in engine.logs:
        blocks, free = _LOG_STATE.unpack_from(state, at)
        if blocks > len(device.used):
            return False
        at += _LOG_STATE.size
        rows = []
        for length in (blocks, blocks, free):
            rows.append(array("I", state[at : at + 4 * length]))
            at += 4 * length
        device.reset(len(device.used))
        device.used[:blocks], device.seeds[:blocks] = rows[0], rows[1]
        device.free = deque([*rows[2], *range(blocks, len(device.used))])
        device.find_sparse()
    engine.index.become(index)
    engine.stamp = stamp
    return True


# Cold


def _cold(engine: SsdEngine, progress: Progress | None) -> None:
    """Read every block and keep the newest copy of each record.

    The devices are read side by side: each is told some blocks ahead what will be wanted of it.
    """
    engine.index.clear()
    builder = IndexBuilder(engine.index)
    for device in engine.logs:
        device.reset(len(device.used))
    counts = [len(device.used) for device in engine.logs]
    turns = range(max(counts))
    order = [(n, block) for block in turns for n, count in enumerate(counts) if block < count]
    ahead = READ_AHEAD * len(engine.logs)
    for done in range(-ahead, len(order)):
        if done + ahead < len(order):
            number, block = order[done + ahead]
            device = engine.logs[number]
            device.device.will_read(device.position(block), device.header.block_size)
        if done >= 0:
            _scan_block(engine, *order[done], builder)
            if progress is not None:
                progress(done + 1, len(order), builder.count)
    builder.finish()
    engine.stamp = builder.stamp
    _account_blocks(engine, builder.superseded)


def _scan_block(engine: SsdEngine, number: int, block: int, builder: IndexBuilder) -> None:
    device = engine.logs[number]
    header = device.header
    data = read_block(device, block)
    sequence = sequence_of(data, block, header)
    if sequence is None or sequence < header.first_sequence:
        return
    seed = device.seeds[block] = header.seed(sequence, block)
    contents = walk(data, seed)
    for begin, end in contents.holes:
        engine.reader.damage(device, block, begin, f"{end - begin} bytes are no records")
    position = (block * len(engine.logs) + number) * header.block_size
    builder.add(index_entries(contents, position))
    holes = sum(end - begin for begin, end in contents.holes)
    device.used[block] = contents.end - BLOCK_HEADER - holes


def read_block(device: DeviceLog, block: int) -> bytes:
    """A block's bytes; pages that cannot be read are zero."""
    start, size = device.position(block), device.header.block_size
    try:
        return device.device.pread(start, size)
    except OSError as error:
        log.error("block %d cannot be read whole: %s", block, error)
    pages = []
    for offset in range(0, size, _PAGE):
        try:
            page = device.device.pread(start + offset, min(_PAGE, size - offset))
        except OSError:
            page = b""
        pages.append(page.ljust(min(_PAGE, size - offset), b"\0"))
    return b"".join(pages)


def index_entries(contents: BlockContents, position: int) -> bytearray:
    """What `IndexBuilder.add` takes, of the records of the block at `position`.

    A record's header is as long as an index entry and much like one: they are made of one another
    a column of 8-byte numbers at a time.
    """
    headers = b"".join(contents.headers)
    entries = bytearray(len(headers))
    with (
        memoryview(headers) as old,
        memoryview(entries) as new,
        old.cast("Q") as old_longs,
        new.cast("Q") as longs,
        old.cast("I") as old_words,
        new.cast("I") as words,
    ):
        for column, source in _COPIED:
            longs[column::8] = old_longs[source::8]
        rows = zip(contents.places, old_words[2::16].tolist(), strict=True)
        base = position >> 4
        locations = [base + (at >> 4) + (size + 79 >> 4 << UNITS_AT) for at, size in rows]
        longs[5::8] = array("Q", locations)
        words[12::16] = old_words[3::16]
    return entries


def _account_blocks(engine: SsdEngine, superseded: Iterable[int]) -> None:
    """Take the places of superseded copies out of what the blocks hold."""
    logs = engine.logs
    count, units = len(logs), engine.geometry.block_size >> 4
    for location in superseded:
        number, owner = divmod((location & POSITION_MASK) // units, count)
        logs[owner].used[number] -= location >> UNITS_AT << 4
    for device in logs:
        device.free = deque(number for number, size in enumerate(device.used) if not size)
        device.find_sparse()
