"""A disk in memory that fails on order, and the states a crash can leave it in.

The fault model, which is what engines are built against:

- A write is on the medium once an `fdatasync` of its device that began after it has returned.
- Of what was written since, each 512-byte sector by itself is, after a crash, as before the write
  or as after it; when several unsynced writes cover a sector, as any of them left it. So writes
  may be lost, torn and reordered, but only within the unsynced tail.
- A device made longer may, unsynced, still be as short as before.
- Besides, at any time: a write stops half way (`OSError`), the disk is full (`ENOSPC`), a read or
  a sync fails (`EIO`), bits turn over, a write lands in another place, and IO is slow.
"""

from __future__ import annotations

import errno
import mmap
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from storage import area
from storage.device import SECTOR


class Written(NamedTuple):
    """`data` was written to `path` at `offset`."""

    path: str
    offset: int
    data: bytes


class Resized(NamedTuple):
    """`path` became `size` bytes long."""

    path: str
    size: int


class Synced(NamedTuple):
    """An fdatasync of `path` returned."""

    path: str


class Removed(NamedTuple):
    """`path` was taken away."""

    path: str


Event: TypeAlias = Written | Resized | Synced | Removed


class FaultyDisk:
    """Files in memory. Set the public attributes to make things go wrong.

    >>> disk = FaultyDisk()
    >>> device = disk.open("data", create=True)
    >>> device.pwrite(0, b"before")
    >>> device.fdatasync()
    >>> device.pwrite(0, b"after!")
    >>> from random import Random
    >>> chances = [Random(seed).random for seed in range(9)]
    >>> sorted({bytes(surviving_files(disk.trace, chance)["data"]) for chance in chances})
    [b'after!', b'before']
    """

    def __init__(self, files: dict[str, bytearray] | None = None) -> None:
        self.files: dict[str, bytearray] = {} if files is None else files
        """The bytes of each file, by path."""
        self.trace: list[Event] = []
        """What was done to the files, in order."""
        self.environment: dict[str, bytes] = {}
        """Variables of the environment."""
        self.capacity_bytes: int | None = None
        """What all files together may take; None = no limit."""
        self.dead: set[str] = set()
        """Paths whose writes and syncs fail."""
        self.unreadable: set[str] = set()
        """Paths whose reads fail."""
        self.slow: set[str] = set()
        """Paths whose reads would block: `pread_nowait` finds nothing."""
        self.short_writes = 0
        """So many writes, from now on, stop half way with an error."""
        self.misdirected_by = 0
        """The next write lands so many bytes further on, once."""
        self.on_io: Callable[[str, str], None] = _nothing
        """Called with (operation, path) before each operation: may take its time, or raise."""
        self._ids = 0

    def open(self, path: str, create: bool) -> FaultyDevice:
        """The file at a path. Raises FileNotFoundError unless `create`."""
        if path not in self.files:
            if not create:
                raise FileNotFoundError(path)
            self.files[path] = bytearray()
            self.trace.append(Resized(path, 0))
            self.trace.append(Synced(path))
        return FaultyDevice(self, path)

    def exists(self, path: str) -> bool:
        """Is there a file at the path?"""
        return path in self.files

    def remove(self, path: str) -> None:
        """Take a file away."""
        if path not in self.files:
            raise FileNotFoundError(path)
        self.trace.append(Removed(path))
        del self.files[path]

    def unique_id(self) -> bytes:
        """1, 2, 3, ... in 16 bytes: the same in every run."""
        self._ids += 1
        return self._ids.to_bytes(16, "little")

    def variable(self, name: str) -> bytes | None:
        """A variable of `environment`."""
        return self.environment.get(name)

    def flip_bit(self, path: str, bit: int) -> None:
        """Turn over one bit of a file."""
        self.files[path][bit // 8] ^= 1 << bit % 8

    def require(self, more: int) -> None:
        """Raise ENOSPC unless the files may grow by so many bytes."""
        if self.capacity_bytes is not None:
            taken = sum(map(len, self.files.values()))
            if taken + more > self.capacity_bytes:
                raise OSError(errno.ENOSPC, "no space left on the faulty disk")


class FaultyDevice:
    """A file of a `FaultyDisk`."""

    def __init__(self, disk: FaultyDisk, path: str) -> None:
        self._disk = disk
        self._path = path
        self._bytes = disk.files[path]
        self._maps: list[tuple[int, mmap.mmap]] = []

    def size(self) -> int:
        """Bytes of the file."""
        return len(self._bytes)

    def capacity(self) -> int | None:
        """As a file: not known."""
        return None

    def resize(self, size: int) -> None:
        """Make the file so long. Raises OSError when it is dead or the disk full."""
        self._begin("resize")
        self._alive()
        self._disk.require(size - len(self._bytes))
        if size < len(self._bytes):
            del self._bytes[size:]
        else:
            self._bytes.extend(bytes(size - len(self._bytes)))
        self._disk.trace.append(Resized(self._path, size))

    def pread(self, offset: int, size: int) -> bytes:
        """The bytes there. Raises OSError when the file cannot be read."""
        self._begin("pread")
        if self._path in self._disk.unreadable:
            raise OSError(errno.EIO, "the faulty disk cannot read this")
        return bytes(self._bytes[offset : offset + size])

    def reader(self) -> Callable[[int, int], bytes]:
        """`pread`, its arguments the other way round."""
        return lambda size, offset: self.pread(offset, size)

    def nowait_reader(self) -> Callable[[int, int], bytes | None]:
        """`pread_nowait`."""
        return self.pread_nowait

    def pread_nowait(self, offset: int, size: int) -> bytes | None:
        """The bytes there, or None when the file is slow."""
        if self._path in self._disk.slow:
            return None
        data = self.pread(offset, size)
        return data if len(data) == size else None

    def will_read(self, offset: int, size: int) -> None:
        """Reads wait anyway."""

    def pwrite(self, offset: int, data: bytes | memoryview | mmap.mmap) -> None:
        """Write, all or half of it, here or elsewhere."""
        self._begin("pwrite")
        self._alive()
        whole = bytes(data)
        self._disk.require(max(0, offset + len(whole) - len(self._bytes)))
        offset += self._disk.misdirected_by
        self._disk.misdirected_by = 0
        if self._disk.short_writes:
            self._disk.short_writes -= 1
            self._write(offset, whole[: len(whole) // 2])
            raise OSError(errno.EIO, "the faulty disk stopped half way")
        self._write(offset, whole)

    def fdatasync(self) -> None:
        """Make everything written before last."""
        self._begin("fdatasync")
        self._alive()
        for offset, view in self._maps:
            self._write(offset, view[:])
        self._disk.trace.append(Synced(self._path))

    def map(self, offset: int, size: int, shared: bool) -> mmap.mmap:
        """A view of a part; what is written to a shared one is written out by `fdatasync`."""
        self._begin("map")
        view = area.allocate(size)
        part = self._bytes[offset : offset + size]
        view[: len(part)] = bytes(part)
        if shared:
            self._maps = [(at, old) for at, old in self._maps if at != offset]
            self._maps.append((offset, view))
        return view

    def close(self) -> None:
        """Write out what is mapped, and let go."""
        if self._path in self._disk.files:
            for offset, view in self._maps:
                self._write(offset, view[:])
        self._maps = []

    def _begin(self, operation: str) -> None:
        self._disk.on_io(operation, self._path)

    def _alive(self) -> None:
        if self._path in self._disk.dead:
            raise OSError(errno.EIO, "this device of the faulty disk is dead")

    def _write(self, offset: int, data: bytes) -> None:
        if len(self._bytes) < offset:
            self._bytes.extend(bytes(offset - len(self._bytes)))
        self._bytes[offset : offset + len(data)] = data
        self._disk.trace.append(Written(self._path, offset, data))


class Unsynced(list[Event]):
    """A trace that ends where a crash can do nothing any more: what is synced goes into `durable`
    and is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.durable: dict[str, bytearray] = {}

    def append(self, event: Event) -> None:
        """Something was done to the files. O(events of the path that are not synced)."""
        if isinstance(event, Removed):
            self.durable.pop(event.path, None)
        elif not isinstance(event, Synced):
            super().append(event)
            return
        kept = []
        for done in self:
            if done.path != event.path:
                kept.append(done)
            elif not isinstance(event, Removed) and isinstance(done, Written | Resized):
                _apply(self.durable.setdefault(event.path, bytearray()), done)
        self[:] = kept


class LastingDisk(FaultyDisk):
    """A faulty disk for machines that run for long and lose power now and then.

    >>> disk = LastingDisk()
    >>> device = disk.open("data", create=True)
    >>> device.pwrite(0, b"before")
    >>> device.fdatasync()
    >>> device.pwrite(0, b"after!")
    >>> disk.lose_power(lambda: 0.0)
    >>> bytes(disk.files["data"])
    b'before'
    """

    def __init__(self) -> None:
        super().__init__()
        self._unsynced = Unsynced()
        self.trace = self._unsynced
        self._devices: list[FaultyDevice] = []

    def open(self, path: str, create: bool) -> FaultyDevice:
        """The file at a path. Raises FileNotFoundError unless `create`."""
        device = super().open(path, create)
        self._devices.append(device)
        return device

    def end_process(self) -> None:
        """The process that had opened files is gone: what it wrote to mapped ones stays, unsynced.
        Its devices are of no use any more."""
        for device in self._devices:
            device.close()
        self._devices.clear()

    def heal(self) -> None:
        """Take back whatever is set to go wrong."""
        self.capacity_bytes = None
        for paths in (self.dead, self.unreadable, self.slow):
            paths.clear()
        self.short_writes = self.misdirected_by = 0

    def lose_power(self, chance: Callable[[], float]) -> None:
        """Take on a state in which a loss of power may leave the disk. Devices that are open are of
        no use any more. `chance` as for `surviving_files`."""
        durable = self._unsynced.durable
        self.files = surviving_files(list(self._unsynced), chance, durable)
        self._unsynced = self.trace = Unsynced()
        self._devices.clear()
        self._unsynced.durable = {path: bytearray(data) for path, data in self.files.items()}


def surviving_files(
    trace: list[Event], chance: Callable[[], float], before: dict[str, bytearray] | None = None
) -> dict[str, bytearray]:
    """One state, drawn at random, in which a crash at the end of the trace may leave the disk.

    `chance` gives random numbers from 0 to below 1, `random.Random(seed).random` say; `before` is
    what the files were when the trace began. O(bytes written).
    """
    files = {path: bytearray(data) for path, data in (before or {}).items()}
    unsynced: defaultdict[str, list[Written | Resized]] = defaultdict(list)
    for event in trace:
        if isinstance(event, Synced):
            for done in unsynced.pop(event.path, ()):
                _apply(files.setdefault(event.path, bytearray()), done)
        elif isinstance(event, Removed):
            unsynced.pop(event.path, None)
            files.pop(event.path, None)
        else:
            unsynced[event.path].append(event)
    for path, tail in unsynced.items():
        _apply_some(files.setdefault(path, bytearray()), tail, chance)
    return files


def _apply(data: bytearray, event: Written | Resized) -> None:
    if isinstance(event, Resized):
        _set_size(data, event.size)
        return
    if len(data) < event.offset:
        _set_size(data, event.offset)
    data[event.offset : event.offset + len(event.data)] = event.data


def _apply_some(
    data: bytearray, tail: list[Written | Resized], chance: Callable[[], float]
) -> None:
    """Lose, tear and reorder the unsynced writes: all of them, none, or sectors at random."""
    likely = (0.0, 0.1, 0.5, 0.9, 1.0)[int(chance() * 5)]
    image = bytearray(data)
    survivors: dict[int, bytes] = {}
    for event in tail:
        _apply(image, event)
        if isinstance(event, Resized):
            if chance() < likely:
                _set_size(data, event.size)
            continue
        whole = chance() < 0.5
        kept = chance() < likely
        first = event.offset // SECTOR
        for sector in range(first, (event.offset + len(event.data) - 1) // SECTOR + 1):
            if kept if whole else chance() < likely:
                start = sector * SECTOR
                survivors[sector] = bytes(image[start : start + SECTOR])
    for sector, content in sorted(survivors.items()):
        start = sector * SECTOR
        if len(data) < start:
            _set_size(data, start)
        data[start : start + len(content)] = content


def _set_size(data: bytearray, size: int) -> None:
    if size < len(data):
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def _nothing(operation: str, path: str) -> None:
    """The usual `on_io`."""
