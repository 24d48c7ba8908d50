"""Files and devices: the one place where storage touches the system.

A `Disk` opens `Device`s by path; engines are given one and know nothing else of the world. The real
one is `SystemDisk`; `storage.testing.FaultyDisk` stands in for it in tests and misbehaves on order.

What a device promises after a crash, and no more than that: what was written before an `fdatasync`
that returned is there. Of what was written later, each 512-byte sector by itself may be old or new.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

WINDOWS: Final = 1024
"""Sizes of reads that a file is ready for; full, it starts afresh."""

SECTOR: Final = 512
"""Bytes that are written whole or not at all."""

_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)
_HAS_ADVICE: Final = hasattr(os, "posix_fadvise")
_ALLOCATE_UNSUPPORTED: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


class Device(Protocol):
    """A row of bytes on a medium. Every method raises OSError when the medium fails."""

    def size(self) -> int:
        """Bytes there are."""

    def capacity(self) -> int | None:
        """Bytes it can have; None = as many as there is room for."""

    def resize(self, size: int) -> None:
        """Make it so long, the new bytes zero and their room reserved."""

    def pread(self, offset: int, size: int) -> bytes:
        """The bytes there; fewer only at the end. May block."""

    def reader(self) -> Callable[[int, int], bytes]:
        """A function of (size, offset) that does as `pread` but may give fewer bytes: for loops
        in which a call is a good part of the cost."""

    def pread_nowait(self, offset: int, size: int) -> bytes | None:
        """All the bytes there, or None when getting them would block."""

    def nowait_reader(self) -> Callable[[int, int], bytes | None]:
        """A `pread_nowait` for one thread alone, which costs less."""

    def will_read(self, offset: int, size: int) -> None:
        """A hint that the bytes there will be wanted soon. Does not wait, promises nothing."""

    def pwrite(self, offset: int, data: bytes | memoryview | mmap.mmap) -> None:
        """Write all of it. Visible to reads at once, on the medium after `fdatasync`."""

    def fdatasync(self) -> None:
        """Everything written before is on the medium when this returns."""

    def map(self, offset: int, size: int, shared: bool) -> mmap.mmap:
        """A writable view of a part, `offset` being a multiple of the page size.

        What is written to a shared one reaches the medium by `flush` of the view; what is written
        to another one never does.
        """

    def close(self) -> None:
        """Let go. The device is not used any more."""


class Disk(Protocol):
    """Where devices are found."""

    def open(self, path: str, create: bool) -> Device:
        """The device at a path. Raises FileNotFoundError unless `create`."""

    def exists(self, path: str) -> bool:
        """Is there something at the path?"""

    def remove(self, path: str) -> None:
        """Take a file away; it may still be open. Raises FileNotFoundError."""

    def unique_id(self) -> bytes:
        """16 bytes no other device has."""

    def variable(self, name: str) -> bytes | None:
        """A variable of the environment in which the files are; None where there is none."""


class _NowaitReader:
    """Reads of a file that do not wait.

    They go into a map that is kept: to cut bytes out of it costs less than to make a buffer, and
    bytes of that, each time.
    """

    __slots__ = ("_descriptor", "_possible", "_scratch", "_windows")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._possible = bool(_NOWAIT)
        self._scratch = mmap.mmap(-1, mmap.PAGESIZE)
        self._windows: dict[int, list[memoryview]] = {}

    def read(self, offset: int, size: int) -> bytes | None:
        """All the bytes there, or None."""
        if not self._possible:
            return None
        window = self._windows.get(size) or self._window(size)
        try:
            if os.preadv(self._descriptor, window, offset, _NOWAIT) == size:
                return self._scratch[:size]
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            self._possible = False  # this file system cannot say
        return None

    def _window(self, size: int) -> list[memoryview]:
        """The first `size` bytes of the map, as `os.preadv` wants them."""
        if size > len(self._scratch):
            self._scratch = mmap.mmap(-1, size)
            self._windows.clear()
        elif len(self._windows) >= WINDOWS:
            self._windows.clear()
        window = self._windows[size] = [memoryview(self._scratch)[:size]]
        return window


class FileDevice:
    """A file or a raw block device."""

    def __init__(self, path: str, create: bool) -> None:
        self._descriptor = os.open(
            path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o640
        )
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def size(self) -> int:
        """Bytes of the file; of a raw device, its capacity."""
        return os.lseek(self._descriptor, 0, os.SEEK_END)

    def capacity(self) -> int | None:
        """Of a raw device, its size."""
        return None if self._is_file else self.size()

    def resize(self, size: int) -> None:
        """Make the file so long. Raises OSError (ENOSPC) when a raw device is smaller."""
        now = self.size()
        if not self._is_file:
            if size > now:
                raise OSError(errno.ENOSPC, "the device is smaller than that")
            return
        if size <= now:
            os.ftruncate(self._descriptor, size)
            return
        try:
            os.posix_fallocate(self._descriptor, now, size - now)
        except OSError as error:
            if error.errno not in _ALLOCATE_UNSUPPORTED:
                raise
            os.ftruncate(self._descriptor, size)

    def pread(self, offset: int, size: int) -> bytes:
        """The bytes there; fewer only at the end."""
        data = os.pread(self._descriptor, size, offset)
        if not data or len(data) == size:
            return data
        parts = [data]
        have = len(data)
        while have < size and (data := os.pread(self._descriptor, size - have, offset + have)):
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def reader(self) -> Callable[[int, int], bytes]:
        """The system's own `pread`."""
        return partial(os.pread, self._descriptor)

    def pread_nowait(self, offset: int, size: int) -> bytes | None:
        """From the page cache, or None."""
        return self.nowait_reader()(offset, size)

    def nowait_reader(self) -> Callable[[int, int], bytes | None]:
        """From the page cache, or None. About 0.5 µs and 0.1 µs a KiB."""
        return _NowaitReader(self._descriptor).read

    def will_read(self, offset: int, size: int) -> None:
        """Let the system begin to read into the page cache."""
        if _HAS_ADVICE:
            os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def pwrite(self, offset: int, data: bytes | memoryview | mmap.mmap) -> None:
        """Write all of it."""
        written = os.pwrite(self._descriptor, data, offset)
        if written < len(data):
            with memoryview(data) as view:
                while written < len(view):
                    with view[written:] as rest:
                        written += os.pwrite(self._descriptor, rest, offset + written)

    def fdatasync(self) -> None:
        """Everything written before is on the medium when this returns."""
        os.fdatasync(self._descriptor)

    def map(self, offset: int, size: int, shared: bool) -> mmap.mmap:
        """A view of a part; growing a shared view makes the file longer."""
        kind = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
        return mmap.mmap(self._descriptor, size, flags=kind, offset=offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class SystemDisk:
    """The files of the system."""

    def open(self, path: str, create: bool) -> FileDevice:
        """The file or raw device at a path; a new file's name is on the medium on return."""
        new = create and not os.path.exists(path)
        device = FileDevice(path, create)
        if new:
            folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return device

    def exists(self, path: str) -> bool:
        """Is there something at the path?"""
        return os.path.exists(path)

    def remove(self, path: str) -> None:
        """Unlink the file."""
        os.unlink(path)

    def unique_id(self) -> bytes:
        """16 random bytes."""
        return os.urandom(16)

    def variable(self, name: str) -> bytes | None:
        """A variable of the process's environment."""
        return os.environb.get(name.encode())
