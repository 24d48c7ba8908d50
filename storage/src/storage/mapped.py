"""The `memory` engine in a mapped file: as fast, and warm again after a clean shutdown."""

from __future__ import annotations

import mmap
from array import array
from struct import Struct
from typing import Final

from google_crc32c import value

from storage import area
from storage.blocks import WriteBlocks
from storage.chains import Chains
from storage.device import Device, Disk, SystemDisk
from storage.engine import StorageError
from storage.index_file import load_index, save_index
from storage.memory import MemoryEngine
from storage.metadata import unpack_table

MAGIC: Final = b"CLeafMEM"
VERSION: Final = 2
PAGE: Final = 4096
_HEADER: Final = Struct("<8sII16sQ")
"""magic, crc of what is behind it, version, id, opens."""
_STATE: Final = Struct("<II")
"""block size, blocks; by block the bytes used, by block the first slot of its list, then the names
of sets and the metadata."""


class MappedMemoryEngine(MemoryEngine):
    """A `MemoryEngine` whose payloads are in the file at `path`, mapped into memory.

    After `close` the next `open` finds everything, in milliseconds. After a crash it finds nothing:
    the file may then hold any mixture of old and new, so the store starts empty. The index is in
    ordinary memory while the engine runs, and in `path`.index between.
    """

    __slots__ = ("_device", "_disk", "_id", "_opens", "_path", "started_warm")

    def __init__(
        self,
        path: str,
        data_size: int | None = None,
        *,
        block_size: int = 8 << 20,
        defrag_lwm_pct: int = 50,
        disk: Disk | None = None,
    ) -> None:
        self._path = path
        self._disk: Disk = SystemDisk() if disk is None else disk
        self._device: Device | None = None
        self._id = b""
        self._opens = 0
        self.started_warm = False
        super().__init__(data_size, block_size=block_size, defrag_lwm_pct=defrag_lwm_pct)

    def open(self) -> None:
        """Map what a clean shutdown has left, or begin empty. Raises OSError, StorageError."""
        device = self._device = self._disk.open(self._path, create=True)
        try:
            self._read_header(device)
            self.started_warm = self._warm(device)
            self._opens += 1
            self._write_header(device)
            if self._disk.exists(self._index_path):
                self._disk.remove(self._index_path)
            if not self.started_warm:
                self._metadata.forget()
                super().clear()
        except BaseException:
            device.close()
            self._device = None
            raise

    def close(self) -> None:
        """Write out data and index. Raises OSError; the next start is then an empty one."""
        device = self._device
        if device is None:
            return
        try:
            self._data.flush()
            device.fdatasync()
            used, first = self._blocks.used_of_blocks(), self._chains.first
            first.extend([0] * (len(used) - len(first)))
            state = _STATE.pack(self._block_size, len(used)) + used.tobytes() + first.tobytes()
            file = self._disk.open(self._index_path, create=True)
            try:
                state += self._metadata.pack(1)
                save_index(file, self.index, self._identity(), state)
            finally:
                file.close()
        finally:
            device.close()
            self._device = None
            super().close()

    @property
    def _index_path(self) -> str:
        return self._path + ".index"

    def _identity(self) -> bytes:
        return self._id + self._opens.to_bytes(8, "little")

    def _read_header(self, device: Device) -> None:
        head = device.pread(0, _HEADER.size)
        if not head:
            self._id = self._disk.unique_id()
            device.resize(PAGE)
            return
        magic, crc, version, self._id, self._opens = _HEADER.unpack(head.ljust(_HEADER.size, b"\0"))
        if not any(head):
            self._id = self._disk.unique_id()
        elif magic != MAGIC or crc != value(head[12:]):
            raise StorageError(f"{self._path} is not the data of a memory engine")
        elif version != VERSION:
            said = f"{self._path} is of version {version} of its format, and not {VERSION}"
            raise StorageError(f"{said}: remove it to start empty")

    def _write_header(self, device: Device) -> None:
        fields = (VERSION, self._id, self._opens)
        body = _HEADER.pack(MAGIC, 0, *fields)[12:]
        device.pwrite(0, _HEADER.pack(MAGIC, value(body), *fields))
        device.fdatasync()

    def _warm(self, device: Device) -> bool:
        if not self._disk.exists(self._index_path):
            return False
        file = self._disk.open(self._index_path, create=False)
        try:
            loaded = load_index(file, self._identity())
        finally:
            file.close()
        if loaded is None:
            return False
        index, state = loaded
        block_size, blocks = _STATE.unpack_from(state)
        chains_at = _STATE.size + 4 * blocks
        names_at = chains_at + 4 * blocks
        used = array("I", state[_STATE.size : chains_at])
        if block_size != self._block_size or device.size() < PAGE + blocks * block_size:
            return False
        self.index.become(index)
        self._metadata.restore(unpack_table(state[names_at:]))
        self._blocks = WriteBlocks.restored(block_size, self._defrag_lwm_pct, used)
        self._data = device.map(PAGE, device.size() - PAGE, shared=True)
        self._chains = Chains(array("I", state[chains_at:names_at]))
        self._debt = 0
        return True

    def _allocate(self) -> mmap.mmap:
        if self._device is None:
            return area.allocate(PAGE)
        self._device.resize(PAGE)
        self._device.resize(PAGE + self._block_size)
        return self._device.map(PAGE, self._block_size, shared=True)

    def _lengthen(self, size: int) -> None:
        assert self._device is not None
        self._device.resize(PAGE + size)  # room first: a page without it is a SIGBUS, not an error
        super()._lengthen(size)
